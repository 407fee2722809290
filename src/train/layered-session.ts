/** A model that is computed layer by layer, forward and back: model/layer-graphs.ts says why. */
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import type { PackedRows } from "./batch.js";
import { batchFeeds, type Feeds, type FloatArray, type Numbers, parameterFeed } from "./feeds.js";
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

interface Sessions {
  readonly embed: InferenceSession;
  readonly embedBack: InferenceSession | null;
  readonly layer: InferenceSession;
  readonly layerBack: InferenceSession | null;
  readonly head: InferenceSession;
}

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
      head: await open(graphs.head),
    });
  }

  async run(parameters: Numbers, batch: PackedRows, weightScale = 1): Promise<RunResult<A>> {
    const { spec, loss, float } = this.options;
    const { embed, embedBack, layer, layerBack, head } = this.sessions;
    const { layers } = spec.shape;
    const { tokens, positions, mask, ...predictions } = batchFeeds(
      float,
      loss,
      batch,
      weightScale,
    ) as Feeds & {
      [name in "tokens" | "positions" | "mask"]: OrtTensor;
    };
    const place = { positions, mask };
    const own = (...names: readonly string[]) =>
      Object.fromEntries(
        names.map((name) => [name, parameterFeed(float, name, parameters[name], this.#dims.get(name) ?? [])]),
      );
    const ofLayer = (index: number) =>
      Object.fromEntries(
        this.#layerNames.map((name) => {
          const full = `blk.${index}${name}`;
          return [LAYER + name, parameterFeed(float, full, parameters[full], this.#dims.get(full) ?? [])];
        }),
      );

    const embedding = own("token_embd.weight");
    /** What enters each layer, and what leaves the last. */
    const streams = [streamOf(await embed.run({ ...embedding, tokens }))];
    for (let index = 0; index < layers; index++) {
      const x = streams[index] as OrtTensor;
      streams.push(streamOf(await layer.run({ ...place, ...ofLayer(index), [STREAM]: x })));
      // Without a way back nothing is needed twice.
      if (layerBack === null) delete streams[index];
    }
    const norm = own("output_norm.weight", outputName(spec));
    const results = await head.run({ ...predictions, ...norm, [STREAM]: streams.pop() as OrtTensor });
    const logprobs = results.logprobs?.data as A;
    const value = loss === null ? Number.NaN : (results.loss?.data[0] as number);
    if (layerBack === null) return { loss: value, logprobs, gradients: {} };

    const gradients: Record<string, A> = {};
    const collect = (found: InferenceSession.ReturnType, nameOf: (name: string) => string) => {
      for (const [output, tensor] of Object.entries(found)) {
        if (!output.startsWith(gradientOutput("")) || output === STREAM_GRADIENT) continue;
        const name = nameOf(output.slice(gradientOutput("").length));
        gradients[name] = sumOf(gradients[name], tensor.data as A);
      }
    };
    collect(results, (name) => name);
    let above = results[STREAM_GRADIENT] as OrtTensor;
    for (let index = layers - 1; index >= 0; index--) {
      const x = streams.pop() as OrtTensor;
      const found = await layerBack.run({ ...place, ...ofLayer(index), [STREAM]: x, [FROM_ABOVE]: above });
      collect(found, (name) => name.replace(LAYER, `blk.${index}`));
      above = found[STREAM_GRADIENT] as OrtTensor;
    }
    if (embedBack !== null)
      collect(await embedBack.run({ ...embedding, tokens, [FROM_ABOVE]: above }), (name) => name);
    return { loss: value, logprobs, gradients };
  }

  async release(): Promise<void> {
    for (const session of Object.values(this.sessions)) await (session as InferenceSession | null)?.release();
  }
}

const streamOf = (results: InferenceSession.ReturnType) => results[STREAM_OUT] as OrtTensor;

/** A matrix that embeds and makes logits gets a gradient from both ends. */
function sumOf<A extends FloatArray>(sum: A | undefined, more: A): A {
  if (sum === undefined) return more;
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (more[i] as number);
  return sum;
}
