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
}

/** What one step takes: memory and arithmetic. */
export interface StepEstimate {
  /** Numbers of the model, and those that are trained: these, or an adapter's. */
  readonly parameters: number;
  readonly trained: number;
  /** What stays in memory: all parameters, their gradients, AdamW's two moments, in float32. */
  readonly weightBytes: number;
  readonly optimizerBytes: number;
  /** At the worst moment of one row. */
  readonly activationBytes: number;
  /** Of one row: the products of forward and backward, and those of the forward pass that gives logprobs. */
  readonly flops: number;
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
    flops: training.flops + forward.flops,
  };
}

function wholeCost(options: QwenGraphOptions, { positions, predicted }: StepShape): Cost {
  return graphCost(qwenGraph(options), { B: 1, T: positions, N: positions, M: predicted });
}

function layeredCost(options: QwenGraphOptions, { positions, predicted }: StepShape): Cost {
  const { layers, embedding } = options.spec.shape;
  const sizes = { B: 1, T: positions, N: positions, M: Math.min(predicted, LOGITS_AT_ONCE) };
  const graphs = layerGraphs(options);
  const forward = graphCost(graphs.layer, sizes);
  const back = graphs.layerBack === null ? { flops: 0, bytes: 0 } : graphCost(graphs.layerBack, sizes);
  const head = graphCost(graphs.head, sizes);
  const kept = graphs.layerBack === null ? 2 : layers + 1;
  return {
    flops: layers * (forward.flops + back.flops) + (head.flops * predicted) / sizes.M,
    bytes: FLOAT_BYTES * kept * positions * embedding + Math.max(forward.bytes, back.bytes, head.bytes),
  };
}
