/** Plain operators, without a place on the tape: what the differentiable ones are made of. */
import type { Graph, Tensor } from "./graph.js";
import type { Dim } from "./onnx.js";

/** Elementwise; `b` may be a scalar or have sizes of 1 that are repeated. */
export const add = (graph: Graph, a: Tensor, b: Tensor) => graph.node("Add", [a, b], a.dims);
export const subtract = (graph: Graph, a: Tensor, b: Tensor) => graph.node("Sub", [a, b], a.dims);
export const multiply = (graph: Graph, a: Tensor, b: Tensor) => graph.node("Mul", [a, b], a.dims);
export const negate = (graph: Graph, a: Tensor) => graph.node("Neg", [a], a.dims);
export const exp = (graph: Graph, a: Tensor) => graph.node("Exp", [a], a.dims);
export const times = (graph: Graph, a: Tensor, factor: number) => multiply(graph, a, graph.scalar(factor));

/** The sum of everything, without sizes. */
export const total = (graph: Graph, a: Tensor) => graph.node("ReduceSum", [a], [], { keepdims: 0 });

/** The sums along the last axis, which becomes 1 long. */
export const sumLast = (graph: Graph, a: Tensor) =>
  graph.node("ReduceSum", [a, graph.integers([-1])], [...a.dims.slice(0, -1), 1], { keepdims: 1 });

export const permute = (graph: Graph, a: Tensor, perm: readonly number[]) =>
  graph.node(
    "Transpose",
    [a],
    perm.map((axis) => a.dims[axis] as Dim),
    { perm },
  );

/** The product of two matrices, either of them transposed; `bias` is added to each row. */
export function gemm(graph: Graph, a: Tensor, b: Tensor, flags: Transposed = {}, bias?: Tensor): Tensor {
  const { transposeA = false, transposeB = false } = flags;
  const dims = [a.dims[transposeA ? 1 : 0] as Dim, b.dims[transposeB ? 0 : 1] as Dim];
  const attributes = { transA: Number(transposeA), transB: Number(transposeB) };
  return graph.node("Gemm", bias === undefined ? [a, b] : [a, b, bias], dims, attributes);
}

/** Products of matrices that lie in the last two axes, for every index of the axes before. */
export function batchedMatmul(graph: Graph, a: Tensor, b: Tensor, flags: Transposed = {}): Tensor {
  const { transposeA = false, transposeB = false } = flags;
  const rank = a.dims.length;
  const rows = a.dims[rank - (transposeA ? 1 : 2)] as Dim;
  const columns = b.dims[rank - (transposeB ? 2 : 1)] as Dim;
  const dims = [...a.dims.slice(0, -2), rows, columns];
  if ((transposeA || transposeB) && graph.options.fused) {
    const attributes = { transA: Number(transposeA), transB: Number(transposeB), alpha: { float: 1 } };
    return graph.nodes("FusedMatMul", [a, b], [dims], attributes, "com.microsoft")[0] as Tensor;
  }
  const perm = [...a.dims.keys()];
  perm.splice(-2, 2, rank - 1, rank - 2);
  const turned = (tensor: Tensor, turn: boolean) => (turn ? permute(graph, tensor, perm) : tensor);
  return graph.node("MatMul", [turned(a, transposeA), turned(b, transposeB)], dims);
}

export interface Transposed {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

/** Adds rows of `updates` [M, D] to the rows of zeros [V, D] that `index` [M] names; a row named twice gets both. */
export function scatterAddRows(graph: Graph, like: Tensor, index: Tensor, updates: Tensor): Tensor {
  const shape = graph.node("Shape", [like], [2], {}, "int64");
  const zeros = graph.node("Expand", [graph.scalar(0), shape], like.dims, {}, like.type);
  const column = graph.node("Unsqueeze", [index, graph.integers([1])], [...index.dims, 1]);
  const updatesShape = graph.node("Shape", [updates], [2], {}, "int64");
  const indices = graph.node("Expand", [column, updatesShape], updates.dims);
  // Not ScatterND: on the CPU it adds in parallel and loses updates to the same row.
  return graph.node("ScatterElements", [zeros, indices, updates], like.dims, { axis: 0, reduction: "add" });
}
