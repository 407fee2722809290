/** Graphs on ONNX Runtime. `run` blocks the thread it is called on for as long as it computes. */
import { InferenceSession, type Tensor as OrtTensor } from "onnxruntime-node";
import { LseError } from "../errors.js";
import type { PackedRows } from "./batch.js";
import {
  type Feeds,
  type FloatArray,
  type Numbers,
  parameterFeed,
  placeFeeds,
  predictionFeeds,
  tokenFeed,
} from "./feeds.js";
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
  /** Whether memory on the CPU is kept from one run to the next: a little faster, and never given back. Defaults to `true`. */
  readonly keepsMemory?: boolean;
}

/** Only errors: ONNX Runtime warns about every node that is better placed on the CPU. */
const LOG_ERRORS = 3;

/** @throws LseError when the provider does not exist on this machine */
export async function openSession(graph: Graph, options: SessionOptions): Promise<InferenceSession> {
  const { provider, threads, keepsMemory = true } = options;
  try {
    return await InferenceSession.create(graph.encode(), {
      executionProviders: provider === "cpu" ? ["cpu"] : [provider, "cpu"],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      enableCpuMemArena: keepsMemory,
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

/** A model ready to compute: as one graph, or layer by layer. */
export interface ModelSession<A extends FloatArray = FloatArray> {
  /** @param weightScale multiplies the weights: 1 / their total over all batches of a step makes the loss a mean */
  run(parameters: Numbers, batch: PackedRows, weightScale?: number): Promise<RunResult<A>>;
  release(): Promise<void>;
}

/** What a session computes with, and what it returns. */
export type ArrayOf<F extends FloatType> = F extends "float32" ? Float32Array : Float64Array;

/** A session of one of the graphs of a model. */
export class QwenSession<A extends FloatArray = FloatArray> implements ModelSession<A> {
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
  ): Promise<QwenSession<ArrayOf<F>>> {
    return new QwenSession(graph, await openSession(qwenGraph(graph), session));
  }

  async run(parameters: Numbers, batch: PackedRows, weightScale = 1): Promise<RunResult<A>> {
    const { float, loss } = this.options;
    const feeds: Feeds = {
      tokens: tokenFeed(batch),
      ...placeFeeds(float, batch),
      ...predictionFeeds(float, loss, batch, weightScale),
    };
    for (const [name, dims] of this.#dims) feeds[name] = parameterFeed(float, name, parameters[name], dims);
    const results = await this.session.run(feeds);
    const data = (name: string) => (results[name] as OrtTensor).data as A;
    return {
      loss: loss === null ? Number.NaN : (data("loss")[0] as number),
      logprobs: data("logprobs"),
      gradients: Object.fromEntries(this.#trained.map((name) => [name, data(gradientOutput(name))])),
    };
  }

  async release(): Promise<void> {
    await this.session.release();
  }
}
