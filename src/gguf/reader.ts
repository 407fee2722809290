/** Reads numbers out of GGUF files. */
import { type FileHandle, open } from "node:fs/promises";
import { GgmlType } from "node-llama-cpp";
import { LseError } from "../errors.js";
import { BF16, F16, halfValue } from "./halves.js";
import { type GgufHeader, readHeader, type TensorInfo } from "./header.js";
import { partsOf } from "./parts.js";
import { Q8_BLOCK } from "./writer.js";

/** A tensor, and which of the model's files it is in, from 0. */
export interface PlacedTensor extends TensorInfo {
  readonly part: number;
}

/** A model's files, open: one, or all parts of a split one. */
export class GgufReader implements AsyncDisposable {
  /** @throws LseError for a file that is none, and for a model of which a part is missing */
  static async open(path: string): Promise<GgufReader> {
    const parts = partsOf(path);
    const headers = parts.map(readHeader);
    const files: FileHandle[] = [];
    for (const part of parts) files.push(await open(part, "r"));
    return new GgufReader(path, headers, files);
  }

  readonly tensors: readonly PlacedTensor[];
  readonly #metadata: GgufHeader["metadata"];

  private constructor(
    readonly path: string,
    headers: readonly GgufHeader[],
    private readonly files: readonly FileHandle[],
  ) {
    this.tensors = headers.flatMap(({ tensors }, part) => tensors.map((tensor) => ({ ...tensor, part })));
    this.#metadata = headers[0]?.metadata ?? new Map();
  }

  /** How many files the model is in. */
  get parts(): number {
    return this.files.length;
  }

  /** The value under a dotted key, such as `qwen2.block_count`; undefined where there is none. */
  value(key: string): unknown {
    return this.#metadata.get(key);
  }

  /** @throws LseError where there is no such number */
  number(key: string): number {
    const value = Number(this.value(key) ?? Number.NaN);
    if (Number.isFinite(value)) return value;
    throw new LseError(
      `${this.path}: the metadata have no number ${key}`,
      "Take a file that llama.cpp loads",
    );
  }

  /** A size that can be computed with. @throws LseError where there is none from 1 to a million */
  size(key: string): number {
    const value = this.number(key);
    if (Number.isInteger(value) && value >= 1 && value <= MOST_SIZE) return value;
    throw new LseError(
      `${this.path}: ${key} is ${value}, which no model has`,
      "The file is damaged: take another one",
    );
  }

  /**
   * The numbers of a tensor, as they lie there.
   * @param others decodes types that are not f32, f16, bf16 or q8_0
   * @throws LseError for one that is cut off, or of a type that none of them decodes
   */
  async read(
    { name, dimensions, type, offset, part }: PlacedTensor,
    others?: DecoderOf,
  ): Promise<Float32Array> {
    const decoder = DECODERS[type] ?? others?.(type);
    if (decoder === undefined)
      throw new LseError(
        `${this.path}: tensor ${name} is of type ${GgmlType[type] ?? type}, which cannot be turned into numbers here`,
        "Take the model's F16, BF16, F32 or Q8_0 file",
      );
    const count = dimensions.reduce((product, size) => product * size, 1);
    const bytes = new Uint8Array((count / decoder.block) * decoder.bytes);
    const { bytesRead = 0 } = (await this.files[part]?.read(bytes, 0, bytes.length, offset)) ?? {};
    if (bytesRead < bytes.length)
      throw new LseError(`${this.path}: ends within tensor ${name}`, "Copy or download the file again");
    return decoder.decode(bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.files) await file.close();
  }
}

const MOST_SIZE = 1e6;

/** How numbers of a type lie in a file. */
export interface Decoder {
  /** Numbers that are stored together, and the bytes they take. */
  readonly block: number;
  readonly bytes: number;
  decode(bytes: Uint8Array): Float32Array;
}

/** The decoder of a type, by ggml's number of it; undefined where there is none. */
export type DecoderOf = (type: number) => Decoder | undefined;

/** Whether a type needs a decoder of somebody else's: llama.cpp has one for each (runtime/llama/ggml.ts). */
export const isQuantised = ({ type }: TensorInfo): boolean => DECODERS[type] === undefined;

/** ggml's formats (ggml-common.h); little-endian, as the machine is. */
const DECODERS: { readonly [type: number]: Decoder } = {
  [GgmlType.F32]: { block: 1, bytes: 4, decode: (bytes) => new Float32Array(bytes.buffer) },
  [GgmlType.F16]: { block: 1, bytes: 2, decode: (bytes) => F16(bytes.buffer) },
  [GgmlType.BF16]: { block: 1, bytes: 2, decode: (bytes) => BF16(bytes.buffer) },
  [GgmlType.Q8_0]: { block: Q8_BLOCK, bytes: 2 + Q8_BLOCK, decode: decodeQ8 },
};

function decodeQ8(bytes: Uint8Array): Float32Array {
  const step = 2 + Q8_BLOCK;
  const values = new Float32Array((bytes.length / step) * Q8_BLOCK);
  const signed = new Int8Array(bytes.buffer);
  for (let from = 0, to = 0; from < bytes.length; from += step) {
    const scale = halfValue((bytes[from] as number) | ((bytes[from + 1] as number) << 8));
    for (let i = 2; i < step; i++) values[to++] = scale * (signed[from + i] as number);
  }
  return values;
}
