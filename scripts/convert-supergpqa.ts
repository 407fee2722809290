/**
 * Puts SuperGPQA into the form of MMLU-Redux: four choices a question, a folder for each field or subfield.
 *
 *   npm run convert-supergpqa -- SuperGPQA-all.jsonl supergpqa-subfields --by subfield
 */
import { Command, Option } from "@commander-js/extra-typings";
import { PythonRandom } from "../src/lib/python-random.js";
import { convertSuperGpqa } from "../src/mmlu/convert.js";
import { saveConverted } from "./save-converted.js";

const program = new Command("convert-supergpqa")
  .description("Write SuperGPQA in the form of MMLU-Redux.")
  .argument("<file>", "SuperGPQA's questions: JSON lines, Parquet or Arrow")
  .argument("<folder>", "a new folder")
  .addOption(
    new Option("--by <what>", "what makes a subject")
      .choices(["field", "subfield"] as const)
      .default("field" as const),
  )
  .option("--minimum <count>", "a subfield with fewer questions goes to its field", Number, 100)
  .option("--seed <number>", "seed of the choices that stay, and of their order", Number, 42)
  .parse();
const [file, folder] = program.processedArgs;
const { seed, by, minimum } = program.opts();
await saveConverted(folder, () => convertSuperGpqa(file, new PythonRandom(seed), { by, minimum }));
