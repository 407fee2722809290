import type { LanguageModel } from "../../model.js";
import { type FastLlamaOptions, LlamaModel } from "./llama-model.js";
import { NativeUnavailable } from "./native.js";
import { NodeLlamaCppModel } from "./public-engine.js";

export { LlamaModel, NodeLlamaCppModel };

/**
 * Opens a GGUF with the fast engine, or with node-llama-cpp's public API where that cannot be.
 * @param onNotice told in one line when the slower engine had to be taken
 * @throws LseError for a model that neither can open
 */
export async function openLlama(
  options: FastLlamaOptions,
  onNotice: (notice: string) => void = console.error,
): Promise<LanguageModel> {
  try {
    return await LlamaModel.open(options);
  } catch (error) {
    if (!(error instanceof NativeUnavailable)) throw error;
    onNotice(`The fast engine is not available (${error.message}); generating one answer at a time`);
    return await NodeLlamaCppModel.open(options);
  }
}
