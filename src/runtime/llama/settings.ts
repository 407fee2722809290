/** The settings an engine runs with: given, remembered, or measured. */
import { cpus } from "node:os";
import { join } from "node:path";
import { LseError } from "../../errors.js";
import { hashJson } from "../../lib/hash.js";
import type { ChatMessage } from "../../model.js";
import type { ChatTemplate } from "../chat-template.js";
import { trialOf } from "./calibration.js";
import { type LlamaOptions, type LoadedModel, precisionOf } from "./load.js";
import { EXPECTED, type NativeLlama, type Pointer } from "./native.js";
import { type EngineSettings, rememberedSettings, rememberSettings, threadCounts, tune } from "./tuner.js";

export interface SettingsOptions extends LlamaOptions {
  /** Completions generated at once, 1 to 120. Defaults to 32. */
  readonly sequences?: number;
  /** Most tokens of one decode, up to `contextSize`. Defaults to 512. */
  readonly batchSize?: number;
  /** Defaults to "auto": llama.cpp's own choice, but off for f32 models on the CPU; `precisionOf` says why. */
  readonly flashAttention?: "auto" | boolean;
  /** Measures which settings are fast on this machine, for those that are not given. Defaults to no measuring. */
  readonly tuning?: Tuning;
}

export interface Tuning {
  /** Prompts like those that will come, many enough to fill the engine. */
  readonly prompts: readonly (readonly ChatMessage[])[];
  /** Folder in which the settings found are kept, by model and machine. */
  readonly folder: string;
}

const DEFAULT_SEQUENCES = 32;
const DEFAULT_BATCH = 512;
/** Each running completion may hold two sequences, its own and its prompt's; the rest is for cached prompts. */
const MOST_SEQUENCES = 120;

/** The settings that are given, and for the others those that were measured to be fast, now or earlier. */
export async function settingsFor(
  native: NativeLlama,
  weights: Pointer,
  loaded: LoadedModel,
  template: ChatTemplate,
  modelHash: string,
  contextSize: number,
  options: SettingsOptions,
): Promise<EngineSettings> {
  const { batchSize, sequences, tuning } = options;
  if (sequences !== undefined) requireWhole("sequences", sequences, MOST_SEQUENCES);
  if (batchSize !== undefined) requireWhole("tokens of a batch", batchSize, contextSize);
  const { flashAttention, kvType } = precisionOf(loaded, options.flashAttention);
  const start = {
    threads: loaded.threads,
    batchSize: batchSize ?? Math.min(DEFAULT_BATCH, contextSize),
    sequences: sequences ?? DEFAULT_SEQUENCES,
    flashAttention: flashAttention !== false,
  };
  if (tuning === undefined) return start;
  const space = {
    threads: options.threads === undefined ? threadCounts(loaded.cores) : [options.threads],
    batchSize:
      batchSize === undefined ? [128, 256, 512, 1024].filter((size) => size <= contextSize) : [batchSize],
    sequences: sequences === undefined ? [8, 16, 32, 64] : [sequences],
    // Only where it does not cost exactness.
    flashAttention:
      kvType !== "F32" && options.flashAttention === undefined ? [false, true] : [start.flashAttention],
  };
  const file = hashJson([modelHash, cpus()[0]?.model, loaded.llama.gpu, EXPECTED, space]);
  const path = join(tuning.folder, "tuning-1", `${file}.json`);
  const known = rememberedSettings(path);
  if (known !== null) return known;
  const prompts = tuning.prompts.map((messages) => template.encode(messages));
  const found = await tune(start, space, await trialOf(native, weights, kvType, prompts, start));
  rememberSettings(path, found);
  return found;
}

function requireWhole(what: string, value: number, most: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= most) return;
  throw new LseError(`${value} ${what} cannot be`, `Give a whole number from 1 to ${most}`);
}
