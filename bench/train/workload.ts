/** A training step of the miniature's size, and how much arithmetic it is. */

import { layerMatrices } from "#lse/runtime/gguf/qwen-layout.js";
import { type PackedRows, packRows, plainRow } from "#lse/train/batch.js";
import type { ModelSpec } from "#lse/train/model/spec.js";
import { uniformNumbers } from "../numbers.js";

/** 1.8 million parameters. */
export const SPEC: ModelSpec = {
  family: "qwen2",
  shape: { layers: 4, embedding: 192, heads: 3, kvHeads: 3, headDim: 64, feedForward: 512 },
  vocabulary: 512,
  contextLength: 256,
};

export const ROWS = 16;
export const LENGTH = 256;

/** Random tokens, in batches of so many rows. */
export function batches(rowsAtOnce: number): PackedRows[] {
  const uniform = uniformNumbers("train");
  const rows = Array.from({ length: ROWS }, () =>
    plainRow(Array.from({ length: LENGTH }, () => Math.floor(SPEC.vocabulary * uniform()))),
  );
  return Array.from({ length: ROWS / rowsAtOnce }, (_, i) =>
    packRows(rows.slice(i * rowsAtOnce, (i + 1) * rowsAtOnce), SPEC, "all"),
  );
}

/**
 * Multiplications and additions of one step in its matrix products: each weight takes part in one product forward
 * and two backward, and so do queries with keys and shares with values, masked or not. All else is not counted.
 */
export function stepFlops(): number {
  const { layers, heads, headDim, embedding } = SPEC.shape;
  const weights = layerMatrices(SPEC.shape).reduce(
    (sum, { dims: [rows, columns] }) => sum + rows * columns,
    0,
  );
  const predicted = ROWS * (LENGTH - 1);
  const attention = 2 * layers * ROWS * heads * LENGTH * LENGTH * headDim;
  return 6 * (weights * ROWS * LENGTH + SPEC.vocabulary * embedding * predicted + attention);
}
