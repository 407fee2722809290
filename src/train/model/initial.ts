/** Weights to begin with. */
import { deriveSeed, gaussianStream } from "../../random.js";
import { type LoraSpec, loraParameters, type ModelSpec, type Parameters, parametersOf } from "./spec.js";

/** Standard deviation of the embedding, as Qwen's own. */
const EMBEDDING_DEVIATION = 0.02;

/**
 * Random weights: matrices with a deviation of 1 / √in, those that write into the residual stream smaller by
 * √(2 · layers) (Radford et al. 2019), norms 1, biases 0. A parameter depends on the seed and its name only.
 */
export function initialParameters(spec: ModelSpec, seed: number): Record<string, Float32Array> {
  const residual = 1 / Math.sqrt(2 * spec.shape.layers);
  return Object.fromEntries(
    parametersOf(spec).all.map(({ name, kind, dims: [rows, columns = 1] }) => {
      const values = new Float32Array(rows * columns);
      if (kind === "norm") values.fill(1);
      if (kind === "embedding") fill(values, EMBEDDING_DEVIATION, seed, name);
      if (kind === "matrix") {
        const writes = name.includes(".attn_output.") || name.includes(".ffn_down.");
        fill(values, (writes ? residual : 1) / Math.sqrt(columns), seed, name);
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
