/**
 * Attention heads that look things up from the start. An induction head (Olsson et al. 2022,
 * https://arxiv.org/abs/2209.11895) finds where the current token stood before and copies what followed; it needs a
 * head in an earlier layer that tells every position what preceded it. Models learn both from data, slowly; here
 * they are written into a Qwen2's first weights, and training goes on from there.
 */
import { LseError } from "../../errors.js";
import { ROPE_BASE } from "../../gguf/qwen-layout.js";
import { deriveSeed, gaussianStream } from "../../lib/random.js";
import type { ModelSpec } from "./spec.js";

/** Score, in nats, of the position that a first-layer head looks for; one further off gets some 8 less. */
const POSITION_SCORE = 50;
/** Pairs of numbers that turn by at least this much (radians) from one position to the next tell positions apart. */
const FAST = 0.15;
/** Pairs that turn by less keep their direction over hundreds of positions: contents are matched with these. */
const SLOW = 0.01;
/** How much larger than the token itself the copies of the tokens before it lie in the residual stream. */
const COPY_SIZE = 2;
/** Of the maps that match contents: large enough for a match to stand out, small enough to learn on from. */
const MATCH_SIZE = 1.8;
/** Of what the looking-up heads write. */
const WRITE_SIZE = 0.1;
/** What is left of the random weights that would drown this: the first-layer heads' queries and keys, all writing. */
const RANDOM_REST = 0.1;

/**
 * Rewrites two heads in each of the first three layers, in place. Layer 0: heads that attend one and two tokens
 * back (through biases and rotary positions alone) and put what they see into two subspaces. Layers 1 and 2: a head
 * that finds where the current token was the one before, and a head that finds where the token before the current
 * one was two back; both copy the token found there into the direction of its own embedding.
 * @throws LseError for a model without biases, or with too few layers or heads
 */
export function addLookupHeads(
  parameters: Readonly<Record<string, Float32Array>>,
  { family, shape }: ModelSpec,
  seed: number,
): void {
  const { layers, embedding: width, heads, kvHeads, headDim: size, ropeBase = ROPE_BASE } = shape;
  if (family !== "qwen2" || layers < 2 || kvHeads < 2 || 2 * size > width)
    throw new LseError(
      "this model cannot get look-up heads",
      "Take the family qwen2 with at least two layers, two kvHeads and an embedding of two heads' size",
    );
  const get = (layer: number, part: string) => parameters[`blk.${layer}.${part}`] as Float32Array;
  const gaussian = gaussianStream(deriveSeed("look-up heads", seed));
  /** [size, width]: what of a token is copied and compared. */
  const content = orthonormalRows(size, width, gaussian);
  /** [2 · size, width]: where the token one back is kept, then the one two back. */
  const stores = orthonormalRows(2 * size, width, gaussian);
  const oneBack = stores.subarray(0, size * width);
  const twoBack = stores.subarray(size * width);
  const turns = Float64Array.from({ length: size / 2 }, (_, i) => ropeBase ** ((-2 * i) / size));
  const isSlow = (row: number) => (turns[row % (size / 2)] as number) < SLOW;

  /** Query heads 0 and `group` have key heads of their own: 0 and 1. */
  const group = heads / kvHeads;
  /** Sets the rows of one head in a map from the residual stream, [heads · size, width]. */
  const setRows = (map: Float32Array, head: number, value: (row: number, column: number) => number) => {
    for (let row = 0; row < size; row++)
      for (let column = 0; column < width; column++)
        map[(head * size + row) * width + column] = value(row, column);
  };
  /** Sets the columns of one query head in the map to the residual stream, [width, heads · size]. */
  const setColumns = (layer: number, head: number, source: Float32Array, factor: number) => {
    const map = get(layer, "attn_output.weight");
    for (let row = 0; row < width; row++)
      for (let column = 0; column < size; column++)
        map[row * heads * size + head * size + column] = factor * (source[column * width + row] as number);
  };
  const contentRows = (row: number, column: number) => content[row * width + column] as number;

  for (let layer = 0; layer < layers; layer++)
    for (const part of ["attn_output.weight", "ffn_down.weight"]) scaleAll(get(layer, part), RANDOM_REST);

  const fast = turns.filter((turn) => turn >= FAST).length;
  const amplitude = Math.sqrt((POSITION_SCORE * Math.sqrt(size)) / fast);
  const tokenSize = meanRowLength(parameters["token_embd.weight"] as Float32Array, width) / Math.sqrt(width);
  for (const [key, offset, store] of [
    [0, 1, oneBack],
    [1, 2, twoBack],
  ] as const) {
    const head = key * group;
    for (const [map, of] of [
      ["attn_q.weight", head],
      ["attn_k.weight", key],
    ] as const) {
      scaleAll(get(0, map).subarray(of * size * width, (of + 1) * size * width), RANDOM_REST);
    }
    // A query turned back by `offset` positions points where the key that far back points.
    for (let i = 0; i < fast; i++) {
      const angle = offset * (turns[i] as number);
      const query = get(0, "attn_q.bias");
      query[head * size + i] = amplitude * Math.cos(angle);
      query[head * size + size / 2 + i] = -amplitude * Math.sin(angle);
      get(0, "attn_k.bias")[key * size + i] = amplitude;
    }
    setRows(get(0, "attn_v.weight"), key, contentRows);
    setColumns(0, head, store, COPY_SIZE * tokenSize);
  }
  for (let layer = 1; layer < Math.min(layers, 3); layer++)
    for (const [key, asked, held] of [
      [0, content, oneBack],
      [1, oneBack, twoBack],
    ] as const) {
      const match = (source: Float32Array) => (row: number, column: number) =>
        isSlow(row) ? MATCH_SIZE * (source[row * width + column] as number) : 0;
      setRows(get(layer, "attn_q.weight"), key * group, match(asked));
      setRows(get(layer, "attn_k.weight"), key, match(held));
      setRows(get(layer, "attn_v.weight"), key, contentRows);
      setColumns(layer, key * group, content, WRITE_SIZE);
    }
}

function scaleAll(values: Float32Array, factor: number): void {
  for (let i = 0; i < values.length; i++) values[i] = factor * (values[i] as number);
}

function meanRowLength(table: Float32Array, width: number): number {
  let sum = 0;
  for (let from = 0; from < table.length; from += width)
    sum += Math.hypot(...table.subarray(from, from + width));
  return (sum * width) / table.length;
}

/** Random rows made orthogonal and of length 1 (Gram and Schmidt). */
function orthonormalRows(count: number, width: number, gaussian: () => number): Float32Array {
  const rows = new Float32Array(count * width).map(gaussian);
  for (let i = 0; i < count; i++) {
    const row = rows.subarray(i * width, (i + 1) * width);
    for (let j = 0; j < i; j++) {
      const other = rows.subarray(j * width, (j + 1) * width);
      const inner = row.reduce((sum, x, k) => sum + x * (other[k] as number), 0);
      for (let k = 0; k < width; k++) row[k] = (row[k] as number) - inner * (other[k] as number);
    }
    const length = Math.hypot(...row);
    for (let k = 0; k < width; k++) row[k] = (row[k] as number) / length;
  }
  return rows;
}
