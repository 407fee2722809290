/**
 * What a Qwen2 or Qwen3 model consists of, by llama.cpp's names: the one list that random models, trained ones,
 * adapters and the trainer share. Sources: `load_arch_tensors` of llama.cpp's src/models/qwen2.cpp and qwen3.cpp.
 */
import { LseError } from "../errors.js";
import { f32, type GgufMetadata, type GgufTensor, Q8_BLOCK, string, type TensorType, u32 } from "./writer.js";

/** Qwen2 adds biases to queries, keys and values; Qwen3 normalises each query and key head instead. */
export type QwenFamily = "qwen2" | "qwen3";

/** Sizes of a Qwen2 or Qwen3 model. */
export interface QwenShape {
  readonly layers: number;
  readonly embedding: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly feedForward: number;
  /** Whether the output reads the embedding matrix instead of its own. Defaults to `true`. */
  readonly tied?: boolean;
  /** θ of the rotary positions. Defaults to a million, as in most models of both families. */
  readonly ropeBase?: number;
}

export const NORM_EPSILON = 1e-6;
export const ROPE_BASE = 1e6;

/** One array of weights. */
export interface QwenParameter {
  /** llama.cpp's name of the tensor. */
  readonly name: string;
  readonly kind: "embedding" | "matrix" | "norm" | "bias";
  /** Row-major: [out, in] of a matrix, [size] of a vector. */
  readonly dims: readonly [number, number] | readonly [number];
}

/** All parameters of a model, each once, in the order of the file. */
export function qwenParameters(family: QwenFamily, shape: QwenShape, vocabulary: number): QwenParameter[] {
  const { layers, embedding, heads, kvHeads, headDim, tied = true } = shape;
  const norm = (name: string, size: number) => ({ name, kind: "norm" as const, dims: [size] as const });
  const bias = (name: string, size: number) => ({ name, kind: "bias" as const, dims: [size] as const });
  return [
    ...["token_embd.weight", ...(tied ? [] : ["output.weight"])].map((name) => ({
      name,
      kind: "embedding" as const,
      dims: [vocabulary, embedding] as const,
    })),
    norm("output_norm.weight", embedding),
    ...Array.from({ length: layers }, (_, layer) => [
      norm(`blk.${layer}.attn_norm.weight`, embedding),
      ...(family === "qwen3"
        ? [norm(`blk.${layer}.attn_q_norm.weight`, headDim), norm(`blk.${layer}.attn_k_norm.weight`, headDim)]
        : [
            bias(`blk.${layer}.attn_q.bias`, heads * headDim),
            bias(`blk.${layer}.attn_k.bias`, kvHeads * headDim),
            bias(`blk.${layer}.attn_v.bias`, kvHeads * headDim),
          ]),
      norm(`blk.${layer}.ffn_norm.weight`, embedding),
    ]).flat(),
    ...layerMatrices(shape),
  ];
}

/** The matrices of the layers, those that adapters are for. */
export function layerMatrices(shape: QwenShape): { name: string; kind: "matrix"; dims: [number, number] }[] {
  const { layers, embedding, heads, kvHeads, headDim, feedForward } = shape;
  const sizes: Record<LinearName, [out: number, of: number]> = {
    attn_q: [heads * headDim, embedding],
    attn_k: [kvHeads * headDim, embedding],
    attn_v: [kvHeads * headDim, embedding],
    attn_output: [embedding, heads * headDim],
    ffn_gate: [feedForward, embedding],
    ffn_up: [feedForward, embedding],
    ffn_down: [embedding, feedForward],
  };
  return Array.from({ length: layers }, (_, layer) =>
    LINEAR_NAMES.map((name) => ({
      name: `blk.${layer}.${name}.weight`,
      kind: "matrix" as const,
      dims: sizes[name],
    })),
  ).flat();
}

/** The seven linear maps of a layer. */
export const LINEAR_NAMES = [
  "attn_q",
  "attn_k",
  "attn_v",
  "attn_output",
  "ffn_gate",
  "ffn_up",
  "ffn_down",
] as const;
export type LinearName = (typeof LINEAR_NAMES)[number];

