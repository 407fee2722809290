/** The contestants of the training bench: our step in several settings, plain matrix products, PyTorch. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Tensor as OrtTensor } from "onnxruntime-node";
import { Graph } from "#lse/train/graph/graph.js";
import { LayeredSession } from "#lse/train/layered-session.js";
import type { Parameters } from "#lse/train/model/spec.js";
import { openSession, QwenSession } from "#lse/train/session.js";
import { batches, positionsOf, type Workload } from "./workload.js";

export interface Timed {
  readonly name: string;
  /** Seconds of one step, or of as many products. */
  readonly run: () => Promise<number>;
  readonly close: () => Promise<void>;
}

const seconds = async (work: () => Promise<unknown>) => {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
};

export interface OurStep {
  readonly rowsAtOnce: number;
  /** Layer by layer, each again on the way back. */
  readonly recompute: boolean;
}

/** Forward and backward, the gradients of what is trained, in parts of so many rows. */
export async function ourStep(
  workload: Workload,
  parameters: Parameters,
  { rowsAtOnce, recompute }: OurStep,
  threads: number,
): Promise<Timed> {
  const graph = { ...workload, gradients: true, float: "float32", fused: true } as const;
  const session = await (recompute ? LayeredSession : QwenSession).open(graph, { provider: "cpu", threads });
  const parts = batches(workload, rowsAtOnce);
  const predicted = parts.reduce((sum, { at }) => sum + at.length, 0);
  return {
    name: `lse, ${rowsAtOnce} row(s) at once${recompute ? ", layer by layer" : ""}`,
    run: () =>
      seconds(async () => {
        for (const part of parts) await session.run(parameters, part, 1 / predicted);
      }),
    close: () => session.release(),
  };
}

/** Products [m, k] × [k, n] by ONNX Runtime's MatMul and nothing else. @returns with their arithmetic */
export async function plainProducts(
  name: string,
  [m, k, n]: readonly [number, number, number],
  threads: number,
): Promise<Timed & { readonly flops: number }> {
  const graph = new Graph({ float: "float32", fused: true });
  const [a, b] = [graph.input("a", [m, k]), graph.input("b", [k, n])];
  graph.output(graph.node("MatMul", [a, b], [m, n]), "c");
  const session = await openSession(graph, { provider: "cpu", threads });
  const random = (rows: number, columns: number) =>
    new OrtTensor("float32", new Float32Array(rows * columns).fill(0.5), [rows, columns]);
  const feeds = { a: random(m, k), b: random(k, n) };
  // Results are written to one place, so that no allocation is timed.
  const fetches = { c: random(m, n) };
  const times = Math.max(1, Math.round(2e10 / (2 * m * k * n)));
  return {
    name,
    flops: 2 * m * k * n * times,
    run: () =>
      seconds(async () => {
        for (let i = 0; i < times; i++) await session.run(feeds, fetches);
      }),
    close: () => session.release(),
  };
}

/** The same step in PyTorch, in a process that waits between rounds; null with a reason where there is none. */
export async function torchStep(
  { spec, rows }: Workload,
  threads: number,
): Promise<Timed | { readonly missing: string }> {
  const script = fileURLToPath(new URL("torch_step.py", import.meta.url));
  const { layers, embedding, heads, headDim, feedForward } = spec.shape;
  const lengths = [rows.length, positionsOf({ rows }) / rows.length];
  const sizes = [layers, embedding, heads, headDim, feedForward, spec.vocabulary, ...lengths, threads];
  const child: ChildProcessWithoutNullStreams = spawn("python3", [script, ...sizes.map(String)]);
  child.on("error", () => {});
  let complaint = "python3 cannot be started";
  child.stderr.on("data", (text: Buffer) => {
    complaint = text.toString().trim().split("\n").at(-1) ?? complaint;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  if ((await lines.next()).value !== "ready") return { missing: complaint };
  return {
    name: "PyTorch",
    async run() {
      child.stdin.write("step\n");
      return Number((await lines.next()).value);
    },
    async close() {
      child.stdin.end();
    },
  };
}
