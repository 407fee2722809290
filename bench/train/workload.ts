/** The training steps that are measured, and how much arithmetic each one is. */

import { NAMED_SHAPES } from "#lse/gguf/random-model.js";
import { type PackedRows, packRows, plainRow, type Row, rowLength } from "#lse/train/batch.js";
import { graphCost } from "#lse/train/graph/cost.js";
import { type Loss, qwenGraph } from "#lse/train/model/qwen-graph.js";
import type { LoraSpec, ModelSpec } from "#lse/train/model/spec.js";
import { uniformNumbers } from "../numbers.js";

export interface Workload {
  readonly about: string;
  readonly spec: ModelSpec;
  readonly lora?: LoraSpec;
  readonly loss: Loss;
  readonly rows: readonly Row[];
  /** Rows that are computed at once, of each contestant of ours. */
  readonly rowsAtOnce: readonly number[];
  /** Whether PyTorch has the same step (torch_step.py). */
  readonly torch: boolean;
}

const MINI: ModelSpec = {
  family: "qwen2",
  shape: { layers: 4, embedding: 192, heads: 3, kvHeads: 3, headDim: 64, feedForward: 512 },
  vocabulary: 512,
  contextLength: 1024,
};
const SMALL: ModelSpec = {
  family: "qwen3",
  shape: NAMED_SHAPES["0.6b"],
  vocabulary: 151_936,
  contextLength: 1024,
};
const LORA: LoraSpec = { rank: 16, alpha: 32 };
const POLICY_GRADIENT: Loss = { kind: "policy-gradient", clip: 0.2 };

export const WORKLOADS: Readonly<Record<string, Workload>> = {
  pretrain: {
    about: "16 sequences of 256 tokens, all of 1.8 million parameters",
    spec: MINI,
    loss: { kind: "cross-entropy" },
    rowsAtOnce: [16, 4, 1],
    torch: true,
    rows: sequences(16, 256),
  },
  lse: {
    about: "8 prompts of 384 tokens, 4 edits of 64 each, an adapter on 1.8 million parameters",
    spec: MINI,
    lora: LORA,
    loss: POLICY_GRADIENT,
    rowsAtOnce: [4, 1],
    torch: false,
    rows: edits(8, 384, 64),
  },
  "lse-0.6b": {
    about: "a prompt of 384 tokens, 4 edits of 32 each, an adapter on the shape of Qwen3-0.6B",
    spec: SMALL,
    lora: LORA,
    loss: POLICY_GRADIENT,
    rowsAtOnce: [1],
    torch: false,
    rows: edits(1, 384, 32),
  },
};

function sequences(count: number, length: number): Row[] {
  const token = tokens();
  return Array.from({ length: count }, () => plainRow(Array.from({ length }, token)));
}

function edits(count: number, prompt: number, length: number): Row[] {
  const token = tokens();
  return Array.from({ length: count }, () => ({
    prefix: Array.from({ length: prompt }, token),
    continuations: [1, -1, 0.5, -0.5].map((advantage) => ({
      tokens: Array.from({ length }, token),
      oldLogprobs: Array.from({ length }, () => -Math.log(500)),
      advantage,
    })),
  }));
}

function tokens() {
  const uniform = uniformNumbers("train");
  return () => Math.floor(512 * uniform());
}

export function batches({ rows, spec }: Workload, rowsAtOnce: number): PackedRows[] {
  return Array.from({ length: rows.length / rowsAtOnce }, (_, i) =>
    packRows(rows.slice(i * rowsAtOnce, (i + 1) * rowsAtOnce), spec, "all"),
  );
}

/** Positions of all rows. */
export const positionsOf = ({ rows }: Pick<Workload, "rows">) =>
  rows.reduce((sum, row) => sum + rowLength(row), 0);

/** Arithmetic of a step in its matrix products, forward and backward. Recomputation is not counted: it is a price. */
export function stepFlops(workload: Workload): number {
  const [batch] = batches(workload, workload.rows.length);
  const { rows: B, length: T, at } = batch as PackedRows;
  const graph = qwenGraph({ ...workload, float: "float32", fused: true, gradients: true });
  return graphCost(graph, { B, T, N: B * T, M: at.length }).flops;
}
