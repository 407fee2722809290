/** A model's weights in other types: libllama's own conversion, which node-llama-cpp does not offer. */
import koffi from "koffi";
import { loadModel } from "#lse/runtime/llama/load.js";
import { installed, loadLibrary } from "#lse/runtime/llama/native.js";

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

/** llama_ftype of llama.h. */
const FILE_TYPES = {
  F32: 0,
  Q4_0: 2,
  Q5_0: 8,
  Q5_1: 9,
  Q3_K_M: 12,
  Q4_K_M: 15,
  Q5_K_M: 17,
  IQ4_NL: 25,
} as const;
export type FileType = keyof typeof FILE_TYPES;

/** Writes the same model with its matrices in other types. */
export async function writeConverted(source: string, path: string, type: FileType): Promise<void> {
  const { llama, model } = await loadModel({ modelPath: source, gpuLayers: 0 }, "vocabulary");
  const library = loadLibrary((await installed(llama)).libraryPath);
  await model.dispose();
  const params = library.func("llama_model_quantize_default_params", Params, [])();
  const isKnown = params.nthread === 0 && !params.allow_requantize && params.quantize_output_tensor;
  if (!isKnown || params.only_copy || params.pure) throw new Error("llama_model_quantize_params has changed");
  const quantize = library.func("llama_model_quantize", "uint32_t", [
    "const char *",
    "const char *",
    koffi.pointer(Params),
  ]);
  const wanted = { ...params, ftype: FILE_TYPES[type], allow_requantize: true, nthread: 1 };
  const state = quantize(source, path, wanted);
  if (state !== 0) throw new Error(`${source}: not converted (${state})`);
}