/** llama.cpp's `general.file_type` of each type. */
const FILE_TYPES: Record<TensorType, number> = { f32: 0, f16: 1, q8_0: 7 };

/** What llama.cpp must know about a model apart from its tokenizer. */
export function modelMetadata(
  family: QwenFamily,
  shape: QwenShape,
  about: { readonly name: string; readonly type: TensorType; readonly contextLength: number },
): GgufMetadata {
  return {
    "general.architecture": string(family),
    "general.type": string("model"),
    "general.name": string(about.name),
    "general.file_type": u32(FILE_TYPES[about.type]),
    "general.quantization_version": u32(2),
    [`${family}.block_count`]: u32(shape.layers),
    [`${family}.context_length`]: u32(about.contextLength),
    [`${family}.embedding_length`]: u32(shape.embedding),
    [`${family}.feed_forward_length`]: u32(shape.feedForward),
    [`${family}.attention.head_count`]: u32(shape.heads),
    [`${family}.attention.head_count_kv`]: u32(shape.kvHeads),
    [`${family}.attention.key_length`]: u32(shape.headDim),
    [`${family}.attention.value_length`]: u32(shape.headDim),
    [`${family}.attention.layer_norm_rms_epsilon`]: f32(NORM_EPSILON),
    [`${family}.rope.freq_base`]: f32(shape.ropeBase ?? ROPE_BASE),
  };
}

/** llama.cpp multiplies what the adapter adds by alpha / rank. */
export function adapterMetadata(family: QwenFamily, name: string, alpha: number): GgufMetadata {
  return {
    "general.architecture": string(family),
    "general.type": string("adapter"),
    "general.name": string(name),
    "adapter.type": string("lora"),
    "adapter.lora.alpha": f32(alpha),
  };
}

/** The two matrices of an adapter on `matrix` [out, in]: a [rank, in] and b [out, rank]. */
export function adapterParameters(
  matrix: { readonly name: string; readonly dims: readonly [number, number] },
  rank: number,
): [a: QwenParameter, b: QwenParameter] {
  const [out, of] = matrix.dims;
  return [
    { name: `${matrix.name}.lora_a`, kind: "matrix", dims: [rank, of] },
    { name: `${matrix.name}.lora_b`, kind: "matrix", dims: [out, rank] },
  ];
}

/** A parameter as a tensor of the file: vectors are always f32, ggml names sizes from the innermost. */
export function ggufTensor(
  { name, dims }: Pick<QwenParameter, "name" | "dims">,
  type: TensorType,
  data: GgufTensor["data"],
): GgufTensor {
  return { name, shape: dims.toReversed(), type: dims.length === 1 ? "f32" : type, data };
}

/** @throws LseError naming the size that llama.cpp, or the type, cannot hold */
export function checkShape(family: QwenFamily, shape: QwenShape, type: TensorType): void {
  const { layers, embedding, heads, kvHeads, headDim, feedForward } = shape;
  for (const [name, size] of Object.entries({ layers, embedding, heads, kvHeads, headDim, feedForward }))
    checkWhole(name, size, 1);
  if (heads % kvHeads !== 0)
    throw new LseError(
      `${heads} heads cannot share ${kvHeads} kvHeads evenly`,
      "Choose kvHeads that divide heads",
    );
  if (headDim % 2 !== 0)
    throw new LseError(
      `headDim ${headDim} is odd`,
      "Choose an even one: rotary positions turn pairs of numbers",
    );
  if (family === "qwen2" && heads * headDim !== embedding)
    throw new LseError(
      `heads × headDim is ${heads * headDim}, but llama.cpp's qwen2 wants the embedding's ${embedding}`,
      "Choose sizes that agree, or the family qwen3",
    );
  if (type !== "q8_0") return;
  for (const [name, row] of Object.entries({ embedding, feedForward, "heads × headDim": heads * headDim }))
    if (row % Q8_BLOCK !== 0)
      throw new LseError(
        `${name} is ${row}, but q8_0 stores rows in blocks of ${Q8_BLOCK} numbers`,
        `Choose a multiple of ${Q8_BLOCK}, or type f16`,
      );
}

export function checkWhole(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least)
    throw new LseError(`${name} is ${value}`, `Give a whole number from ${least}`);
}
