/** A Qwen model's file as the trainer takes it: sizes and numbers. */
import { open } from "node:fs/promises";
import { GgmlType, type GgufTensorInfo, readGgufFileInfo } from "node-llama-cpp";
import { LseError } from "../../errors.js";
import { NORM_EPSILON, type QwenFamily, type QwenShape, qwenParameters, ROPE_BASE } from "./qwen-layout.js";
import { Q8_BLOCK } from "./writer.js";

export interface ReadModel {
  readonly family: QwenFamily;
  readonly shape: QwenShape;
  readonly vocabulary: number;
  readonly contextLength: number;
  /** By llama.cpp's names, row-major. */
  readonly parameters: Readonly<Record<string, Float32Array>>;
}

/**
 * Reads a GGUF of Qwen2 or Qwen3, whole, as float32: four bytes a parameter.
 * @throws LseError for a file that is none, of another architecture, or with weights in a type that cannot be read
 */
export async function readModel(path: string): Promise<ReadModel> {
  const info = await readGgufFileInfo(path, { sourceType: "filesystem", logWarnings: false }).catch(
    (cause) => {
      throw new LseError(`${path}: not a readable GGUF file (${cause})`, "Check the path, or copy it again", {
        cause,
      });
    },
  );
  const metadata = info.metadata as unknown as Record<string, Record<string, unknown> | undefined>;
  const family = String(metadata.general?.architecture);
  if (family !== "qwen2" && family !== "qwen3")
    throw new LseError(
      `${path}: the trainer knows qwen2 and qwen3, not ${family}`,
      "Take a model of one of these families",
    );
  const tensors = new Map((info.tensorInfo ?? []).map((tensor) => [tensor.name, tensor]));
  const { shape, contextLength } = sizesOf(path, metadata[family] ?? {}, !tensors.has("output.weight"));
  const embedding = tensors.get("token_embd.weight");
  const vocabulary = Number(embedding?.dimensions[1] ?? 0);

  const file = await open(path, "r");
  try {
    const parameters: Record<string, Float32Array> = {};
    for (const { name, dims } of qwenParameters(family, shape, vocabulary)) {
      const tensor = tensors.get(name);
      const count = dims.reduce<number>((product, size) => product * size, 1);
      if (
        tensor === undefined ||
        tensor.dimensions.reduce<number>((product, n) => product * Number(n), 1) !== count
      )
        throw new LseError(
          `${path}: tensor ${name} is missing or not of ${count} numbers`,
          "The file is damaged, or of an unusual make: take another one",
        );
      const decoder = DECODERS[tensor.ggmlType];
      if (decoder === undefined)
        throw new LseError(
          `${path}: tensor ${name} is of type ${GgmlType[tensor.ggmlType]}, which training cannot start from`,
          "Take the model's F16, BF16, F32 or Q8_0 file",
        );
      const bytes = new Uint8Array((count / decoder.block) * decoder.bytes);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, Number(tensor.fileOffset));
      if (bytesRead < bytes.length)
        throw new LseError(`${path}: ends within tensor ${name}`, "Copy or download the file again");
      parameters[name] = decoder.decode(bytes);
    }
    return { family, shape, vocabulary, contextLength, parameters };
  } finally {
    await file.close();
  }
}

function sizesOf(path: string, about: Record<string, unknown>, tied: boolean) {
  const number = (section: string | null, key: string): number => {
    const values = (section === null ? about : about[section]) as Record<string, unknown> | undefined;
    const value = Number(values?.[key]);
    if (Number.isFinite(value)) return value;
    const name = [section, key].filter((part) => part !== null).join(".");
    throw new LseError(`${path}: the metadata have no ${name}`, "Take a model file that llama.cpp loads");
  };
  const expect = (name: string, found: number, wanted: number) => {
    if (Math.abs(found / wanted - 1) > 1e-3)
      throw new LseError(
        `${path}: ${name} is ${found}; the trainer computes with ${wanted}`,
        "Take another model",
      );
  };
  expect("rope.freq_base", number("rope", "freq_base"), ROPE_BASE);
  expect("layer_norm_rms_epsilon", number("attention", "layer_norm_rms_epsilon"), NORM_EPSILON);
  const heads = number("attention", "head_count");
  const embedding = number(null, "embedding_length");
  const attention = about.attention as Record<string, unknown>;
  const shape = {
    ...{ layers: number(null, "block_count"), embedding, heads, tied },
    kvHeads: number("attention", "head_count_kv"),
    headDim: Number(attention.key_length ?? embedding / heads),
    feedForward: number(null, "feed_forward_length"),
  };
  return { shape, contextLength: number(null, "context_length") };
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
  [GgmlType.F16]: {
    ...{ block: 1, bytes: 2 },
    decode: (bytes) => Float32Array.from(new Uint16Array(bytes.buffer), (half) => HALVES[half] as number),
  },
  [GgmlType.BF16]: {
    ...{ block: 1, bytes: 2 },
    decode: (bytes) =>
      new Float32Array(Uint32Array.from(new Uint16Array(bytes.buffer), (bits) => bits << 16).buffer),
  },
  [GgmlType.Q8_0]: { block: Q8_BLOCK, bytes: 2 + Q8_BLOCK, decode: decodeQ8 },
};

function decodeQ8(bytes: Uint8Array): Float32Array {
  const step = 2 + Q8_BLOCK;
  const values = new Float32Array((bytes.length / step) * Q8_BLOCK);
  const signed = new Int8Array(bytes.buffer);
  for (let from = 0, to = 0; from < bytes.length; from += step) {
    const scale = HALVES[(bytes[from] as number) | ((bytes[from + 1] as number) << 8)] as number;
    for (let i = 2; i < step; i++) values[to++] = scale * (signed[from + i] as number);
  }
  return values;
}

/** The value of each half-precision number, by its bits. */
const HALVES = Float32Array.from({ length: 1 << 16 }, (_, bits) => {
  const exponent = (bits >>> 10) & 31;
  const mantissa = bits & 1023;
  const size =
    exponent === 0
      ? mantissa * 2 ** -24
      : exponent === 31
        ? mantissa === 0
          ? Number.POSITIVE_INFINITY
          : Number.NaN
        : (1 + mantissa / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -size : size;
});
