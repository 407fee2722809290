/** Qwen models and adapters as the trainer takes them: sizes and numbers. */
import { LseError } from "../errors.js";
import { NORM_EPSILON, type QwenFamily, type QwenShape, qwenParameters } from "./qwen-layout.js";
import { type DecoderOf, GgufReader, isQuantised } from "./reader.js";

export interface ModelSizes {
  readonly family: QwenFamily;
  readonly shape: QwenShape;
  readonly vocabulary: number;
  readonly contextLength: number;
}

/** A model's sizes and all its numbers. */
export interface ReadModel extends ModelSizes {
  /** By llama.cpp's names, row-major. */
  readonly parameters: Readonly<Record<string, Float32Array>>;
}

/**
 * The sizes of a GGUF of Qwen2 or Qwen3, without its weights.
 * @throws LseError for a file that is none, or of another architecture
 */
export async function readSizes(path: string): Promise<ModelSizes> {
  await using file = await GgufReader.open(path);
  return sizesOf(file);
}

/** Whether `readModel` needs decoders to read this GGUF. @throws LseError for a file that is none */
export async function needsDecoders(path: string): Promise<boolean> {
  await using file = await GgufReader.open(path);
  return file.tensors.some(isQuantised);
}

/**
 * Reads a GGUF of Qwen2 or Qwen3, whole, as float32: four bytes a parameter.
 * @param decoders of quantised weights, such as llama.cpp's; f32, f16, bf16 and q8_0 need none
 * @throws LseError for a file that is none, of another architecture, or with weights in a type that cannot be read
 */
export async function readModel(path: string, decoders?: DecoderOf): Promise<ReadModel> {
  await using file = await GgufReader.open(path);
  const sizes = sizesOf(file);
  const tensors = new Map(file.tensors.map((tensor) => [tensor.name, tensor]));
  const parameters: Record<string, Float32Array> = {};
  for (const { name, dims } of qwenParameters(sizes.family, sizes.shape, sizes.vocabulary)) {
    const tensor = tensors.get(name);
    if (tensor?.dimensions.toReversed().join() !== dims.join())
      throw new LseError(
        `${path}: tensor ${name} is missing or not of ${dims.join(" × ")} numbers`,
        "The file is damaged, or of an unusual make: take another one",
      );
    parameters[name] = await file.read(tensor, decoders);
  }
  return { ...sizes, parameters };
}

export interface ReadLora {
  readonly family: QwenFamily;
  readonly rank: number;
  readonly alpha: number;
  /** By the matrix's name with `.lora_a` [rank, in] or `.lora_b` [out, rank], row-major. */
  readonly tensors: Readonly<
    Record<string, { readonly shape: readonly number[]; readonly values: Float32Array }>
  >;
}

/** Reads a LoRA adapter for Qwen2 or Qwen3. @throws LseError for a file that is none */
export async function readLora(path: string): Promise<ReadLora> {
  await using file = await GgufReader.open(path);
  const family = familyOf(file);
  const first = file.tensors.find(({ name }) => name.endsWith(".lora_a"));
  if (file.value("adapter.type") !== "lora" || first === undefined)
    throw new LseError(`${path}: not a LoRA adapter`, "Give an adapter that `lse train` has written");
  const tensors: Record<string, ReadLora["tensors"][string]> = {};
  for (const tensor of file.tensors)
    tensors[tensor.name] = {
      shape: tensor.dimensions.toReversed(),
      values: await file.read(tensor),
    };
  return { family, rank: first.dimensions[1] ?? 0, alpha: file.number("adapter.lora.alpha"), tensors };
}

function sizesOf(file: GgufReader): ModelSizes {
  const family = familyOf(file);
  const tensor = (name: string) => file.tensors.find((each) => each.name === name);
  const shape = shapeOf(file, family, tensor("output.weight") === undefined);
  const vocabulary = tensor("token_embd.weight")?.dimensions[1] ?? 0;
  if (shape.layers > file.tensors.length)
    throw new LseError(
      `${file.path}: ${family}.block_count is ${shape.layers}, and the file has ${file.tensors.length} tensors`,
      "The file is damaged: take another one",
    );
  return { family, shape, vocabulary, contextLength: file.number(`${family}.context_length`) };
}

function familyOf(file: GgufReader): QwenFamily {
  const family = file.value("general.architecture");
  if (family === "qwen2" || family === "qwen3") return family;
  throw new LseError(
    `${file.path}: the trainer knows qwen2 and qwen3, not ${family}`,
    "Take a model of one of these families",
  );
}

function shapeOf(file: GgufReader, family: QwenFamily, tied: boolean): QwenShape {
  const size = (key: string) => file.size(`${family}.${key}`);
  const epsilon = file.number(`${family}.attention.layer_norm_rms_epsilon`);
  if (Math.abs(epsilon / NORM_EPSILON - 1) > 1e-3)
    throw new LseError(
      `${file.path}: attention.layer_norm_rms_epsilon is ${epsilon}; the trainer computes with ${NORM_EPSILON}`,
      "Take another model",
    );
  const [heads, embedding] = [size("attention.head_count"), size("embedding_length")];
  const headDim = `${family}.attention.key_length`;
  return {
    layers: size("block_count"),
    embedding,
    heads,
    tied,
    ropeBase: file.number(`${family}.rope.freq_base`),
    kvHeads: size("attention.head_count_kv"),
    headDim: file.value(headDim) === undefined ? embedding / heads : file.size(headDim),
    feedForward: size("feed_forward_length"),
  };
}
