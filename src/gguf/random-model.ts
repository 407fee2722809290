/**
 * Qwen3 models and LoRA adapters with random weights, of any shape: for tests, for measuring speed at the size
 * of a real model, and for trying the whole program without a download. The same arguments give the same bytes
 * on every platform.
 */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { LseError } from "../errors.js";
import {
  adapterMetadata,
  adapterParameters,
  checkShape,
  checkWhole,
  ggufTensor,
  layerMatrices,
  modelMetadata,
  type QwenParameter,
  type QwenShape,
  qwenParameters,
} from "./qwen-layout.js";
import { qwenTokenizer, smallTokenizer, type TokenizerMetadata } from "./tokenizer.js";
import { type GgufTensor, type TensorType, writeGguf } from "./writer.js";

/** "0.6b", "4b" and "7b" are Qwen3-0.6B, Qwen3-4B and Qwen3-8B; the other two are small ones of the same make. */
export const NAMED_SHAPES = {
  "1m": { layers: 4, embedding: 128, heads: 4, kvHeads: 2, headDim: 32, feedForward: 480, tied: true },
  "25m": { layers: 8, embedding: 512, heads: 8, kvHeads: 4, headDim: 64, feedForward: 1536, tied: true },
  "0.6b": { layers: 28, embedding: 1024, heads: 16, kvHeads: 8, headDim: 128, feedForward: 3072, tied: true },
  "4b": { layers: 36, embedding: 2560, heads: 32, kvHeads: 8, headDim: 128, feedForward: 9728, tied: true },
  "7b": { layers: 36, embedding: 4096, heads: 32, kvHeads: 8, headDim: 128, feedForward: 12288, tied: false },
} as const satisfies Record<string, QwenShape>;

export type ShapeName = keyof typeof NAMED_SHAPES;

export interface RandomModelOptions {
  readonly shape: QwenShape;
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
  readonly shape: QwenShape;
  readonly rank: number;
  /** llama.cpp multiplies the adapter's output by alpha / rank. */
  readonly alpha: number;
  /** Standard deviation of what the adapter adds for inputs of deviation 1, before alpha / rank; 0 changes nothing. */
  readonly scale: number;
  readonly seed: number;
}

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
  checkShape("qwen3", shape, type);
  checkWhole("the seed", seed, 0);
  checkWhole("the context length", contextLength, 1);
  const tokenizer = await tokenizerOf(options.tokenizer);
  const about = { name: `random Qwen3, seed ${seed}`, type, contextLength };
  const metadata = { ...modelMetadata("qwen3", shape, about), ...tokenizer.metadata };
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
  checkShape("qwen3", shape, "f32");
  checkWhole("the rank", rank, 1);
  checkWhole("the seed", seed, 0);
  for (const [what, value] of Object.entries({ alpha, scale }))
    if (!Number.isFinite(value)) throw new LseError(`${what} is ${value}`, "Give a finite number");
  const tensors = layerMatrices(shape).flatMap((matrix) => {
    const [a, b] = adapterParameters(matrix, rank);
    return [
      gaussianTensor(a, "f32", 1 / Math.sqrt(matrix.dims[1]), seed),
      gaussianTensor(b, "f32", scale / Math.sqrt(rank), seed),
    ];
  });
  return await writeGguf(path, adapterMetadata("qwen3", basename(path, ".gguf"), alpha), tensors);
}

async function tokenizerOf(tokenizer: RandomModelOptions["tokenizer"]): Promise<TokenizerMetadata> {
  if (tokenizer === "qwen") return await qwenTokenizer();
  return tokenizer === "small" ? smallTokenizer() : tokenizer;
}

/** The numbers of a Qwen3 model of this shape with a vocabulary of so many tokens. */
export function countParameters(shape: QwenShape, vocabulary: number): number {
  return qwenParameters("qwen3", shape, vocabulary)
    .map(({ dims: [rows, columns = 1] }) => rows * columns)
    .reduce((sum, count) => sum + count);
}

function modelTensors(shape: QwenShape, type: TensorType, seed: number, vocabulary: number): GgufTensor[] {
  // The last norm leaves numbers of size 1, so this deviation of a row is the logits' over its root.
  const logitWeights = LOGIT_DEVIATION / Math.sqrt(shape.embedding);
  return qwenParameters("qwen3", shape, vocabulary).map((parameter) => {
    const [size, columns] = parameter.dims;
    if (columns === undefined) return ggufTensor(parameter, type, () => new Float32Array(size).fill(1));
    const deviation = parameter.kind === "embedding" ? logitWeights : 1 / Math.sqrt(columns);
    return gaussianTensor(parameter, type, deviation, seed);
  });
}

/** Seeded by the seed and the tensor's name, so that a tensor does not depend on the ones before it. */
function gaussianTensor(
  parameter: QwenParameter,
  type: TensorType,
  deviation: number,
  seed: number,
): GgufTensor {
  const { name, dims } = parameter;
  const [rows, columns = 1] = dims;
  return ggufTensor(parameter, type, () => gaussians(`${seed}/${name}`, rows * columns, deviation));
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
