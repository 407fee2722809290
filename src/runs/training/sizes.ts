/** The evolver's sizes, as it is trained. */
import { existsSync } from "node:fs";
import { LseError } from "../../errors.js";
import { type ModelSizes, readSizes } from "../../gguf/read-model.js";
import { unwritableType } from "../../gguf/reweighted-model.js";
import { KNOWN_MODELS, knownSizes } from "../../train/model/known-models.js";
import type { ModelSpec } from "../../train/model/spec.js";
import type { TrainConfig } from "./config.js";

/**
 * Sizes of the evolver, its context no longer than the engine's: what is longer cannot have been written.
 * @throws LseError for a file that is no such model, or of which not all parameters can be trained if they are to be
 */
export async function trainedSizes(config: TrainConfig): Promise<ModelSpec> {
  const { model, lora } = config;
  const sizes = await readSizes(model);
  const type = lora === null ? await unwritableType(model) : null;
  if (type !== null)
    throw new LseError(
      `${model}: field lora is null, and all parameters cannot be trained in a file whose weights are ${type}`,
      "Leave `lora` out to train an adapter, or take the model's F32, F16 or Q8_0 file",
    );
  return inEngine(sizes, config);
}

/** The same of a model that may not be here yet. @throws LseError for one that is neither here nor known by name */
export async function plannedSizes(
  config: TrainConfig,
): Promise<{ spec: ModelSpec; from: "file" | "published sizes" }> {
  const { model } = config;
  if (existsSync(model)) return { spec: await trainedSizes(config), from: "file" };
  const sizes = knownSizes(model);
  if (sizes !== null) return { spec: inEngine(sizes, config), from: "published sizes" };
  throw new LseError(
    `${model}: no such file, and no model whose sizes are known by name`,
    `Put the model there, or name one of ${KNOWN_MODELS.join(", ")}`,
  );
}

function inEngine({ contextLength, ...sizes }: ModelSizes, { engine }: TrainConfig): ModelSpec {
  return { ...sizes, contextLength: Math.min(contextLength, engine.context ?? contextLength) };
}
