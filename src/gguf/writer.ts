/**
 * Writes GGUF version 3, the file format of llama.cpp: typed metadata, a table of tensors, their data.
 *
 * Sources: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md for the layout;
 * `ggml_compute_fp32_to_fp16` and `quantize_row_q8_0_ref` of ggml for the rounding.
 * Typed arrays are copied as they lie in memory, so a little-endian machine is assumed (every platform that
 * node-llama-cpp ships for is one).
 */
import { randomUUID } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { LseError } from "../errors.js";

/** Tensor data and the table of offsets are padded to this many bytes. */
const ALIGNMENT = 32;
/** Numbers encoded and written at a time: 4 MiB of float32. A multiple of the q8_0 block. */
const CHUNK = 1 << 20;
/** Numbers that share one scale in q8_0. */
export const Q8_BLOCK = 32;
/** ggml keeps names in 64 bytes, the last one zero. */
const MAX_NAME_BYTES = 63;

export type TensorType = "f32" | "f16" | "q8_0";

/** ggml's number of each type, and the bytes that `block` numbers take in it. */
const tensorTypes: Record<TensorType, { id: number; block: number; bytes: number }> = {
  f32: { id: 0, block: 1, bytes: 4 },
  f16: { id: 1, block: 1, bytes: 2 },
  q8_0: { id: 8, block: Q8_BLOCK, bytes: 2 + Q8_BLOCK },
};

/** GGUF's number of each metadata type. */
const valueTypes = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9, u64: 10 } as const;

/** One metadata value with the type it is stored as. */
export type GgufValue =
  | { type: "u32" | "i32" | "f32"; value: number }
  | { type: "u64"; value: bigint }
  | { type: "bool"; value: boolean }
  | { type: "string"; value: string }
  | { type: "array"; of: "string"; value: readonly string[] }
  | { type: "array"; of: "u32" | "i32" | "f32"; value: readonly number[] };

/** Metadata by key, stored in the order of insertion. */
export type GgufMetadata = Readonly<Record<string, GgufValue>>;

/** An array of a GGUF file: its name, its dimensions, and its numbers when they are asked for. */
export interface GgufTensor {
  readonly name: string;
  /** In ggml's order: the innermost, contiguous dimension first. */
  readonly shape: readonly number[];
  /** What it is stored as. */
  readonly type: TensorType;
  /**
   * Makes the numbers, called once when their turn comes. A large tensor comes as an iterable of chunks, so that
   * it never lies in memory whole: each but the last a multiple of 32 numbers long. The buffer of a chunk may be
   * used again for the next.
   */
  readonly data: () => Float32Array | Iterable<Float32Array>;
}

export const u32 = (value: number): GgufValue => ({ type: "u32", value });
export const f32 = (value: number): GgufValue => ({ type: "f32", value });
export const bool = (value: boolean): GgufValue => ({ type: "bool", value });
export const string = (value: string): GgufValue => ({ type: "string", value });
export const strings = (value: readonly string[]): GgufValue => ({ type: "array", of: "string", value });
export const i32s = (value: readonly number[]): GgufValue => ({ type: "array", of: "i32", value });

/**
 * Writes the file under a temporary name beside `path` and renames it at the end: under `path` there is either
 * what was there before or the whole file. An error or an aborted signal removes the temporary file.
 *
 * @returns the size of the file in bytes
 * @throws LseError when the file cannot be written or a q8_0 tensor has rows that are not whole blocks
 */
export async function writeGguf(
  path: string,
  metadata: GgufMetadata,
  tensors: readonly GgufTensor[],
  signal?: AbortSignal,
): Promise<{ bytes: number }> {
  const header = encodeHeader(metadata, tensors);
  const partial = `${path}.${randomUUID().slice(0, 8)}.part`;
  try {
    const file = await open(partial, "wx");
    let bytes = header.length;
    try {
      await writeAll(file, header);
      for (const tensor of tensors) bytes += await writeTensor(file, tensor, signal);
    } finally {
      await file.close();
    }
    await rename(partial, path);
    return { bytes };
  } catch (error) {
    await rm(partial, { force: true });
    if (!isSystemError(error)) throw error;
    throw new LseError(
      `cannot write ${path} (${error.code})`,
      "Name a file in an existing, writable folder with enough space",
      { cause: error },
    );
  }
}

/** Bytes of the tensor's data without padding. */
export function tensorBytes({ name, shape, type }: Pick<GgufTensor, "name" | "shape" | "type">): number {
  const { block, bytes } = tensorTypes[type];
  const row = shape[0] ?? 0;
  if (row % block !== 0)
    throw new LseError(
      `tensor ${name} has rows of ${row} numbers, which ${type} cannot hold`,
      `Choose a multiple of ${block}, or type f16`,
    );
  return (numberCount(shape) / block) * bytes;
}

/** Numbers as the bytes ggml stores for them; `values` must be whole blocks of the type. */
export function encodeTensor(type: TensorType, values: Float32Array): Uint8Array {
  if (type === "f32") return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return type === "f16" ? encodeF16(values) : encodeQ8(values);
}

function encodeF16(values: Float32Array): Uint8Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) halves[i] = halfBits(bits[i] as number);
  return new Uint8Array(halves.buffer);
}

/** The bits of the half nearest to a float32 (given as bits), ties to even, beyond the range infinite. */
function halfBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    // A carry out of the mantissa rightly raises the exponent, up to infinity.
    return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  }
  // Subnormal half: the mantissa in units of 2^-24.
  const shift = 126 - (magnitude >>> 23);
  if (shift > 24) return sign;
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const whole = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (rest > half || (rest === half && (whole & 1) === 1) ? whole + 1 : whole);
}

