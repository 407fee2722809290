/** A model that is computed layer by layer, forward and back: model/layer-graphs.ts says why. */
import { type InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import type { PackedRows } from "./batch.js";
import {
  type FloatArray,
  type Numbers,
  parameterFeed,
  placeFeeds,
  predictionFeeds,
  tokenFeed,
} from "./feeds.js";
import type { FloatType, Graph } from "./graph/graph.js";
import { FROM_ABOVE, LAYER, layerGraphs, STREAM, STREAM_GRADIENT, STREAM_OUT } from "./model/layer-graphs.js";
import { gradientOutput, outputName, type QwenGraphOptions } from "./model/qwen-graph.js";
import { parametersOf } from "./model/spec.js";
import {
  type ArrayOf,
  type ModelSession,
  openSession,
  type RunResult,
  type SessionOptions,
} from "./session.js";

/** Predictions whose logits exist at one time: 156 MB each way for Qwen's 152,000 tokens. */
export const LOGITS_AT_ONCE = 256;

interface Sessions {
  readonly embed: InferenceSession;
  readonly embedBack: InferenceSession | null;
  readonly layer: InferenceSession;
  readonly layerBack: InferenceSession | null;
  readonly head: InferenceSession;
}

type Feeds = Readonly<Record<string, OrtTensor>>;

export class LayeredSession<A extends FloatArray = FloatArray> implements ModelSession<A> {
  readonly #dims: ReadonlyMap<string, readonly number[]>;
  /** Names of one layer's parameters, without the layer. */
  readonly #layerNames: readonly string[];

  private constructor(
    private readonly options: QwenGraphOptions,
    private readonly sessions: Sessions,
  ) {
    const { all } = parametersOf(options.spec, options.lora);
    this.#dims = new Map(all.map(({ name, dims }) => [name, dims]));
    this.#layerNames = all.flatMap(({ name }) =>
      name.startsWith(`${LAYER}.`) ? [name.slice(LAYER.length)] : [],
    );
  }

  static async open<F extends FloatType>(
    options: QwenGraphOptions & { readonly float: F },
    session: SessionOptions,
  ): Promise<LayeredSession<ArrayOf<F>>> {
    const graphs = layerGraphs(options);
    const open = async (graph: Graph) => await openSession(graph, session);
    const openMaybe = async (graph: Graph | null) => (graph === null ? null : await open(graph));
    return new LayeredSession(options, {
      embed: await open(graphs.embed),
      embedBack: await openMaybe(graphs.embedBack),
      layer: await open(graphs.layer),
      layerBack: await openMaybe(graphs.layerBack),
      // It runs once where a layer runs many times, and would keep what logits take.
      head: await openSession(graphs.head, { ...session, keepsMemory: false }),
    });
  }

  async run(parameters: Numbers, batch: PackedRows, weightScale = 1): Promise<RunResult<A>> {
    const { spec, float } = this.options;
    const { embed, embedBack, layer, layerBack } = this.sessions;
    const { layers } = spec.shape;
    const place = placeFeeds(float, batch);
    const embedding = { ...this.#own(parameters, "token_embd.weight"), tokens: tokenFeed(batch) };
    /** What enters each layer, and what leaves the last. */
    const streams = [streamOf(await embed.run(embedding))];
    for (let index = 0; index < layers; index++) {
      const x = streams[index] as OrtTensor;
      streams.push(streamOf(await layer.run({ ...place, ...this.#layer(parameters, index), [STREAM]: x })));
      // Without a way back nothing is needed twice.
      if (layerBack === null) delete streams[index];
    }
    const last = streams.pop() as OrtTensor;
    const gradients = new Gradients<A>();
    const { loss, logprobs, above: top } = await this.#head(parameters, batch, weightScale, last, gradients);
    if (layerBack === null || top === undefined) return { loss, logprobs, gradients: {} };

    let above = top;
    for (let index = layers - 1; index >= 0; index--) {
      const entered = { ...place, [STREAM]: streams.pop() as OrtTensor, [FROM_ABOVE]: above };
      const found = await layerBack.run({ ...entered, ...this.#layer(parameters, index) });
      gradients.add(found, (name) => name.replace(LAYER, `blk.${index}`));
      above = found[STREAM_GRADIENT] as OrtTensor;
    }
    if (embedBack !== null) gradients.add(await embedBack.run({ ...embedding, [FROM_ABOVE]: above }));
    return { loss, logprobs, gradients: gradients.byName };
  }

  async release(): Promise<void> {
    for (const session of Object.values(this.sessions)) await (session as InferenceSession | null)?.release();
  }

  /** What comes after the layers, some predictions at a time. @returns with the gradient of what left them */
  async #head(
    parameters: Numbers,
    batch: PackedRows,
    weightScale: number,
    last: OrtTensor,
    gradients: Gradients<A>,
  ): Promise<{ loss: number; logprobs: A; above: OrtTensor | undefined }> {
    const { spec, float, loss: kind } = this.options;
    const own = this.#own(parameters, "output_norm.weight", outputName(spec));
    const logprobs = new (float === "float32" ? Float32Array : Float64Array)(batch.at.length) as A;
    let loss = kind === null ? Number.NaN : 0;
    let above: A | undefined;
    for (let from = 0; from < batch.at.length; from += LOGITS_AT_ONCE) {
      const to = Math.min(from + LOGITS_AT_ONCE, batch.at.length);
      const predictions = predictionFeeds(float, kind, batch, weightScale, from, to);
      const found = await this.sessions.head.run({ ...predictions, ...own, [STREAM]: last });
      logprobs.set(found.logprobs?.data as A, from);
      if (kind !== null) loss += found.loss?.data[0] as number;
      const back = found[STREAM_GRADIENT];
      if (back !== undefined) above = sumOf(above, back.data as A);
      gradients.add(found);
    }
    return { loss, logprobs, above: above && new OrtTensor(float, above, last.dims) };
  }

  #own(parameters: Numbers, ...names: readonly string[]): Feeds {
    return Object.fromEntries(names.map((name) => [name, this.#feed(parameters, name)]));
  }

  /** The parameters of a layer, under the names of the one that there is a graph for. */
  #layer(parameters: Numbers, index: number): Feeds {
    return Object.fromEntries(
      this.#layerNames.map((name) => [LAYER + name, this.#feed(parameters, `blk.${index}${name}`)]),
    );
  }

  #feed(parameters: Numbers, name: string): OrtTensor {
    return parameterFeed(this.options.float, name, parameters[name], this.#dims.get(name) ?? []);
  }
}

const streamOf = (results: InferenceSession.ReturnType) => results[STREAM_OUT] as OrtTensor;

/** What comes back, summed: a matrix that embeds and makes logits gets a gradient from both ends. */
class Gradients<A extends FloatArray> {
  readonly byName: Record<string, A> = {};

  /** Takes the gradients of parameters out of results. */
  add(results: InferenceSession.ReturnType, rename = (name: string) => name): void {
    const prefix = gradientOutput("");
    for (const [output, tensor] of Object.entries(results)) {
      if (!output.startsWith(prefix) || output === STREAM_GRADIENT) continue;
      const name = rename(output.slice(prefix.length));
      this.byName[name] = sumOf(this.byName[name], tensor.data as A);
    }
  }
}

function sumOf<A extends FloatArray>(sum: A | undefined, more: A): A {
  if (sum === undefined) return more;
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (more[i] as number);
  return sum;
}
