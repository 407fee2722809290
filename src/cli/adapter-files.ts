import { join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { LseError } from "../errors.js";
import { readJson } from "../lib/json-file.js";
import { checkTrainConfig } from "../runs/training/config.js";
import { CHECKPOINT, readCheckpoint } from "../train/checkpoint.js";

/** What reads and writes models takes long to load, and is not wanted for the help of `lse train`. */
const models = async () => ({
  ...(await import("../gguf/read-model.js")),
  ...(await import("../gguf/reweighted-model.js")),
  ...(await import("../gguf/trained-model.js")),
});

/** `lse train export-gguf`: the evolver as the last checkpoint has it. */
export function exportGgufCommand() {
  return new Command("export-gguf")
    .description(
      "write the evolver of a training's checkpoint as GGUF: its adapter, or the model that was trained whole",
    )
    .argument("<training>", "folder of `lse train`")
    .argument("<file>", "the adapter or model")
    .action(async (folder, file) => {
      const configPath = join(folder, "config.json");
      const { model, lora } = checkTrainConfig(readJson(configPath), configPath);
      const { readSizes, writeLora, writeReweighted } = await models();
      const { tensors: parameters } = await readCheckpoint(join(folder, CHECKPOINT));
      if (lora === null) await writeReweighted(file, model, parameters);
      else await writeLora(file, { ...(await readSizes(model)), ...lora, parameters, name: "lse evolver" });
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
      const { readLora } = await models();
      const { writePeft } = await import("../train/peft.js");
      await writePeft(folder, await readLora(adapter), base);
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
      const { readSizes, writeLora } = await models();
      const { readPeft } = await import("../train/peft.js");
      const { rank, alpha, tensors } = await readPeft(folder);
      const { family, shape } = await readSizes(model);
      const parameters = Object.fromEntries(
        Object.entries(tensors).map(([name, { values }]) => [name, values]),
      );
      const unknown = Object.keys(parameters).find(
        (name) => Number(/^blk\.(\d+)\./.exec(name)?.[1]) >= shape.layers,
      );
      if (unknown !== undefined)
        throw new LseError(
          `${folder}: ${unknown} is of a layer that ${model} does not have`,
          "Name its own model",
        );
      await writeLora(file, { family, shape, rank, alpha, parameters, name: "lse evolver" });
      console.log(file);
    });
}
