/** Trained parameters as files that llama.cpp loads. */
import { LseError } from "../errors.js";
import {
  adapterMetadata,
  adapterParameters,
  checkShape,
  checkWhole,
  ggufTensor,
  layerMatrices,
  modelMetadata,
  type QwenFamily,
  type QwenParameter,
  type QwenShape,
  qwenParameters,
} from "./qwen-layout.js";
import type { TokenizerMetadata } from "./tokenizer.js";
import { type GgufMetadata, type TensorType, writeGguf } from "./writer.js";

/** What a model file says of itself, and its weights. */
export interface TrainedModelOptions {
  readonly family: QwenFamily;
  readonly shape: QwenShape;
  /** By llama.cpp's names, row-major; the trainer's are. Others, such as an adapter's, are left out. */
  readonly parameters: Readonly<Record<string, Float32Array>>;
  /** What matrices are stored as; vectors are always f32. */
  readonly type: TensorType;
  readonly tokenizer: TokenizerMetadata;
  /** The model's name in the file. */
  readonly name: string;
  /** The longest context the file claims, in tokens. */
  readonly contextLength: number;
  /** More entries, such as `general.license`. */
  readonly metadata?: GgufMetadata;
}

/**
 * Writes a model. llama.cpp turns the numbers i and i + headDim/2 of a head together in both families, as the
 * trainer does: nothing is permuted.
 * @returns the bytes of the file
 * @throws LseError for parameters that are missing or do not fit the shape, or a file that cannot be written
 */
export async function writeTrainedModel(
  path: string,
  options: TrainedModelOptions,
): Promise<{ bytes: number }> {
  const { family, shape, parameters, type, tokenizer, name, contextLength } = options;
  checkShape(family, shape, type);
  checkWhole("the context length", contextLength, 1);
  const metadata = {
    ...modelMetadata(family, shape, { name, type, contextLength }),
    ...options.metadata,
    ...tokenizer.metadata,
  };
  const tensors = qwenParameters(family, shape, tokenizer.vocabulary).map((parameter) => {
    const values = fitting(parameter, parameters);
    return ggufTensor(parameter, type, () => values);
  });
  return await writeGguf(path, metadata, tensors);
}

/** What a LoRA adapter is for and what is in it. */
export interface LoraFileOptions {
  /** Of the model that it is for. */
  readonly family: QwenFamily;
  readonly shape: QwenShape;
  readonly rank: number;
  readonly alpha: number;
  /** Names end in `.lora_a` and `.lora_b`; matrices without them are left as they are. Others are left out. */
  readonly parameters: Readonly<Record<string, Float32Array>>;
  readonly name: string;
}

/**
 * Writes an adapter, in f32.
 * @returns the bytes of the file
 * @throws LseError for an adapter without matrices, or with those of other sizes
 */
export async function writeLora(path: string, options: LoraFileOptions): Promise<{ bytes: number }> {
  const { family, shape, rank, alpha, parameters, name } = options;
  checkShape(family, shape, "f32");
  checkWhole("the rank", rank, 1);
  const tensors = layerMatrices(shape)
    .flatMap((matrix) => adapterParameters(matrix, rank))
    .filter((parameter) => parameter.name in parameters)
    .map((parameter) => {
      const values = fitting(parameter, parameters);
      return ggufTensor(parameter, "f32", () => values);
    });
  if (tensors.length === 0)
    throw new LseError("there is no adapter among the parameters", "Give those of a trainer with lora");
  return await writeGguf(path, adapterMetadata(family, name, alpha), tensors);
}

function fitting(
  { name, dims }: QwenParameter,
  parameters: Readonly<Record<string, Float32Array>>,
): Float32Array {
  const [rows, columns = 1] = dims;
  const values = parameters[name];
  if (values?.length === rows * columns) return values;
  throw new LseError(
    values === undefined
      ? `parameter ${name} is missing`
      : `parameter ${name} has ${values.length} numbers, not ${rows * columns}`,
    "Give the parameters of a model of this family, shape and vocabulary",
  );
}