/** Blocks of 32: a half scale, then signed bytes. The bytes are rounded with the scale before it became a half. */
function encodeQ8(values: Float32Array): Uint8Array {
  const blocks = values.length / Q8_BLOCK;
  const out = new Uint8Array(blocks * tensorTypes.q8_0.bytes);
  const scale = new Float32Array(1);
  const scaleBits = new Uint32Array(scale.buffer);
  for (let block = 0, from = 0, to = 0; block < blocks; block++, from += Q8_BLOCK) {
    let largest = 0;
    for (let i = from; i < from + Q8_BLOCK; i++) {
      const size = Math.abs(values[i] as number);
      if (size > largest) largest = size;
    }
    const d = Math.fround(largest / 127);
    const inverse = d === 0 ? 0 : Math.fround(1 / d);
    scale[0] = d;
    const half = halfBits(scaleBits[0] as number);
    out[to++] = half & 0xff;
    out[to++] = half >>> 8;
    for (let i = from; i < from + Q8_BLOCK; i++) {
      const x = Math.fround((values[i] as number) * inverse);
      // Halves go away from zero as in C's roundf; Math.round would send -0.5 up.
      out[to++] = (x < 0 ? x - 0.5 : x + 0.5) | 0;
    }
  }
  return out;
}

function encodeHeader(metadata: GgufMetadata, tensors: readonly GgufTensor[]): Uint8Array {
  const entries = Object.entries(metadata);
  const out = new ByteSink();
  out.bytes(Buffer.from("GGUF"));
  out.scalar("u32", 3);
  out.scalar("u64", BigInt(tensors.length));
  out.scalar("u64", BigInt(entries.length));
  for (const [key, value] of entries) {
    out.scalar("string", key);
    out.scalar("u32", valueTypes[value.type]);
    if (value.type !== "array") {
      out.scalar(value.type, value.value);
      continue;
    }
    out.scalar("u32", valueTypes[value.of]);
    out.scalar("u64", BigInt(value.value.length));
    for (const item of value.value) out.scalar(value.of, item);
  }
  let offset = 0;
  const names = new Set<string>();
  for (const tensor of tensors) {
    checkTensor(tensor, names);
    out.scalar("string", tensor.name);
    out.scalar("u32", tensor.shape.length);
    for (const size of tensor.shape) out.scalar("u64", BigInt(size));
    out.scalar("u32", tensorTypes[tensor.type].id);
    out.scalar("u64", BigInt(offset));
    offset += padded(tensorBytes(tensor));
  }
  out.bytes(Buffer.alloc(padded(out.length) - out.length));
  return out.join();
}

function checkTensor({ name, shape }: GgufTensor, names: Set<string>): void {
  const sizesAreGood = shape.every((size) => Number.isSafeInteger(size) && size > 0);
  if (shape.length < 1 || shape.length > 4 || !sizesAreGood)
    throw new Error(`tensor ${name}: [${shape.join(", ")}] is not a shape of 1 to 4 sizes`);
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) throw new Error(`tensor name ${name} is too long`);
  if (names.has(name)) throw new Error(`tensor ${name} is given twice`);
  names.add(name);
}

async function writeTensor(file: FileHandle, tensor: GgufTensor, signal?: AbortSignal): Promise<number> {
  const data = tensor.data();
  const expected = numberCount(tensor.shape);
  let count = 0;
  for (const part of data instanceof Float32Array ? [data] : data) {
    if (count % Q8_BLOCK !== 0) throw new Error(`tensor ${tensor.name}: an inner chunk is not whole blocks`);
    count += part.length;
    if (count > expected) throw new Error(`tensor ${tensor.name} has more than ${expected} numbers`);
    for (let from = 0; from < part.length; from += CHUNK) {
      signal?.throwIfAborted();
      await writeAll(file, encodeTensor(tensor.type, part.subarray(from, from + CHUNK)));
    }
  }
  if (count !== expected) throw new Error(`tensor ${tensor.name} has ${count} numbers, not ${expected}`);
  const bytes = tensorBytes(tensor);
  await writeAll(file, Buffer.alloc(padded(bytes) - bytes));
  return padded(bytes);
}

/** FileHandle.write may stop short, for instance on a pipe or a full disk. */
async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await file.write(bytes, done)).bytesWritten;
}

const padded = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
const numberCount = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);
const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && "code" in error && "syscall" in error;

/** Little-endian values, one after the other. */
class ByteSink {
  length = 0;
  private readonly parts: Uint8Array[] = [];

  bytes(part: Uint8Array): void {
    this.parts.push(part);
    this.length += part.length;
  }

  scalar(type: Exclude<GgufValue["type"], "array">, value: number | bigint | boolean | string): void {
    if (type === "string") {
      const text = Buffer.from(String(value), "utf8");
      this.scalar("u64", BigInt(text.length));
      this.bytes(text);
      return;
    }
    const part = Buffer.alloc(type === "bool" ? 1 : type === "u64" ? 8 : 4);
    if (type === "bool") part.writeUInt8(value ? 1 : 0);
    else if (type === "u64") part.writeBigUInt64LE(BigInt(value));
    else if (type === "u32") part.writeUInt32LE(Number(value));
    else if (type === "i32") part.writeInt32LE(Number(value));
    else part.writeFloatLE(Number(value));
    this.bytes(part);
  }

  join(): Uint8Array {
    return Buffer.concat(this.parts, this.length);
  }
}
