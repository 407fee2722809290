/**
 * Puts MMLU-Pro into the form of MMLU-Redux: four choices a question, a folder for each category.
 *
 *   npm run convert-mmlu-pro -- MMLU-Pro/data/test-00000-of-00001.parquet mmlu-pro-redux
 */
import { Command } from "@commander-js/extra-typings";
import { PythonRandom } from "../src/lib/python-random.js";
import { convertMmluPro } from "../src/mmlu/convert.js";
import { saveConverted } from "./save-converted.js";

const program = new Command("convert-mmlu-pro")
  .description("Write MMLU-Pro in the form of MMLU-Redux.")
  .argument("<file>", "MMLU-Pro's test split: Parquet, Arrow or JSON lines")
  .argument("<folder>", "a new folder")
  .option("--seed <number>", "seed of the choices that stay, and of their order", Number, 42)
  .parse();
const [file, folder] = program.processedArgs;
const { seed } = program.opts();
await saveConverted(folder, () => convertMmluPro(file, new PythonRandom(seed)));
