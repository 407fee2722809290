/**
 * Downloads models; `lse models` in a checkout that is not built.
 *
 *   npm run download-weights                                     the model of the paper's experiments
 *   npm run download-weights -- qwen3-0.6b --quant Q4_K_M --to weights
 */
import { Command } from "@commander-js/extra-typings";
import { wantedModel } from "../src/download/get.js";
import { LseError } from "../src/errors.js";
import { followDownload, modelText } from "../src/terminal/downloads.js";

const program = new Command("download-weights")
  .description("Download models.")
  .argument("[names...]", "of `lse models list`", ["qwen3-4b-instruct-2507"])
  .option("--quant <name>", "quantisation, such as Q4_K_M (that of `lse models list`)")
  .option("--to <folder>", "where to put them (a folder for each in your cache folder)")
  .parse();

try {
  const { quant, to } = program.opts();
  for (const name of program.processedArgs[0]) {
    const wanted = wantedModel(name, quant, to);
    const paths = await followDownload(wanted, false);
    // Interrupted.
    if (paths === null) break;
    console.log(modelText(wanted, paths));
  }
} catch (error) {
  console.error(error instanceof LseError ? `error: ${error.message}` : error);
  process.exitCode = 1;
}
