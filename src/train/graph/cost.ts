/** What a graph takes to run, read off the graph itself. */
import type { Graph, GraphNode, Tensor } from "./graph.js";
import type { Dim } from "./onnx.js";

export interface Cost {
  /** Multiplications and additions in matrix products; all else is not counted. */
  readonly flops: number;
  /**
   * The most bytes of intermediate values at one moment, if each is kept from its operator to the last that reads
   * it. Inputs are not counted.
   */
  readonly bytes: number;
}

/** Sizes by the names that the graph gives them, such as { B: 1, T: 512, N: 512, M: 64 }. */
export type Sizes = Readonly<Record<string, number>>;

const PRODUCTS = new Set(["Gemm", "MatMul", "FusedMatMul"]);
const NUMBER_BYTES = { float32: 4, float64: 8, int32: 4, int64: 8, bool: 1 } as const;

export function graphCost(graph: Graph, sizes: Sizes): Cost {
  const operations = neededFor(graph.results, graph.operations);
  /** Views share the memory of what they are of. */
  const ownerOf = new Map<string, string>();
  const owner = (name: string) => ownerOf.get(name) ?? name;
  const lastUse = new Map<string, number>();
  operations.forEach(({ type, inputs, outputs }, i) => {
    for (const { name } of inputs) lastUse.set(owner(name), i);
    const [of] = inputs;
    if (type === "Reshape" && of !== undefined)
      for (const { name } of outputs) ownerOf.set(name, owner(of.name));
  });
  // Results leave the graph: they stay to the end.
  for (const name of graph.results) lastUse.set(owner(name), operations.length);

  const ends = new Map<number, number>();
  let [flops, held, bytes] = [0, 0, 0];
  operations.forEach((node, i) => {
    if (PRODUCTS.has(node.type)) flops += productFlops(node, sizes);
    for (const tensor of node.outputs) {
      const own = tensorBytes(tensor, sizes);
      const last = lastUse.get(tensor.name);
      if (last === undefined || ownerOf.has(tensor.name)) continue;
      held += own;
      ends.set(last, (ends.get(last) ?? 0) + own);
    }
    bytes = Math.max(bytes, held);
    held -= ends.get(i) ?? 0;
  });
  return { flops, bytes };
}

/** ONNX Runtime leaves out what leads to no result. */
function neededFor(results: readonly string[], operations: readonly GraphNode[]): GraphNode[] {
  const wanted = new Set(results);
  const needed = operations.toReversed().filter(({ inputs, outputs }) => {
    const isNeeded = outputs.some(({ name }) => wanted.has(name));
    if (isNeeded) for (const { name } of inputs) wanted.add(name);
    return isNeeded;
  });
  return needed.reverse();
}

/** Of [.., m, k] × [.., k, n]: 2 · m · k · n for each index before, whichever of them lies turned. */
function productFlops({ inputs, outputs }: GraphNode, sizes: Sizes): number {
  const [a, result] = [inputs[0] as Tensor, outputs[0] as Tensor];
  const rows = (result.dims.at(-2) ?? 1) as Dim;
  const before = countOf(result.dims.slice(0, -2), sizes);
  const inner = countOf(a.dims, sizes) / (before * countOf([rows], sizes));
  return 2 * countOf(result.dims, sizes) * inner;
}

const tensorBytes = ({ type, dims }: Tensor, sizes: Sizes) => NUMBER_BYTES[type] * countOf(dims, sizes);

function countOf(dims: readonly Dim[], sizes: Sizes): number {
  return dims.reduce<number>((product, dim) => product * sizeOf(dim, sizes), 1);
}

/** A number, a name, or a product of both such as "N·16". */
function sizeOf(dim: Dim, sizes: Sizes): number {
  if (typeof dim === "number") return dim;
  return dim.split("·").reduce((product, part) => {
    const size = /^\d+$/.test(part) ? Number(part) : sizes[part];
    if (size === undefined) throw new Error(`the size ${part} is not given`);
    return product * size;
  }, 1);
}
