/**
 * Qwen3 models and LoRA adapters with random weights, of any shape: for tests, for measuring speed at the size
 * of a real model, and for trying the whole program without a download. The same arguments give the same bytes
 * on every platform.
 */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { LseError } from "../../errors.js";
import { qwenTokenizer, smallTokenizer, type TokenizerMetadata } from "./tokenizer.js";
import {
  f32,
  type GgufMetadata,
  type GgufTensor,
  Q8_BLOCK,
  string,
  type TensorType,
  u32,
  writeGguf,
} from "./writer.js";

export interface Qwen3Shape {
  readonly layers: number;
  readonly embedding: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly feedForward: number;
  /** Whether the output reads the embedding matrix instead of its own. Defaults to `true`. */
  readonly tied?: boolean;
}

/** "0.6b", "4b" and "7b" are Qwen3-0.6B, Qwen3-4B and Qwen3-8B; the other two are small ones of the same make. */
export const NAMED_SHAPES = {
  "1m": { layers: 4, embedding: 128, heads: 4, kvHeads: 2, headDim: 32, feedForward: 480, tied: true },
  "25m": { layers: 8, embedding: 512, heads: 8, kvHeads: 4, headDim: 64, feedForward: 1536, tied: true },
  "0.6b": { layers: 28, embedding: 1024, heads: 16, kvHeads: 8, headDim: 128, feedForward: 3072, tied: true },
  "4b": { layers: 36, embedding: 2560, heads: 32, kvHeads: 8, headDim: 128, feedForward: 9728, tied: true },
  "7b": { layers: 36, embedding: 4096, heads: 32, kvHeads: 8, headDim: 128, feedForward: 12288, tied: false },
} as const satisfies Record<string, Qwen3Shape>;

export type ShapeName = keyof typeof NAMED_SHAPES;

export interface RandomModelOptions {
  readonly shape: Qwen3Shape;
  /** What the matrices are stored as; the norms are always f32. */
  readonly type: TensorType;
  /** "small" has 512 tokens, "qwen" the 151,936 of Qwen; or any other. */
  readonly tokenizer: "small" | "qwen" | TokenizerMetadata;
  /** A whole number from 0. */
  readonly seed: number;
  /** The longest context the file claims, in tokens. */
  readonly contextLength: number;
  /** Defaults to the shape's. */
  readonly tied?: boolean;
  /** Stops the writing; no file is left. */
  readonly signal?: AbortSignal;
}

export interface RandomLoraOptions {
  /** The shape of the model it is for. */
  readonly shape: Qwen3Shape;
  readonly rank: number;
  /** llama.cpp multiplies the adapter's output by alpha / rank. */
  readonly alpha: number;
  /** Standard deviation of what the adapter adds for inputs of deviation 1, before alpha / rank; 0 changes nothing. */
  readonly scale: number;
  readonly seed: number;
}

/** llama.cpp's `general.file_type` of each type. */
const FILE_TYPES: Record<TensorType, number> = { f32: 0, f16: 1, q8_0: 7 };

/** Deviation of the logits: near-uniform at temperature 1, so that all tokens, the end too, get their turn. */
const LOGIT_DEVIATION = 0.5;

/**
 * Writes a model that llama.cpp loads as Qwen3. Memory stays at some MiB whatever the shape.
 * @returns the numbers of the model and the bytes of the file
 * @throws LseError for a shape or a number that no such model can have, or a file that cannot be written
 */
