/** The whole computation of a training step as one graph: Qwen2 or Qwen3, the loss, the gradients. */
import { NORM_EPSILON, type QwenParameter, ROPE_BASE } from "../../gguf/qwen-layout.js";
import { attention, rotaryTable, rotate } from "../graph/attention.js";
import { backward } from "../graph/backward.js";
import { Graph, type GraphOptions, type Tensor } from "../graph/graph.js";
import { gatherRows, linear, reshape, rmsNorm, scale, sum, swapMiddle, swiGlu } from "../graph/layers.js";
import { clippedPolicyGradient, crossEntropy, divergence, tokenLogprobs } from "../graph/losses.js";
import { type LoraSpec, type ModelSpec, parametersOf } from "./spec.js";

/** What is made small. */
export type Loss =
  /** The mean of −logprob over the tokens, by weight. */
  | { readonly kind: "cross-entropy" }
  /**
   * PPO's clipped objective, the ratio held within 1 ± `clip`; with `kl`, that much of the divergence from the
   * rows' `referenceLogprobs` is added.
   */
  | { readonly kind: "policy-gradient"; readonly clip: number; readonly kl?: number | undefined };

export interface QwenGraphOptions extends GraphOptions {
  readonly spec: ModelSpec;
  readonly lora?: LoraSpec | undefined;
  /** Null for log-probabilities alone, which take a third of the time. */
  readonly loss: Loss | null;
  /** Whether the gradients of the loss are outputs too. */
  readonly gradients: boolean;
}

/** The output that holds the gradient of a parameter. */
export const gradientOutput = (parameter: string) => `d ${parameter}`;

/**
 * Builds the graph. Inputs, for B rows of T positions, M of which predict a token that counts:
 * every parameter by its name; `tokens` [N = B·T] and `positions` [B, T], int64; `mask` [B, 1, T, T]; `at` [M], the
 * positions (in N) that predict; `targets` [M, 1], the tokens they predict, int64; with a loss `weights` [M, 1]; for
 * the policy gradient `old` and `advantages` [M, 1], and `reference` [M, 1] if it is held near one. Outputs:
 * `logprobs` [M, 1], `loss`, `d NAME`.
 */
export function qwenGraph(options: QwenGraphOptions): Graph {
  const { spec, lora, gradients } = options;
  const graph = new Graph(options);
  const { all, trained } = parametersOf(spec, lora);
  const weights = new Weights(graph, weightInputs(graph, all, gradients ? trained : []), lora);
  const attend = batchAttention(graph, spec);
  let x = gatherRows(graph, weights.get("token_embd.weight"), graph.input("tokens", ["N"], "int64"));
  for (let layer = 0; layer < spec.shape.layers; layer++)
    x = block(graph, spec, weights, `blk.${layer}`, x, attend);
  const loss = head(graph, options, weights, x);
  if (loss === null || !gradients) return graph;
  outputGradients(graph, trained, backward(graph, loss, weights.tensors(trained)));
  return graph;
}

/** Attention over the queries, keys and values of N positions, head after head, without their sizes: to [N, D']. */
export type Attend = (q: Tensor, k: Tensor, v: Tensor) => Tensor;

/** Attention within whole rows, of which nothing is cached. Adds the inputs `positions` and `mask`. */
export function batchAttention(graph: Graph, { contextLength, shape }: ModelSpec): Attend {
  const { heads, kvHeads, headDim, ropeBase = ROPE_BASE } = shape;
  const positions = graph.input("positions", ["B", "T"], "int64");
  const mask = graph.input("mask", ["B", 1, "T", "T"]);
  const rotary = rotaryTable(graph, positions, contextLength, headDim, ropeBase);
  /** To [B, count, T, headDim]. */
  const split = (x: Tensor, count: number) =>
    swapMiddle(graph, reshape(graph, x, ["B", "T", count, headDim]));
  return (q, k, v) => {
    const turnedQ = rotate(graph, split(q, heads), rotary);
    const turnedK = rotate(graph, split(k, kvHeads), rotary);
    const seen = attention(graph, turnedQ, turnedK, split(v, kvHeads), mask);
    return reshape(graph, swapMiddle(graph, seen), ["N", heads * headDim]);
  };
}

