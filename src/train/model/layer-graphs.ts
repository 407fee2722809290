/**
 * The computation of qwen-graph.ts in pieces, one graph for all layers: between the pieces lies only what enters each
 * layer, and the way back computes a layer anew (Chen et al. 2016). A third more arithmetic, a fraction of the memory.
 */
import { backward } from "../graph/backward.js";
import { Graph, type Tensor } from "../graph/graph.js";
import { gatherRows } from "../graph/layers.js";
import {
  batchAttention,
  block,
  gradientOutput,
  head,
  outputGradients,
  outputName,
  type QwenGraphOptions,
  Weights,
  weightInputs,
} from "./qwen-graph.js";
import { parametersOf } from "./spec.js";

/** What flows through the layers, and what comes back. */
export const STREAM = "x";
export const STREAM_GRADIENT = gradientOutput(STREAM);
/** The gradient that a layer's output got from the layers after it. */
export const FROM_ABOVE = "above";

export interface LayerGraphs {
  /** `tokens`, the embedding → `x`. */
  readonly embed: Graph;
  /** `tokens`, the embedding, `above` → the embedding's gradient; null where it is not trained. */
  readonly embedBack: Graph | null;
  /** `x`, a layer's parameters as layer 0's → `x`. */
  readonly layer: Graph;
  /** The same and `above` → `d x` and the gradients of layer 0; null without gradients. */
  readonly layerBack: Graph | null;
  /** `x` → `logprobs`, `loss`, `d x` and gradients, of what comes after the layers. */
  readonly head: Graph;
}

/** Inputs and outputs that are not named here are those of `qwenGraph`. */
export function layerGraphs(options: QwenGraphOptions): LayerGraphs {
  const { spec, lora, gradients, loss } = options;
  const { all, trained } = parametersOf(spec, lora);
  const isTrained = (name: string) => gradients && trained.some((parameter) => parameter.name === name);
  const weightsOf = (graph: Graph, isHere: (name: string) => boolean) =>
    new Weights(
      graph,
      weightInputs(
        graph,
        all.filter(({ name }) => isHere(name)),
        trained.filter(({ name }) => isHere(name) && isTrained(name)),
      ),
      lora,
    );
  const stream = ["N", spec.shape.embedding];

  const embedding = (back: boolean) => {
    const graph = new Graph(options);
    const table = weightsOf(graph, (name) => name === EMBEDDING).get(EMBEDDING);
    const x = gatherRows(graph, table, graph.input("tokens", ["N"], "int64"));
    if (back) {
      const found = backward(graph, x, [table], graph.input(FROM_ABOVE, stream));
      outputGradients(graph, [table], found);
    } else graph.output(x, STREAM_OUT);
    return graph;
  };

  const layer = (back: boolean) => {
    const graph = new Graph(options);
    const weights = weightsOf(graph, isOfLayer);
    const x = graph.parameter(STREAM, stream);
    const y = block(graph, spec, weights, LAYER, x, batchAttention(graph, spec));
    if (back) {
      const own = trained.filter(({ name }) => isOfLayer(name));
      const found = backward(graph, y, [x, ...weights.tensors(own)], graph.input(FROM_ABOVE, stream));
      outputGradients(graph, [x, ...own], found);
    } else graph.output(y, STREAM_OUT);
    return graph;
  };

  const last = () => {
    const graph = new Graph(options);
    const own = ["output_norm.weight", outputName(spec)];
    const weights = weightsOf(graph, (name) => own.includes(name));
    const x: Tensor = graph.parameter(STREAM, stream);
    const value = head(graph, options, weights, x);
    if (value !== null && gradients) {
      const wanted = trained.filter(({ name }) => own.includes(name));
      outputGradients(graph, [x, ...wanted], backward(graph, value, [x, ...weights.tensors(wanted)]));
    }
    return graph;
  };

  const back = gradients && loss !== null;
  return {
    embed: embedding(false),
    embedBack: back && isTrained(EMBEDDING) ? embedding(true) : null,
    layer: layer(false),
    layerBack: back ? layer(true) : null,
    head: last(),
  };
}

/** Not the input's name: a graph names a value once. */
export const STREAM_OUT = "y";
/** Under this name every layer is computed. */
export const LAYER = "blk.0";
const EMBEDDING = "token_embd.weight";
const isOfLayer = (name: string) => name.startsWith(`${LAYER}.`);