export async function writeRandomModel(
  path: string,
  options: RandomModelOptions,
): Promise<{ parameters: number; bytes: number }> {
  const { shape, type, seed, contextLength, signal } = options;
  checkShape(shape, type);
  checkWhole("the seed", seed, 0);
  checkWhole("the context length", contextLength, 1);
  const tokenizer = await tokenizerOf(options.tokenizer);
  const metadata: GgufMetadata = {
    "general.architecture": string("qwen3"),
    "general.type": string("model"),
    "general.name": string(`random Qwen3, seed ${seed}`),
    "general.file_type": u32(FILE_TYPES[type]),
    "general.quantization_version": u32(2),
    "qwen3.block_count": u32(shape.layers),
    "qwen3.context_length": u32(contextLength),
    "qwen3.embedding_length": u32(shape.embedding),
    "qwen3.feed_forward_length": u32(shape.feedForward),
    "qwen3.attention.head_count": u32(shape.heads),
    "qwen3.attention.head_count_kv": u32(shape.kvHeads),
    "qwen3.attention.key_length": u32(shape.headDim),
    "qwen3.attention.value_length": u32(shape.headDim),
    "qwen3.attention.layer_norm_rms_epsilon": f32(1e-6),
    "qwen3.rope.freq_base": f32(1e6),
    ...tokenizer.metadata,
  };
  const tied = options.tied ?? shape.tied ?? true;
  const tensors = modelTensors({ ...shape, tied }, type, seed, tokenizer.vocabulary);
  const { bytes } = await writeGguf(path, metadata, tensors, signal);
  return { parameters: countParameters({ ...shape, tied }, tokenizer.vocabulary), bytes };
}

/**
 * Writes a LoRA adapter on all seven matrices of every layer.
 * @throws LseError for a shape or a number that no such adapter can have, or a file that cannot be written
 */
export async function writeRandomLora(path: string, options: RandomLoraOptions): Promise<{ bytes: number }> {
  const { shape, rank, alpha, scale, seed } = options;
  checkShape(shape, "f32");
  checkWhole("the rank", rank, 1);
  checkWhole("the seed", seed, 0);
  for (const [what, value] of Object.entries({ alpha, scale }))
    if (!Number.isFinite(value)) throw new LseError(`${what} is ${value}`, "Give a finite number");
  const metadata: GgufMetadata = {
    "general.architecture": string("qwen3"),
    "general.type": string("adapter"),
    "general.name": string(basename(path, ".gguf")),
    "adapter.type": string("lora"),
    "adapter.lora.alpha": f32(alpha),
  };
  const tensors = layerMatrices(shape).flatMap(({ name, rows, columns }) => [
    gaussianTensor(`${name}.lora_a`, [columns, rank], "f32", 1 / Math.sqrt(columns), seed),
    gaussianTensor(`${name}.lora_b`, [rank, rows], "f32", scale / Math.sqrt(rank), seed),
  ]);
  return await writeGguf(path, metadata, tensors);
}

async function tokenizerOf(tokenizer: RandomModelOptions["tokenizer"]): Promise<TokenizerMetadata> {
  if (tokenizer === "qwen") return await qwenTokenizer();
  return tokenizer === "small" ? smallTokenizer() : tokenizer;
}

/** The numbers of a model of this shape with a vocabulary of so many tokens. */
export function countParameters(shape: Qwen3Shape, vocabulary: number): number {
  return modelTensors(shape, "f32", 0, vocabulary)
    .map((tensor) => tensor.shape.reduce((product, size) => product * size))
    .reduce((sum, count) => sum + count);
}

/** @throws LseError naming the size that llama.cpp, or the type, cannot hold */
function checkShape(shape: Qwen3Shape, type: TensorType): void {
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
  if (type !== "q8_0") return;
  for (const [name, row] of Object.entries({ embedding, feedForward, "heads × headDim": heads * headDim }))
    if (row % Q8_BLOCK !== 0)
      throw new LseError(
        `${name} is ${row}, but q8_0 stores rows in blocks of ${Q8_BLOCK} numbers`,
        `Choose a multiple of ${Q8_BLOCK}, or type f16`,
      );
}

function checkWhole(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least)
    throw new LseError(`${name} is ${value}`, `Give a whole number from ${least}`);
}

interface Matrix {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
}