/** From x [N, D] after the last layer to the outputs `logprobs` and `loss`. @returns the loss, if there is one */
export function head(
  graph: Graph,
  { spec, loss }: Pick<QwenGraphOptions, "spec" | "loss">,
  weights: Weights,
  x: Tensor,
): Tensor | null {
  const predicting = gatherRows(graph, x, graph.input("at", ["M"], "int64"));
  const last = rmsNorm(graph, predicting, weights.get("output_norm.weight"), NORM_EPSILON);
  const targets = graph.input("targets", ["M", 1], "int64");
  const logprobs = tokenLogprobs(graph, linear(graph, last, weights.get(outputName(spec))), targets);
  graph.output(logprobs, "logprobs");
  if (loss === null) return null;
  const value = lossOf(graph, loss, logprobs);
  graph.output(value, "loss");
  return value;
}

/** The matrix that logits are made with. */
export const outputName = ({ shape }: ModelSpec) =>
  (shape.tied ?? true) ? "token_embd.weight" : "output.weight";

export function outputGradients(
  graph: Graph,
  parameters: readonly { readonly name: string }[],
  gradients: readonly Tensor[],
): void {
  gradients.forEach((gradient, i) => {
    graph.output(gradient, gradientOutput((parameters[i] as { name: string }).name));
  });
}

function lossOf(graph: Graph, loss: Loss, logprobs: Tensor): Tensor {
  const weights = graph.input("weights", ["M", 1]);
  if (loss.kind === "cross-entropy") return crossEntropy(graph, logprobs, weights);
  const old = graph.input("old", ["M", 1]);
  const advantages = graph.input("advantages", ["M", 1]);
  const gain = clippedPolicyGradient(graph, logprobs, old, advantages, weights, loss.clip);
  if (loss.kl === undefined) return gain;
  return sum(graph, gain, divergence(graph, logprobs, graph.input("reference", ["M", 1]), weights, loss.kl));
}

/** Every parameter as an input, so that each run can have other weights. */
export function weightInputs(
  graph: Graph,
  all: readonly QwenParameter[],
  trained: readonly QwenParameter[],
): ReadonlyMap<string, Tensor> {
  const names = new Set(trained.map(({ name }) => name));
  return new Map(
    all.map(({ name, dims }) => [
      name,
      names.has(name) ? graph.parameter(name, dims) : graph.input(name, dims),
    ]),
  );
}

/** The parameters, and linear maps with their biases and adapters. */
export class Weights {
  constructor(
    private readonly graph: Graph,
    private readonly parameters: ReadonlyMap<string, Tensor>,
    private readonly lora?: LoraSpec,
  ) {}

  get(name: string): Tensor {
    const tensor = this.parameters.get(name);
    if (tensor === undefined) throw new Error(`the model has no ${name}`);
    return tensor;
  }

  tensors(parameters: readonly QwenParameter[]): Tensor[] {
    return parameters.map(({ name }) => this.get(name));
  }

  /** The linear map of this name, e.g. "blk.0.attn_q", on x [N, in]. */
  linear(name: string, x: Tensor): Tensor {
    const plain = linear(this.graph, x, this.get(`${name}.weight`), this.parameters.get(`${name}.bias`));
    const down = this.parameters.get(`${name}.weight.lora_a`);
    if (down === undefined || this.lora === undefined) return plain;
    const up = linear(this.graph, linear(this.graph, x, down), this.get(`${name}.weight.lora_b`));
    return sum(this.graph, plain, scale(this.graph, up, this.lora.alpha / this.lora.rank));
  }
}

/** One layer, its parameters named `${name}.…`: from x [N, D] to the same sizes. */
export function block(
  graph: Graph,
  { family, shape }: ModelSpec,
  weights: Weights,
  name: string,
  x: Tensor,
  attend: Attend,
): Tensor {
  const norm = (part: string, input: Tensor) =>
    rmsNorm(graph, input, weights.get(`${name}.${part}.weight`), NORM_EPSILON);
  const before = norm("attn_norm", x);
  /** Queries or keys of this many heads. */
  const project = (part: "attn_q" | "attn_k", count: number) => {
    const y = weights.linear(`${name}.${part}`, before);
    if (family === "qwen2") return y;
    return norm(`${part}_norm`, reshape(graph, y, [`N·${count}`, shape.headDim]));
  };

  const q = project("attn_q", shape.heads);
  const k = project("attn_k", shape.kvHeads);
  const joined = attend(q, k, weights.linear(`${name}.attn_v`, before));
  const attended = sum(graph, x, weights.linear(`${name}.attn_output`, joined));

  const between = norm("ffn_norm", attended);
  const gated = swiGlu(
    graph,
    weights.linear(`${name}.ffn_gate`, between),
    weights.linear(`${name}.ffn_up`, between),
  );
  return sum(graph, attended, weights.linear(`${name}.ffn_down`, gated));
}
