/** How fast plain matrix products are on this machine. */
import { Tensor as OrtTensor } from "onnxruntime-node";
import { Graph } from "./graph/graph.js";
import { openSession } from "./session.js";

const SIZE = 1024;
const SECONDS = 1;

/** Multiplications and additions a second of plain products of matrices, in a second of trying. */
export async function productSpeed(threads: number): Promise<number> {
  const graph = new Graph({ float: "float32", fused: true });
  const [a, b] = [graph.input("a", [SIZE, SIZE]), graph.input("b", [SIZE, SIZE])];
  graph.output(graph.node("MatMul", [a, b], [SIZE, SIZE]), "c");
  const session = await openSession(graph, { provider: "cpu", threads });
  const matrix = () => new OrtTensor("float32", new Float32Array(SIZE * SIZE).fill(0.5), [SIZE, SIZE]);
  const feeds = { a: matrix(), b: matrix() };
  const fetches = { c: matrix() };
  await session.run(feeds, fetches);
  const started = performance.now();
  let products = 0;
  let seconds = 0;
  for (; seconds < SECONDS; seconds = (performance.now() - started) / 1000) {
    await session.run(feeds, fetches);
    products++;
  }
  await session.release();
  return (2 * SIZE ** 3 * products) / seconds;
}
