/** Rotary positions and masked attention with shared key and value heads. */
import type { Graph, Tensor } from "./graph.js";
import type { Dim } from "./onnx.js";
import * as p from "./primitives.js";

/** The angles of rotary positions (Su et al. 2021), for the positions of one batch. */
export interface RotaryTable {
  readonly positions: Tensor;
  /** Fused: [length, size / 2] for every position there is. Otherwise [B, 1, T, size / 2] for those of the batch. */
  readonly cos: Tensor;
  readonly sin: Tensor;
  readonly negativeSin: Tensor;
}

/**
 * @param positions [B, T], int64, below `length`
 * @param base of the wavelengths: θ in base^(−2i/size)
 */
export function rotaryTable(
  graph: Graph,
  positions: Tensor,
  length: number,
  size: number,
  base: number,
): RotaryTable {
  const half = size / 2;
  const angles = Float64Array.from(
    { length: length * half },
    (_, i) => Math.floor(i / half) * base ** ((-2 * (i % half)) / size),
  );
  const table = (of: (angle: number) => number) => {
    const all = graph.constant(angles.map(of), [length, half]);
    if (graph.options.fused) return all;
    const rows = graph.node("Gather", [all, positions], [...positions.dims, half], { axis: 0 });
    const dims = [positions.dims[0] as Dim, 1, positions.dims[1] as Dim, half];
    return graph.node("Unsqueeze", [rows, graph.integers([1])], dims);
  };
  return { positions, cos: table(Math.cos), sin: table(Math.sin), negativeSin: table((x) => -Math.sin(x)) };
}

/** Turns x [B, heads, T, size] by its positions, number i with number i + size / 2 (NEOX's pairing). */
export function rotate(graph: Graph, x: Tensor, table: RotaryTable): Tensor {
  // Turning back is the gradient of turning.
  return graph.record("rotate", turned(graph, x, table, table.sin), [x], (d) => [
    turned(graph, d, table, table.negativeSin),
  ]);
}

function turned(graph: Graph, x: Tensor, { positions, cos }: RotaryTable, sin: Tensor): Tensor {
  if (graph.options.fused) {
    const inputs = [x, positions, cos, sin];
    const [y] = graph.nodes("RotaryEmbedding", inputs, [x.dims], { interleaved: 0 }, "com.microsoft");
    return y as Tensor;
  }
  const half = [...x.dims.slice(0, 3), (x.dims[3] as number) / 2];
  const [a, b] = graph.nodes("Split", [x], [half, half], { axis: 3, num_outputs: 2 }, "") as [Tensor, Tensor];
  const first = p.subtract(graph, p.multiply(graph, a, cos), p.multiply(graph, b, sin));
  const second = p.add(graph, p.multiply(graph, b, cos), p.multiply(graph, a, sin));
  return graph.node("Concat", [first, second], x.dims, { axis: 3 });
}

/**
 * softmax(q kᵀ / √size + mask) v. Query heads h · G … h · G + G − 1 read key head h (Ainslie et al. 2023).
 * @param q [B, heads, T, size]
 * @param k [B, key heads, T, size]
 * @param v like k
 * @param mask [B, 1, T, T], 0 where a position (third axis) may look, very negative elsewhere
 * @returns [B, heads, T, size]
 */
export function attention(graph: Graph, q: Tensor, k: Tensor, v: Tensor, mask: Tensor): Tensor {
  const [batch, heads, length, size] = q.dims as [Dim, number, Dim, number];
  const keyHeads = k.dims[1] as number;
  /** The query heads that share a key head, one under the other, as one matrix. */
  const grouped = (x: Tensor, columns: Dim) =>
    graph.reshape(x, [batch, keyHeads, `${heads / keyHeads}·T`, columns]);
  const perHead = (x: Tensor, columns: Dim) => graph.reshape(x, [batch, heads, length, columns]);

  const scaled = grouped(p.times(graph, q, 1 / Math.sqrt(size)), size);
  const scores = perHead(p.batchedMatmul(graph, scaled, k, { transposeB: true }), length);
  const shares = graph.node("Softmax", [p.add(graph, scores, mask)], scores.dims, { axis: -1 });
  const output = perHead(p.batchedMatmul(graph, grouped(shares, length), v), size);

  return graph.record("attention", output, [q, k, v], (d, [toQ, toK, toV]) => {
    const dGrouped = grouped(d, size);
    const dV = toV
      ? p.batchedMatmul(graph, grouped(shares, length), dGrouped, { transposeA: true })
      : undefined;
    if (!toQ && !toK) return [undefined, undefined, dV];
    const dShares = perHead(p.batchedMatmul(graph, dGrouped, v, { transposeB: true }), length);
    // Σ over keys of share · its gradient equals d · output: over `size` numbers instead of T (Dao et al. 2022).
    const inner = p.sumLast(graph, p.multiply(graph, d, output));
    const dScores = grouped(p.multiply(graph, shares, p.subtract(graph, dShares, inner)), length);
    const dQ = perHead(p.times(graph, p.batchedMatmul(graph, dScores, k), 1 / Math.sqrt(size)), size);
    return [dQ, p.batchedMatmul(graph, dScores, scaled, { transposeA: true }), dV];
  });
}
