/** Muon, for matrices. */
import { type InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import type { QwenParameter } from "../../gguf/qwen-layout.js";
import { Graph, type Tensor } from "../graph/graph.js";
import * as p from "../graph/primitives.js";
import type { Parameters } from "../model/spec.js";
import { openSession } from "../session.js";
import { type MuonOptions, type Optimizer, restoreArrays, zerosLike } from "./optimizer.js";

const ITERATIONS = 5;
/** Of the quintic a·X + b·XXᵀX + c·(XXᵀ)²X: steep at 0, and no singular value ends far from 1. */
const COEFFICIENTS = { a: 3.4445, b: -4.775, c: 2.0315 };

/**
 * Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/): the update is the momentum of a matrix with
 * all its singular values brought near 1 by a Newton–Schulz iteration, which runs as an ONNX graph on the CPU.
 */
export class Muon implements Optimizer {
  readonly #momentum: ReadonlyMap<string, Float32Array>;
  /** For matrices with more rows than columns, and for the others; opened by the first step. */
  #sessions: { tall: InferenceSession; wide: InferenceSession } | undefined;

  constructor(
    private readonly matrices: readonly QwenParameter[],
    private readonly options: MuonOptions,
    private readonly threads: number,
  ) {
    this.#momentum = zerosLike(matrices);
  }

  async step(_step: number, rate: number, parameters: Parameters, gradients: Parameters): Promise<void> {
    this.#sessions ??= await this.#open();
    const { momentum, weightDecay } = this.options;
    for (const { name, dims } of this.matrices) {
      const [rows, columns = 1] = dims;
      const mean = this.#momentum.get(name) as Float32Array;
      const gradient = gradients[name] as Float32Array;
      // Nesterov: the gradient and the new mean, mixed.
      const direction = new Float32Array(mean.length);
      for (let i = 0; i < mean.length; i++) {
        const g = gradient[i] as number;
        const m = momentum * (mean[i] as number) + (1 - momentum) * g;
        mean[i] = m;
        direction[i] = (1 - momentum) * g + momentum * m;
      }
      const input = new OrtTensor("float32", direction, [rows, columns]);
      const session = this.#sessions[rows > columns ? "tall" : "wide"];
      const output = (await session.run({ matrix: input })).orthogonal as OrtTensor;
      const update = output.data as Float32Array;
      const values = parameters[name] as Float32Array;
      const keep = 1 - rate * weightDecay;
      const size = rate * Math.sqrt(Math.max(1, rows / columns));
      for (let i = 0; i < values.length; i++)
        values[i] = keep * (values[i] as number) - size * (update[i] as number);
    }
  }

  state(): Parameters {
    return Object.fromEntries([...this.#momentum].map(([name, values]) => [`muon.momentum.${name}`, values]));
  }

  restore(state: Parameters): void {
    restoreArrays("muon.momentum.", this.#momentum, state);
  }

  async release(): Promise<void> {
    await this.#sessions?.tall.release();
    await this.#sessions?.wide.release();
  }

  async #open(): Promise<{ tall: InferenceSession; wide: InferenceSession }> {
    const cpu = { provider: "cpu", threads: this.threads } as const;
    return {
      tall: await openSession(orthogonalGraph("tall"), cpu),
      wide: await openSession(orthogonalGraph("wide"), cpu),
    };
  }
}

/**
 * `matrix` [R, C] to `orthogonal`: the same singular vectors, the singular values between about 0.7 and 1.2.
 * @param side "tall" multiplies by polynomials of XᵀX, "wide" of XXᵀ: the same result, each cheaper for its side
 */
export function orthogonalGraph(side: "tall" | "wide"): Graph {
  const graph = new Graph({ float: "float32", fused: true });
  const matrix = graph.input("matrix", ["R", "C"]);
  const squares = p.total(graph, p.multiply(graph, matrix, matrix));
  const norm = graph.node("Sqrt", [p.add(graph, squares, graph.scalar(1e-14))], []);
  let x: Tensor = graph.node("Div", [matrix, norm], matrix.dims);
  const { a, b, c } = COEFFICIENTS;
  for (let i = 0; i < ITERATIONS; i++) {
    const gram = p.gemm(graph, x, x, side === "wide" ? { transposeB: true } : { transposeA: true });
    const square = p.times(graph, p.gemm(graph, gram, gram), c);
    const polynomial = p.add(graph, p.times(graph, gram, b), square);
    const product = side === "wide" ? p.gemm(graph, polynomial, x) : p.gemm(graph, x, polynomial);
    x = p.add(graph, p.times(graph, x, a), product);
  }
  graph.output(x, "orthogonal");
  return graph;
}
