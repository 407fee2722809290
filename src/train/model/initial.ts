/** Weights to begin with. */
import { deriveSeed, gaussianStream } from "../../lib/random.js";
import { type LoraSpec, loraParameters, type ModelSpec, type Parameters, parametersOf } from "./spec.js";

/** Standard deviation of the first logits where the output reads the embedding: near-uniform probabilities. */
const LOGIT_DEVIATION = 0.5;
/** Standard deviation of what a map gives for inputs of deviation 1: into a layer, and back to the residual stream. */
const INNER_DEVIATION = 0.8;
const RESIDUAL_DEVIATION = 0.5;

/**
 * Random weights. Maps into the residual stream are smaller by √layers, so that it does not grow with the depth
 * (Radford et al. 2019); norms are 1, biases 0. A parameter depends on the seed and its name only.
 */
export function initialParameters(spec: ModelSpec, seed: number): Record<string, Float32Array> {
  const { layers, embedding } = spec.shape;
  return Object.fromEntries(
    parametersOf(spec).all.map(({ name, kind, dims: [rows, columns = 1] }) => {
      const values = new Float32Array(rows * columns);
      if (kind === "norm") values.fill(1);
      if (kind === "embedding") fill(values, LOGIT_DEVIATION / Math.sqrt(embedding), seed, name);
      if (kind === "matrix") {
        const isWriter = name.includes(".attn_output.") || name.includes(".ffn_down.");
        const deviation = isWriter ? RESIDUAL_DEVIATION / Math.sqrt(layers) : INNER_DEVIATION;
        fill(values, deviation / Math.sqrt(columns), seed, name);
      }
      return [name, values];
    }),
  );
}

/** A new adapter: A random with a deviation of 1 / √in, B zero, so that it changes nothing yet. */
export function initialLora(spec: ModelSpec, lora: LoraSpec, seed: number): Parameters {
  return Object.fromEntries(
    loraParameters(spec, lora).map(({ name, dims: [rows, columns = 1] }) => {
      const values = new Float32Array(rows * columns);
      if (name.endsWith(".lora_a")) fill(values, 1 / Math.sqrt(columns), seed, name);
      return [name, values];
    }),
  );
}

function fill(values: Float32Array, deviation: number, seed: number, name: string): void {
  const gaussian = gaussianStream(deriveSeed("initial", seed, name));
  for (let i = 0; i < values.length; i++) values[i] = deviation * gaussian();
}
