/** A model's weights as 32-bit numbers: libllama's own conversion, which node-llama-cpp does not offer. */
import koffi from "koffi";
import { loadModel } from "#lse/runtime/llama/load.js";
import { installed } from "#lse/runtime/llama/native.js";

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

const ALL_F32 = 0;

/** Writes the same model in f32, 4 bytes a parameter. */
export async function writeF32Copy(source: string, path: string): Promise<void> {
  const { llama, model } = await loadModel({ modelPath: source, gpuLayers: 0 }, "vocabulary");
  const library = koffi.load((await installed(llama)).libraryPath);
  await model.dispose();
  const params = library.func("llama_model_quantize_default_params", Params, [])();
  const isKnown = params.nthread === 0 && !params.allow_requantize && params.quantize_output_tensor;
  if (!isKnown || params.only_copy || params.pure) throw new Error("llama_model_quantize_params has changed");
  const quantize = library.func("llama_model_quantize", "uint32_t", [
    "const char *",
    "const char *",
    koffi.pointer(Params),
  ]);
  const state = quantize(source, path, { ...params, ftype: ALL_F32, allow_requantize: true, nthread: 1 });
  if (state !== 0) throw new Error(`${source}: not converted (${state})`);
}
