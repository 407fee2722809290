/** Batches and parameters as the inputs of graphs. */
import { Tensor as OrtTensor } from "onnxruntime-node";
import { LseError } from "../errors.js";
import type { PackedRows } from "./batch.js";
import type { FloatType } from "./graph/graph.js";
import type { Loss } from "./model/qwen-graph.js";

export type FloatArray = Float32Array | Float64Array;
/** What is computed with, by name; all of one float type. */
export type Numbers = Readonly<Record<string, FloatArray>>;
export type Feeds = Record<string, OrtTensor>;

/** Added to the scores of positions that must not be seen: as good as −∞, without its NaNs. */
const HIDDEN = -1e9;

/** The tokens as inputs of the embedding. */
export const tokenFeed = ({ rows, length, tokens }: PackedRows) => integers(tokens, [rows * length]);

/** Where positions stand and what they see: inputs of every layer. */
export function placeFeeds(float: FloatType, { rows, length, visible, positions }: PackedRows) {
  const mask = new (arrayOf(float))(visible.length);
  for (let i = 0; i < visible.length; i++) if (visible[i] === 0) mask[i] = HIDDEN;
  return {
    positions: integers(positions, [rows, length]),
    mask: numbers(float, mask, [rows, 1, length, length]),
  };
}

/** Inputs of what comes after the layers, for the predictions number `from` to `to`. */
export function predictionFeeds(
  float: FloatType,
  loss: Loss | null,
  batch: PackedRows,
  weightScale: number,
  from = 0,
  to = batch.at.length,
): Feeds {
  const column = (values: Float64Array) => numbers(float, values.slice(from, to), [to - from, 1]);
  const feeds: Feeds = {
    at: integers(batch.at.slice(from, to), [to - from]),
    targets: integers(batch.targets.slice(from, to), [to - from, 1]),
  };
  if (loss !== null) feeds.weights = column(batch.weights.map((w) => w * weightScale));
  if (loss?.kind === "policy-gradient") {
    feeds.old = column(batch.old);
    feeds.advantages = column(batch.advantages);
    if (loss.kl !== undefined) feeds.reference = column(batch.reference);
  }
  return feeds;
}

/** @throws LseError when there are no such values */
export function parameterFeed(
  float: FloatType,
  name: string,
  values: FloatArray | undefined,
  dims: readonly number[],
): OrtTensor {
  if (values === undefined) throw new LseError(`parameter ${name} is missing`, "Give all of the model's");
  return numbers(float, values, dims);
}

function numbers(float: FloatType, values: FloatArray, dims: readonly number[]): OrtTensor {
  const array = arrayOf(float);
  return new OrtTensor(float, values instanceof array ? values : array.from(values), dims);
}

const integers = (values: BigInt64Array, dims: readonly number[]) => new OrtTensor("int64", values, dims);
const arrayOf = (float: FloatType) => (float === "float32" ? Float32Array : Float64Array);