/** The matrices that adapters are for, by llama.cpp's names. */
function layerMatrices({ layers, embedding, heads, kvHeads, headDim, feedForward }: Qwen3Shape): Matrix[] {
  return Array.from({ length: layers }, (_, layer) => [
    { name: `blk.${layer}.attn_q.weight`, rows: heads * headDim, columns: embedding },
    { name: `blk.${layer}.attn_k.weight`, rows: kvHeads * headDim, columns: embedding },
    { name: `blk.${layer}.attn_v.weight`, rows: kvHeads * headDim, columns: embedding },
    { name: `blk.${layer}.attn_output.weight`, rows: embedding, columns: heads * headDim },
    { name: `blk.${layer}.ffn_gate.weight`, rows: feedForward, columns: embedding },
    { name: `blk.${layer}.ffn_up.weight`, rows: feedForward, columns: embedding },
    { name: `blk.${layer}.ffn_down.weight`, rows: embedding, columns: feedForward },
  ]).flat();
}

function modelTensors(shape: Qwen3Shape, type: TensorType, seed: number, vocabulary: number): GgufTensor[] {
  const { layers, embedding, headDim, tied = true } = shape;
  // The last norm leaves numbers of size 1, so this deviation of a row is the logits' over its root.
  const logitWeights = LOGIT_DEVIATION / Math.sqrt(embedding);
  const tokens = ["token_embd.weight", ...(tied ? [] : ["output.weight"])];
  return [
    ...tokens.map((name) => gaussianTensor(name, [embedding, vocabulary], type, logitWeights, seed)),
    ones("output_norm.weight", embedding),
    ...Array.from({ length: layers }, (_, layer) => [
      ones(`blk.${layer}.attn_norm.weight`, embedding),
      ones(`blk.${layer}.attn_q_norm.weight`, headDim),
      ones(`blk.${layer}.attn_k_norm.weight`, headDim),
      ones(`blk.${layer}.ffn_norm.weight`, embedding),
    ]).flat(),
    ...layerMatrices(shape).map(({ name, rows, columns }) =>
      gaussianTensor(name, [columns, rows], type, 1 / Math.sqrt(columns), seed),
    ),
  ];
}

function ones(name: string, size: number): GgufTensor {
  return { name, shape: [size], type: "f32", data: () => new Float32Array(size).fill(1) };
}

/** Seeded by the seed and the tensor's name, so that a tensor does not depend on the ones before it. */
function gaussianTensor(
  name: string,
  shape: [columns: number, rows: number],
  type: TensorType,
  deviation: number,
  seed: number,
): GgufTensor {
  return { name, shape, type, data: () => gaussians(`${seed}/${name}`, shape[0] * shape[1], deviation) };
}

/** Chunks of one buffer, overwritten by the next. */
function* gaussians(seed: string, count: number, deviation: number): Generator<Float32Array> {
  const chunk = new Float32Array(Math.min(count, 1 << 20));
  const state = createHash("sha256").update(seed).digest();
  const random = new Int32Array(state.buffer.slice(state.byteOffset, state.byteOffset + 16));
  for (let left = count; left > 0; left -= chunk.length) {
    const part = chunk.subarray(0, left);
    fillGaussians(part, random, deviation);
    yield part;
  }
}

/**
 * Sums of four uniform 16-bit numbers: within 3.5 deviations near enough to a Gaussian, and free of Math.log and
 * Math.cos, whose last bits differ between platforms. The bits come from xoshiro128** (Blackman and Vigna,
 * https://prng.di.unimi.it/xoshiro128starstar.c), inlined because pure-rand took twice as long, which counts at
 * the billions of numbers of a large model.
 */
function fillGaussians(out: Float32Array, state: Int32Array, deviation: number): void {
  const scale = deviation * Math.sqrt(3 / (65536 ** 2 - 1));
  let [a = 0, b = 0, c = 0, d = 0] = state;
  for (let i = 0; i < out.length; i++) {
    let sum = -2 * 65535;
    for (let draw = 0; draw < 2; draw++) {
      const product = Math.imul(b, 5);
      const bits = Math.imul((product << 7) | (product >>> 25), 9);
      const shifted = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= shifted;
      d = (d << 11) | (d >>> 21);
      sum += (bits >>> 16) + (bits & 0xffff);
    }
    out[i] = sum * scale;
  }
  state.set([a, b, c, d]);
}
