/** Opening a GGUF model with the engine and the settings that are fast on this machine. */
import { defaultCacheFolder } from "../../lib/cache-folder.js";
import type { LanguageModel } from "../../model.js";
import { type FastLlamaOptions, LlamaModel } from "./llama-model.js";
import { NativeUnavailable } from "./native.js";
import { NodeLlamaCppModel } from "./public-engine.js";
import type { Tuning } from "./settings.js";
import { typicalPrompts } from "./typical-workload.js";

export { LlamaModel, NodeLlamaCppModel };

/** Options of `openLlama`. */
export interface OpenLlamaOptions extends Omit<FastLlamaOptions, "tuning"> {
  /**
   * What settings that are not given are measured for, and where the result is kept: the first time takes up to a
   * minute. Defaults to questions under one long system prompt and the user's cache folder; null measures nothing.
   */
  readonly tuning?: Tuning | null;
}

/**
 * Opens a GGUF with the fast engine, or with node-llama-cpp's public API where the fast one cannot drive it.
 * @param onNotice told in one line when the slower engine had to be taken
 * @throws LseError for a model that neither can open
 */
export async function openLlama(
  { tuning, ...options }: OpenLlamaOptions,
  onNotice: (notice: string) => void = console.error,
): Promise<LanguageModel> {
  const measured =
    tuning === undefined ? { prompts: typicalPrompts(), folder: defaultCacheFolder() } : tuning;
  try {
    return await LlamaModel.open(measured === null ? options : { ...options, tuning: measured });
  } catch (error) {
    if (!(error instanceof NativeUnavailable)) throw error;
    onNotice(`The fast engine is not available (${error.message}); generating one answer at a time`);
    return await NodeLlamaCppModel.open(options);
  }
}
