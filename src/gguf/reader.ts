/** Reads numbers out of GGUF files. */
import { type FileHandle, open } from "node:fs/promises";
import { GgmlType, type GgufTensorInfo, readGgufFileInfo } from "node-llama-cpp";
import { LseError } from "../errors.js";
import { BF16, F16, halfValue } from "./halves.js";
import { Q8_BLOCK } from "./writer.js";

export class GgufReader implements AsyncDisposable {
  /** @throws LseError for a file that is none */
  static async open(path: string): Promise<GgufReader> {
    try {
      const info = await readGgufFileInfo(path, { sourceType: "filesystem", logWarnings: false });
      return new GgufReader(path, info.metadata as never, info.tensorInfo ?? [], await open(path, "r"));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new LseError(`${path}: not a readable GGUF file (${why})`, "Check the path, or copy it again", {
        cause,
      });
    }
  }

  private constructor(
    readonly path: string,
    private readonly metadata: Readonly<Record<string, unknown>>,
    readonly tensors: readonly GgufTensorInfo[],
    private readonly file: FileHandle,
  ) {}

  /** The value under a dotted key, such as `qwen2.block_count`; undefined where there is none. */
  value(key: string): unknown {
    return key
      .split(".")
      .reduce<unknown>((part, name) => (part as Record<string, unknown> | undefined)?.[name], this.metadata);
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

  /**
   * The numbers of a tensor, as they lie there.
   * @throws LseError for one that is cut off, or of a type that is not f32, f16, bf16 or q8_0
   */
  async read({ name, dimensions, ggmlType, fileOffset }: GgufTensorInfo): Promise<Float32Array> {
    const decoder = DECODERS[ggmlType];
    if (decoder === undefined)
      throw new LseError(
        `${this.path}: tensor ${name} is of type ${GgmlType[ggmlType]}, which training cannot start from`,
        "Take the model's F16, BF16, F32 or Q8_0 file",
      );
    const count = dimensions.reduce<number>((product, size) => product * Number(size), 1);
    const bytes = new Uint8Array((count / decoder.block) * decoder.bytes);
    const { bytesRead } = await this.file.read(bytes, 0, bytes.length, Number(fileOffset));
    if (bytesRead < bytes.length)
      throw new LseError(`${this.path}: ends within tensor ${name}`, "Copy or download the file again");
    return decoder.decode(bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.file.close();
  }
}

interface Decoder {
  /** Numbers that are stored together, and the bytes they take. */
  readonly block: number;
  readonly bytes: number;
  decode(bytes: Uint8Array): Float32Array;
}

/** ggml's formats (ggml-common.h); little-endian, as the machine is. */
const DECODERS: { readonly [Type in GgufTensorInfo["ggmlType"]]?: Decoder } = {
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
