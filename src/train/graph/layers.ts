/** The differentiable parts of a transformer, apart from attention and the loss. */
import type { Graph, Tensor } from "./graph.js";
import type { Dim } from "./onnx.js";
import * as p from "./primitives.js";

export function sum(graph: Graph, a: Tensor, b: Tensor): Tensor {
  return graph.record("sum", p.add(graph, a, b), [a, b], (d) => [d, d]);
}

export function scale(graph: Graph, a: Tensor, factor: number): Tensor {
  return graph.record("scale", p.times(graph, a, factor), [a], (d) => [p.times(graph, d, factor)]);
}

export function reshape(graph: Graph, a: Tensor, dims: readonly Dim[]): Tensor {
  return graph.record("reshape", graph.reshape(a, dims), [a], (d) => [graph.reshape(d, a.dims)]);
}

/** Turns [B, T, heads, size] into [B, heads, T, size], and back. */
export function swapMiddle(graph: Graph, a: Tensor): Tensor {
  const swap = (tensor: Tensor) => p.permute(graph, tensor, [0, 2, 1, 3]);
  return graph.record("swapMiddle", swap(a), [a], (d) => [swap(d)]);
}

/** x [N, in] times the transposed weight [out, in], plus a bias [out]. */
export function linear(graph: Graph, x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const y = p.gemm(graph, x, weight, { transposeB: true }, bias);
  const inputs = bias === undefined ? [x, weight] : [x, weight, bias];
  return graph.record("linear", y, inputs, (d, [toX, toWeight, toBias]) => [
    toX ? p.gemm(graph, d, weight) : undefined,
    toWeight ? p.gemm(graph, d, x, { transposeA: true }) : undefined,
    toBias ? sumRows(graph, d) : undefined,
  ]);
}

/** Rows of `table` [V, D] by `index` [M] (int64): embeddings, or some of the positions. */
export function gatherRows(graph: Graph, table: Tensor, index: Tensor): Tensor {
  const dims = [index.dims[0] as Dim, table.dims[1] as Dim];
  const rows = graph.node("Gather", [table, index], dims, { axis: 0 });
  return graph.record("gatherRows", rows, [table], (d) => [p.scatterAddRows(graph, table, index, d)]);
}

/** x / √(mean of x² + epsilon) · gain, along the last axis of x [N, D] (Zhang and Sennrich 2019). */
export function rmsNorm(graph: Graph, x: Tensor, gain: Tensor, epsilon: number): Tensor {
  const size = x.dims[1] as number;
  const perRow = [x.dims[0] as Dim, 1];
  let y: Tensor;
  /** 1 / √(mean of x² + epsilon), [N, 1]. */
  let inverse: Tensor;
  if (graph.options.fused) {
    const attributes = { axis: -1, epsilon: { float: epsilon }, stash_type: 1 };
    const outputs = graph.nodes("SimplifiedLayerNormalization", [x, gain], [x.dims, perRow], attributes, "");
    [y, inverse] = outputs as [Tensor, Tensor];
  } else {
    const square = p.multiply(graph, x, x);
    const mean = graph.node("ReduceMean", [square, graph.integers([-1])], perRow, { keepdims: 1 });
    const root = graph.node("Sqrt", [p.add(graph, mean, graph.scalar(epsilon))], perRow);
    inverse = graph.node("Reciprocal", [root], perRow);
    y = p.multiply(graph, p.multiply(graph, x, inverse), gain);
  }
  return graph.record("rmsNorm", y, [x, gain], (d, [toX, toGain]) => {
    const byInput = p.multiply(graph, d, x);
    const cube = p.multiply(graph, p.multiply(graph, inverse, inverse), inverse);
    const inner = graph.node("MatMul", [byInput, graph.reshape(gain, [size, 1])], perRow);
    const pull = p.times(graph, p.multiply(graph, inner, cube), 1 / size);
    const direct = () => p.multiply(graph, p.multiply(graph, d, gain), inverse);
    return [
      toX ? p.subtract(graph, direct(), p.multiply(graph, x, pull)) : undefined,
      toGain ? graph.reshape(p.gemm(graph, inverse, byInput, { transposeA: true }), [size]) : undefined,
    ];
  });
}

/** gate · sigmoid(gate) · up (Shazeer 2020). */
export function swiGlu(graph: Graph, gate: Tensor, up: Tensor): Tensor {
  const sigmoid = graph.node("Sigmoid", [gate], gate.dims);
  const silu = p.multiply(graph, gate, sigmoid);
  return graph.record("swiGlu", p.multiply(graph, silu, up), [gate, up], (d) => {
    // silu' = sigmoid + silu · (1 − sigmoid)
    const slope = p.add(graph, sigmoid, p.subtract(graph, silu, p.multiply(graph, silu, sigmoid)));
    return [p.multiply(graph, p.multiply(graph, d, up), slope), p.multiply(graph, d, silu)];
  });
}

/** The sums of the columns of [N, D], as a product: faster than a reduction along the first axis. */
function sumRows(graph: Graph, a: Tensor): Tensor {
  const rows = graph.node("Shape", [a], [1], { start: 0, end: 1 }, "int64");
  const one = graph.node("Concat", [graph.integers([1]), rows], [2], { axis: 0 });
  const ones = graph.node("Expand", [graph.scalar(1), one], [1, a.dims[0] as Dim], {}, a.type);
  return graph.reshape(p.gemm(graph, ones, a), [a.dims[1] as number]);
}
