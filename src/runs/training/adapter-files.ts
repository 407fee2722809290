/** The evolver of a training in other files: GGUF, and folders of Hugging Face's PEFT. */
import { join } from "node:path";
import { LseError } from "../../errors.js";
import { readLora, readSizes } from "../../gguf/read-model.js";
import { writeReweighted } from "../../gguf/reweighted-model.js";
import { writeLora } from "../../gguf/trained-model.js";
import { readJson } from "../../lib/json-file.js";
import { CHECKPOINT, readCheckpoint } from "../../train/checkpoint.js";
import { readPeft, writePeft } from "../../train/peft.js";
import { checkTrainConfig } from "./config.js";

const NAME = "lse evolver";

/** Writes the evolver of a training's last checkpoint: its adapter, or the model that was trained whole. */
export async function exportGguf(training: string, file: string): Promise<void> {
  const configPath = join(training, "config.json");
  const { model, lora } = checkTrainConfig(readJson(configPath), configPath);
  const { tensors: parameters } = await readCheckpoint(join(training, CHECKPOINT));
  if (lora === null) await writeReweighted(file, model, parameters);
  else await writeLora(file, { ...(await readSizes(model)), ...lora, parameters, name: NAME });
}

/** Turns a GGUF adapter into a PEFT folder. @param base the model it is for, as transformers knows it */
export async function exportPeft(adapter: string, folder: string, base: string): Promise<void> {
  await writePeft(folder, await readLora(adapter), base);
}

/**
 * Turns a PEFT folder into a GGUF adapter.
 * @param model the GGUF that it is for
 * @throws LseError for an adapter of another model
 */
export async function importPeft(folder: string, file: string, model: string): Promise<void> {
  const { rank, alpha, tensors } = await readPeft(folder);
  const { family, shape } = await readSizes(model);
  const parameters = Object.fromEntries(Object.entries(tensors).map(([name, { values }]) => [name, values]));
  const unknown = Object.keys(parameters).find(
    (name) => Number(/^blk\.(\d+)\./.exec(name)?.[1]) >= shape.layers,
  );
  if (unknown !== undefined)
    throw new LseError(
      `${folder}: ${unknown} belongs to a layer that ${model} does not have`,
      "Name the model that the adapter was made for",
    );
  await writeLora(file, { family, shape, rank, alpha, parameters, name: NAME });
}
