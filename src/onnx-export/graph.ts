/**
 * Qwen2 and Qwen3 as the graph that transformers.js generates with: one step over new tokens, behind keys and values
 * that earlier steps have left. The layers are those of the trainer, with another attention.
 */
import { NORM_EPSILON, ROPE_BASE } from "../gguf/qwen-layout.js";
import type { ReadModel } from "../gguf/read-model.js";
import { rotaryTable } from "../train/graph/attention.js";
import { Graph, type Tensor } from "../train/graph/graph.js";
import { gatherRows, linear, reshape, rmsNorm } from "../train/graph/layers.js";
import { DATA_TYPES } from "../train/graph/onnx.js";
import { negate, subtract } from "../train/graph/primitives.js";
import { type Attend, block, outputName, Weights } from "../train/model/qwen-graph.js";
import { parametersOf } from "../train/model/spec.js";

/** Past every sequence: "to the end" for ONNX's Slice. */
const END = 2 ** 31 - 1;

/**
 * Builds the graph, the weights in it as float32. Inputs, for T new tokens of one sequence behind P earlier ones:
 * `input_ids` and `position_ids` [1, T], `attention_mask` [1, P + T], `past_key_values.L.key` and `.value`
 * [1, key heads, P, head size] of each layer L, and `num_logits_to_keep`, which asks for the rows of so many tokens at
 * the end, 0 for all. Outputs: `logits` [1, rows, vocabulary], `present.L.key` and `.value` [1, key heads, P + T,
 * head size]. The names are those of Hugging Face's exporter (optimum). ONNX Runtime's GroupQueryAttention knows of
 * padding at the end only, so batches of sequences of different lengths cannot be run.
 */
export function decoderGraph(model: ReadModel): Graph {
  const { shape } = model;
  const graph = new Graph({ float: "float32", fused: true });
  const weights = new Weights(graph, weightConstants(graph, model));
  const ids = graph.input("input_ids", ["batch_size", "sequence_length"], "int64");
  const attendIn = cachedAttention(graph, model);
  let x = gatherRows(graph, weights.get("token_embd.weight"), graph.reshape(ids, ["N"]));
  for (let layer = 0; layer < shape.layers; layer++)
    x = block(graph, model, weights, `blk.${layer}`, x, attendIn(layer));
  const kept = graph.reshape(lastTokens(graph, x, shape.embedding), ["K", shape.embedding]);
  const last = rmsNorm(graph, kept, weights.get("output_norm.weight"), NORM_EPSILON);
  const logits = linear(graph, last, weights.get(outputName(model)));
  graph.output(reshape(graph, logits, ["batch_size", "K", model.vocabulary]), "logits");
  return graph;
}

function weightConstants(graph: Graph, model: ReadModel): ReadonlyMap<string, Tensor> {
  return new Map(
    parametersOf(model).all.map(({ name, dims }) => [
      name,
      graph.constant(model.parameters[name] as Float32Array, dims),
    ]),
  );
}

/** Adds the inputs and outputs that all layers need, and with each layer its keys and values. */
function cachedAttention(graph: Graph, { shape, contextLength }: ReadModel): (layer: number) => Attend {
  const { heads, kvHeads, headDim, ropeBase = ROPE_BASE } = shape;
  const mask = graph.input("attention_mask", ["batch_size", "total_sequence_length"], "int64");
  const positions = graph.input("position_ids", ["batch_size", "sequence_length"], "int64");
  const { cos, sin } = rotaryTable(graph, positions, contextLength, headDim, ropeBase);
  const asInt32 = (x: Tensor) => graph.node("Cast", [x], x.dims, { to: DATA_TYPES.int32 }, "int32");
  const seen = graph.node("ReduceSum", [mask, graph.integers([1])], ["batch_size"], { keepdims: 0 });
  const lastSeen = asInt32(subtract(graph, seen, graph.integers([1])));
  const length = asInt32(graph.node("Shape", [mask], [1], { start: 1, end: 2 }, "int64"));
  const attributes = { num_heads: heads, kv_num_heads: kvHeads, do_rotary: 1 };
  return (layer) => (q, k, v) => {
    const flat = (x: Tensor, count: number) =>
      reshape(graph, x, ["batch_size", "sequence_length", count * headDim]);
    const past = ["key", "value"].map((part) =>
      graph.input(`past_key_values.${layer}.${part}`, [
        "batch_size",
        kvHeads,
        "past_sequence_length",
        headDim,
      ]),
    );
    const present = ["batch_size", kvHeads, "total_sequence_length", headDim];
    const [joined, key, value] = graph.nodes(
      "GroupQueryAttention",
      [flat(q, heads), flat(k, kvHeads), flat(v, kvHeads), ...past, lastSeen, length, cos, sin, positions],
      [["batch_size", "sequence_length", heads * headDim], present, present],
      attributes,
      "com.microsoft",
      "float32",
    ) as [Tensor, Tensor, Tensor];
    graph.output(key, `present.${layer}.key`);
    graph.output(value, `present.${layer}.value`);
    return graph.reshape(joined, ["N", heads * headDim]);
  };
}

/** Of x [N, D] the tokens whose logits are asked for: [1, rows, D]. */
function lastTokens(graph: Graph, x: Tensor, size: number): Tensor {
  const count = graph.input("num_logits_to_keep", [], "int64");
  const rows = graph.reshape(x, ["batch_size", "sequence_length", size]);
  // The last none, −0, begin at 0: all.
  const start = graph.reshape(negate(graph, count), [1]);
  const inputs = [rows, start, graph.integers([END]), graph.integers([1])];
  return graph.node("Slice", inputs, ["batch_size", "rows", size]);
}
