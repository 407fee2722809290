/** Graphs on ONNX Runtime. `run` blocks the thread it is called on for as long as it computes. */
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { LseError } from "../errors.js";
import type { PackedRows } from "./batch.js";
import type { FloatType, Graph } from "./graph/graph.js";
import { gradientOutput, type QwenGraphOptions, qwenGraph } from "./model/qwen-graph.js";
import { parametersOf } from "./model/spec.js";

/**
 * Where graphs run. "webgpu" comes with the package for Windows, Apple silicon and 64-bit Intel Linux and needs a
 * driver for Vulkan, Metal or Direct3D 12; "cuda" needs a download (README).
 */
export type Provider = "cpu" | "webgpu" | "cuda";

export interface SessionOptions {
  readonly provider: Provider;
  /** CPU threads inside one operator. */
  readonly threads: number;
}

export type FloatArray = Float32Array | Float64Array;
/** What the engine computes with, by name; all of one float type. */
export type Numbers = Readonly<Record<string, FloatArray>>;

/** Only errors: ONNX Runtime warns about every node that is better placed on the CPU. */
const LOG_ERRORS = 3;
/** Added to the scores of positions that must not be seen: as good as −∞, without its NaNs. */
const HIDDEN = -1e9;

/** @throws LseError when the provider does not exist on this machine */
export async function openSession(graph: Graph, options: SessionOptions): Promise<InferenceSession> {
  const { provider, threads } = options;
  try {
    return await InferenceSession.create(graph.encode(), {
      executionProviders: provider === "cpu" ? ["cpu"] : [provider, "cpu"],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      // The other optimisations put fused operators into float64 graphs that exist in float32 only.
      graphOptimizationLevel: graph.options.float === "float64" ? "basic" : "all",
      logSeverityLevel: LOG_ERRORS,
    });
  } catch (cause) {
    if (provider === "cpu") throw cause;
    const why = String(cause).split("\n")[0];
    throw new LseError(
      `the execution provider ${provider} cannot be used here (${why})`,
      "Install its driver (webgpu) or library (cuda), or take the provider cpu",
      { cause },
    );
  }
}

export interface RunResult<A extends FloatArray = FloatArray> {
  /** NaN where the graph has no loss. */
  readonly loss: number;
  /** One for each predicted token, in nats. */
  readonly logprobs: A;
  /** By parameter; empty where the graph has none. */
  readonly gradients: Readonly<Record<string, A>>;
}

/** A session of one of the graphs of a model. */
export class QwenSession<A extends FloatArray = FloatArray> {
  readonly #dims: ReadonlyMap<string, readonly number[]>;
  readonly #trained: readonly string[];

  private constructor(
    private readonly options: QwenGraphOptions,
    private readonly session: InferenceSession,
  ) {
    const { all, trained } = parametersOf(options.spec, options.lora);
    this.#dims = new Map(all.map(({ name, dims }) => [name, dims]));
    this.#trained = options.gradients ? trained.map(({ name }) => name) : [];
  }

  static async open<F extends FloatType>(
    graph: QwenGraphOptions & { readonly float: F },
    session: SessionOptions,
  ): Promise<QwenSession<F extends "float32" ? Float32Array : Float64Array>> {
    return new QwenSession(graph, await openSession(qwenGraph(graph), session));
  }

  /** @param weightScale multiplies the weights: 1 / their total over all batches of a step makes the loss a mean */
  async run(parameters: Numbers, batch: PackedRows, weightScale = 1): Promise<RunResult<A>> {
    const results = await this.session.run(this.#feeds(parameters, batch, weightScale));
    const data = (name: string) => (results[name] as OrtTensor).data as A;
    const result = {
      loss: this.options.loss === null ? Number.NaN : (data("loss")[0] as number),
      logprobs: data("logprobs"),
      gradients: Object.fromEntries(this.#trained.map((name) => [name, data(gradientOutput(name))])),
    };
    return result;
  }

  async release(): Promise<void> {
    await this.session.release();
  }

  #feeds(parameters: Numbers, batch: PackedRows, weightScale: number): Record<string, OrtTensor> {
    const { float, loss } = this.options;
    const array = float === "float32" ? Float32Array : Float64Array;
    const numbers = (values: FloatArray, dims: readonly number[]) =>
      new OrtTensor(float, values instanceof array ? values : array.from(values), dims);
    const integers = (values: BigInt64Array, dims: readonly number[]) => new OrtTensor("int64", values, dims);

    const { rows, length, visible } = batch;
    const predicted = batch.at.length;
    const mask = new array(visible.length);
    for (let i = 0; i < visible.length; i++) if (visible[i] === 0) mask[i] = HIDDEN;
    const feeds: Record<string, OrtTensor> = {
      tokens: integers(batch.tokens, [rows * length]),
      positions: integers(batch.positions, [rows, length]),
      mask: numbers(mask, [rows, 1, length, length]),
      at: integers(batch.at, [predicted]),
      targets: integers(batch.targets, [predicted, 1]),
    };
    if (loss !== null)
      feeds.weights = numbers(
        batch.weights.map((w) => w * weightScale),
        [predicted, 1],
      );
    if (loss?.kind === "policy-gradient") {
      feeds.old = numbers(batch.old, [predicted, 1]);
      feeds.advantages = numbers(batch.advantages, [predicted, 1]);
      if (loss.kl !== undefined) feeds.reference = numbers(batch.reference, [predicted, 1]);
    }
    for (const [name, dims] of this.#dims) {
      const values = parameters[name];
      if (values === undefined) throw new LseError(`parameter ${name} is missing`, "Give all of the model's");
      feeds[name] = numbers(values, dims);
    }
    return feeds;
  }
}
