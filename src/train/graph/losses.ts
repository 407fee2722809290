/** From logits to one number to make small. */
import type { Graph, Tensor } from "./graph.js";
import type { Dim } from "./onnx.js";
import * as p from "./primitives.js";

/**
 * The logarithm of the probability that each row of `logits` [M, V] gives its token, in nats.
 * @param tokens [M, 1], int64
 * @returns [M, 1]
 */
export function tokenLogprobs(graph: Graph, logits: Tensor, tokens: Tensor): Tensor {
  const all = logSoftmax(graph, logits);
  const dims = [logits.dims[0] as Dim, 1];
  const chosen = graph.node("GatherElements", [all, tokens], dims, { axis: 1 });
  return graph.record("tokenLogprobs", chosen, [logits], (d) => {
    // d · (1 at the token, 0 elsewhere, minus the probabilities). One token a row: no index comes twice.
    const spread = p.multiply(graph, p.exp(graph, all), p.negate(graph, d));
    const attributes = { axis: 1, reduction: "add" };
    return [graph.node("ScatterElements", [spread, tokens, d], logits.dims, attributes)];
  });
}

function logSoftmax(graph: Graph, logits: Tensor): Tensor {
  if (graph.options.fused) return graph.node("LogSoftmax", [logits], logits.dims, { axis: -1 });
  // WebGPU has no LogSoftmax of its own.
  const perRow = [logits.dims[0] as Dim, 1];
  const axis = graph.integers([-1]);
  const most = graph.node("ReduceMax", [logits, axis], perRow, { keepdims: 1 });
  const shifted = p.subtract(graph, logits, most);
  const sum = p.sumLast(graph, p.exp(graph, shifted));
  return p.subtract(graph, shifted, graph.node("Log", [sum], perRow));
}

/** −Σ weight · logprob, all [M, 1]. */
export function crossEntropy(graph: Graph, logprobs: Tensor, weights: Tensor): Tensor {
  const loss = p.negate(graph, p.total(graph, p.multiply(graph, logprobs, weights)));
  return graph.record("crossEntropy", loss, [logprobs], (d) => [
    p.negate(graph, p.multiply(graph, weights, d)),
  ]);
}

/**
 * −Σ weight · min(ratio · advantage, clip(ratio, 1 − clip, 1 + clip) · advantage) with ratio = exp(logprob − old):
 * the clipped objective of PPO (Schulman et al. 2017, equation 7), negated. All inputs are [M, 1].
 */
export function clippedPolicyGradient(
  graph: Graph,
  logprobs: Tensor,
  old: Tensor,
  advantages: Tensor,
  weights: Tensor,
  clip: number,
): Tensor {
  const ratio = p.exp(graph, p.subtract(graph, logprobs, old));
  const bounds = [graph.scalar(1 - clip), graph.scalar(1 + clip)];
  const clipped = graph.node("Clip", [ratio, ...bounds], ratio.dims);
  const free = p.multiply(graph, ratio, advantages);
  const bounded = p.multiply(graph, clipped, advantages);
  const least = graph.node("Min", [free, bounded], ratio.dims);
  const loss = p.negate(graph, p.total(graph, p.multiply(graph, least, weights)));
  return graph.record("clippedPolicyGradient", loss, [logprobs], (d) => {
    // Where the bounded one is less, the ratio is outside its bounds and nothing flows.
    const flows = graph.node("LessOrEqual", [free, bounded], ratio.dims, {}, "bool");
    const zero = graph.scalar(0);
    const slope = graph.node("Where", [flows, free, zero], ratio.dims, {}, free.type);
    return [p.negate(graph, p.multiply(graph, p.multiply(graph, slope, weights), d))];
  });
}

/**
 * factor · Σ weight · (r − log r − 1) with log r = reference − logprob: an estimate of the Kullback–Leibler divergence
 * from a reference policy, never negative (Schulman 2020, "Approximating KL divergence", k3). All inputs are [M, 1].
 */
export function divergence(
  graph: Graph,
  logprobs: Tensor,
  reference: Tensor,
  weights: Tensor,
  factor: number,
): Tensor {
  const log = p.subtract(graph, reference, logprobs);
  const ratio = p.exp(graph, log);
  const each = p.subtract(graph, p.subtract(graph, ratio, log), graph.scalar(1));
  const loss = p.times(graph, p.total(graph, p.multiply(graph, each, weights)), factor);
  return graph.record("divergence", loss, [logprobs], (d) => {
    const slope = p.subtract(graph, graph.scalar(1), ratio);
    return [p.times(graph, p.multiply(graph, p.multiply(graph, slope, weights), d), factor)];
  });
}
