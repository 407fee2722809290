/** A model's file with other weights: everything else, its tokenizer above all, stays as it is. */
import { copyFile, open, rename, rm } from "node:fs/promises";
import { GgmlType } from "node-llama-cpp";
import { LseError } from "../errors.js";
import { GgufReader } from "./reader.js";
import { encodeTensor, type TensorType } from "./writer.js";

const TYPES: { readonly [type: number]: TensorType } = {
  [GgmlType.F32]: "f32",
  [GgmlType.F16]: "f16",
  [GgmlType.Q8_0]: "q8_0",
};

/** The type of a tensor in which no parameters can be written back; null for a file that has none such. */
export async function unwritableType(path: string): Promise<string | null> {
  await using model = await GgufReader.open(path);
  const packed = model.tensors.find(({ type }) => TYPES[type] === undefined);
  return packed === undefined ? null : typeName(packed.type);
}

const typeName = (type: number) => GgmlType[type] ?? `of type ${type}`;

/**
 * Copies the model at `source` to `path` and writes the parameters over its own, in the types that these have there.
 * Under `path` there is either what was there before or the whole file.
 * @param parameters by llama.cpp's names, row-major; tensors that are not among them keep their numbers
 * @throws LseError for a tensor of another size or of a type that cannot be written
 */
export async function writeReweighted(
  path: string,
  source: string,
  parameters: Readonly<Record<string, Float32Array>>,
): Promise<void> {
  await using model = await GgufReader.open(source);
  if (model.parts > 1)
    throw new LseError(
      `${source}: the model is in ${model.parts} files, and new weights are written into one`,
      "Join them with `llama-gguf-split --merge`",
    );
  const partial = `${path}.part`;
  try {
    await copyFile(source, partial);
    await using file = await open(partial, "r+");
    for (const { name, dimensions, type: ggmlType, offset } of model.tensors) {
      const values = parameters[name];
      if (values === undefined) continue;
      const type = TYPES[ggmlType];
      const count = dimensions.reduce((product, size) => product * size, 1);
      if (type === undefined || values.length !== count)
        throw new LseError(
          `${source}: tensor ${name} (${typeName(ggmlType)}, ${count} numbers) cannot hold what was trained`,
          "Train all parameters of a model in F32, F16 or Q8_0, or an adapter",
        );
      const bytes = encodeTensor(type, values);
      await file.write(bytes, 0, bytes.length, offset);
    }
    await file.sync();
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
