/** `lse train export-gguf`, `export-peft` and `import-peft`: evolvers in other files. */
import { Command } from "@commander-js/extra-typings";

/** What reads and writes models takes long to load, and is not wanted for the help of `lse train`. */
const library = () => import("../runs/training/adapter-files.js");

export function exportGgufCommand() {
  return new Command("export-gguf")
    .description("write the evolver of a training's checkpoint as GGUF: its adapter, or the whole model")
    .argument("<training>", "folder of `lse train`")
    .argument("<file>", "the adapter or model")
    .action(async (training, file) => {
      await (await library()).exportGguf(training, file);
      console.log(file);
    });
}

export function exportPeftCommand() {
  return new Command("export-peft")
    .description("turn an adapter into a folder that Hugging Face's PEFT loads")
    .argument("<adapter>", "a GGUF adapter")
    .argument("<folder>", "for adapter_config.json and adapter_model.safetensors")
    .requiredOption("--base <name>", "the model it is for, as transformers knows it")
    .action(async (adapter, folder, { base }) => {
      await (await library()).exportPeft(adapter, folder, base);
      console.log(folder);
    });
}

export function importPeftCommand() {
  return new Command("import-peft")
    .description("turn an adapter of Hugging Face's PEFT into GGUF")
    .argument("<folder>", "with adapter_config.json and adapter_model.safetensors")
    .argument("<file>", "the GGUF adapter")
    .requiredOption("--model <file>", "the GGUF model it is for")
    .action(async (folder, file, { model }) => {
      await (await library()).importPeft(folder, file, model);
      console.log(file);
    });
}
