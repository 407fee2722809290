/** A model's weights in other types: libllama's own conversion, which node-llama-cpp does not offer. */
import { randomUUID } from "node:crypto";
import { existsSync, renameSync, rmSync } from "node:fs";
import koffi from "koffi";
import { LseError } from "../../errors.js";
import { offLoop } from "./context.js";
import { FILE_TYPES, type FileType } from "./file-types.js";
import { loadModel } from "./load.js";
import { installed, loadLibrary } from "./native.js";

/** The first fields of llama_model_quantize_params; room for those that follow, which keep their defaults. */
const Params = koffi.struct({
  nthread: "int32_t",
  ftype: "int32_t",
  output_tensor_type: "int32_t",
  token_embedding_type: "int32_t",
  allow_requantize: "bool",
  quantize_output_tensor: "bool",
  only_copy: "bool",
  pure: "bool",
  others: koffi.array("uint8_t", 256),
});

/**
 * Writes the same model with its matrices in another type. llama.cpp takes a type that is near where the sizes of a matrix
 * do not go into the blocks of the wanted one.
 * @param path of the new file, which must not exist; it is there when it is whole
 * @throws LseError for a model that cannot be read, and a file that is there or cannot be written
 */
export async function quantizeModel(
  source: string,
  path: string,
  type: FileType,
  threads = 1,
): Promise<void> {
  if (existsSync(path)) throw new LseError(`${path}: this file exists`, "Give another name with `--out`");
  const { llama, model } = await loadModel({ modelPath: source, gpuLayers: 0 }, "vocabulary");
  await model.dispose();
  const library = loadLibrary((await installed(llama)).libraryPath);
  const params = library.func("llama_model_quantize_default_params", Params, [])();
  const isKnown = params.nthread === 0 && !params.allow_requantize && params.quantize_output_tensor;
  if (!isKnown || params.only_copy || params.pure) throw new Error("llama_model_quantize_params has changed");
  const convert = library.func("llama_model_quantize", "uint32_t", [
    "const char *",
    "const char *",
    koffi.pointer(Params),
  ]);
  const wanted = { ...params, ftype: FILE_TYPES[type], allow_requantize: true, nthread: threads };
  const complaints: string[] = [];
  llama.logger = (_level, message) => complaints.push(message.trim());
  // Under a name of its own: a download in progress has the plain one.
  const part = `${path}.${randomUUID().slice(0, 8)}.part`;
  try {
    const state = await offLoop<number>((done) => convert.async(source, part, wanted, done));
    if (state !== 0)
      throw new LseError(
        `${path}: llama.cpp could not write this model (${complaints.at(-1) ?? "no reason given"})`,
        "Check the folder and the room on its disk, or take another type",
      );
    renameSync(part, path);
  } finally {
    llama.logger = () => undefined;
    rmSync(part, { force: true });
  }
}
