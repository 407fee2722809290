/** What a training step takes, before anything is loaded: read off the graphs that it would run. */
import { type Cost, graphCost } from "./graph/cost.js";
import { LOGITS_AT_ONCE } from "./layered-session.js";
import { layerGraphs } from "./model/layer-graphs.js";
import { type QwenGraphOptions, qwenGraph } from "./model/qwen-graph.js";
import { type LoraSpec, type ModelSpec, parametersOf } from "./model/spec.js";

export interface StepShape {
  readonly spec: ModelSpec;
  readonly lora?: LoraSpec | undefined;
  readonly recompute: boolean;
  /** Of a row: the prompt and all edits of it. */
  readonly positions: number;
  /** Of these, the ones that are predicted: the edits' tokens. */
  readonly predicted: number;
  /** Rows that are computed at once. Defaults to 1. */
  readonly rows?: number;
}

/** What one step takes: memory and arithmetic. */
export interface StepEstimate {
  /** Numbers of the model, and those that are trained: these, or an adapter's. */
  readonly parameters: number;
  readonly trained: number;
  /** What stays in memory: all parameters, their gradients, AdamW's two moments, in float32. */
  readonly weightBytes: number;
  readonly optimizerBytes: number;
  /** At the worst moment. */
  readonly activationBytes: number;
  /** Of one row: the products of forward and backward. */
  readonly flops: number;
  /** Of one row: the products of a forward pass that gives logprobs and nothing else. */
  readonly forwardFlops: number;
}

const FLOAT_BYTES = 4;

/** Counts what one step of training takes, from the graphs that it would run. */
export function estimateStep(shape: StepShape): StepEstimate {
  const { spec, lora } = shape;
  const { all, trained } = parametersOf(spec, lora);
  const count = (of: typeof all) =>
    of.reduce((sum, { dims: [rows, columns = 1] }) => sum + rows * columns, 0);
  const [whole, moving] = [count(all), count(trained)];
  const there = { spec, lora, float: "float32", fused: true } as const;
  const loss = { kind: "policy-gradient", clip: 0.2 } as const;
  const costs = shape.recompute ? layeredCost : wholeCost;
  const training = costs({ ...there, loss, gradients: true }, shape);
  const forward = costs({ ...there, loss: null, gradients: false }, shape);
  return {
    parameters: lora === undefined ? whole : whole - moving,
    trained: moving,
    weightBytes: FLOAT_BYTES * whole,
    // Two gradients: the sum so far, and what a part of the step adds to it.
    optimizerBytes: 4 * FLOAT_BYTES * moving,
    activationBytes: Math.max(training.bytes, forward.bytes),
    flops: training.flops,
    forwardFlops: forward.flops,
  };
}

function wholeCost(options: QwenGraphOptions, { positions, predicted, rows = 1 }: StepShape): Cost {
  const sizes = { B: rows, T: positions, N: rows * positions, M: rows * predicted };
  const { flops, bytes } = graphCost(qwenGraph(options), sizes);
  return { flops: flops / rows, bytes };
}

function layeredCost(options: QwenGraphOptions, { positions, predicted, rows = 1 }: StepShape): Cost {
  const { layers, embedding } = options.spec.shape;
  const [N, all] = [rows * positions, rows * predicted];
  const sizes = { B: rows, T: positions, N, M: Math.min(all, LOGITS_AT_ONCE) };
  const graphs = layerGraphs(options);
  const forward = graphCost(graphs.layer, sizes);
  const back = graphs.layerBack === null ? { flops: 0, bytes: 0 } : graphCost(graphs.layerBack, sizes);
  const head = graphCost(graphs.head, sizes);
  const kept = graphs.layerBack === null ? 2 : layers + 1;
  return {
    flops: (layers * (forward.flops + back.flops) + (head.flops * all) / sizes.M) / rows,
    bytes: FLOAT_BYTES * kept * N * embedding + Math.max(forward.bytes, back.bytes, head.bytes),
  };
}
