/** Opening a GGUF file with node-llama-cpp, with errors that say what to do. */
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { GgufFileType, getLlama, type Llama, LlamaLogLevel, type LlamaModel } from "node-llama-cpp";
import { LseError } from "../../errors.js";
import { type GgufHeader, readHeader } from "../../gguf/header.js";
import { partsOf } from "../../gguf/parts.js";
import { hashFile } from "../../lib/hash.js";
import type { TemplateSettings } from "../template-choice.js";

/** Which GGUF file, and how it is opened. */
export interface LlamaOptions {
  /** A GGUF file. */
  readonly modelPath: string;
  /** Tokens that prompt and completion share. Defaults to the model's own, at most 16,384. */
  readonly contextSize?: number;
  /**
   * CPU threads. Defaults to the cores that are useful for arithmetic, less one for the SQL processes:
   * llama.cpp's threads wait by spinning, and one that has to share its core stalls all others.
   */
  readonly threads?: number;
  /** Layers on the GPU. Defaults to as many as fit; 0 keeps everything on the CPU. */
  readonly gpuLayers?: number | "auto";
  /** Which chat template, and what it is told. Defaults to the model's own. */
  readonly template?: TemplateSettings;
}

export interface LoadedModel {
  /** The metadata of its file, of the first one where there are several. */
  readonly metadata: GgufHeader["metadata"];
  readonly llama: Llama;
  readonly model: LlamaModel;
  readonly threads: number;
  /** Cores that are useful for arithmetic. */
  readonly cores: number;
}

/**
 * Opens a GGUF with the llama.cpp library that node-llama-cpp ships for this platform; nothing is built or
 * downloaded.
 * @param part "vocabulary" leaves the weights where they are
 * @throws LseError naming the file and what to do, for a file that is missing, damaged or of an
 * architecture that llama.cpp does not know
 */
export async function loadModel(
  options: LlamaOptions,
  part: "everything" | "vocabulary" = "everything",
): Promise<LoadedModel> {
  const { modelPath, gpuLayers = "auto" } = options;
  if (!existsSync(modelPath)) {
    throw new LseError(
      `${modelPath}: no such model file`,
      "Give `model.path` a GGUF file, or make a random one with `npm run make-random-model`",
    );
  }
  // Before llama.cpp and its wrapper see the files: they make room for whatever a header claims.
  const [header] = partsOf(modelPath).map(readHeader) as [GgufHeader, ...GgufHeader[]];
  checkSizes(modelPath, header);
  const llama = await openLibrary(gpuLayers === 0 ? false : "auto");
  const model = await explainingFailure(llama, modelPath, () =>
    llama.loadModel({
      modelPath,
      ...(part === "vocabulary" ? { vocabOnly: true, gpuLayers: 0 } : {}),
      ...(part === "everything" && gpuLayers !== "auto" ? { gpuLayers } : {}),
    }),
  );
  const cores = Math.min(llama.cpuMathCores, availableParallelism());
  return {
    llama,
    model,
    metadata: header.metadata,
    cores,
    threads: options.threads ?? Math.max(1, cores - 1),
  };
}

/** Layers that llama.cpp has room for (LLAMA_MAX_LAYERS). */
const MOST_LAYERS = 512;
/** Tensors of a model whose layers all attend. */
const ATTENTION = /\.attn_(q|k|qkv)\.weight$/;

/** @throws LseError for sizes at which llama.cpp would end the whole process instead of saying so */
function checkSizes(modelPath: string, { metadata, tensors }: GgufHeader): void {
  const architecture = metadata.get("general.architecture");
  const attends = tensors.some(({ name }) => ATTENTION.test(name));
  for (const [name, most] of [
    ["block_count", MOST_LAYERS],
    ...(attends ? SIZES.map((size) => [size, Number.MAX_SAFE_INTEGER] as const) : []),
  ] as const) {
    const value = metadata.get(`${architecture}.${name}`);
    // Some have one size for each layer.
    if (typeof value !== "number" || (value >= 1 && value <= most)) continue;
    throw new LseError(
      `${modelPath}: field ${architecture}.${name} is ${value}, which no model has`,
      "The file is damaged: copy, download or make it again",
    );
  }
}

const SIZES = ["embedding_length", "attention.head_count", "attention.head_count_kv"] as const;

/**
 * Runs `load`, which fails by throwing or with null.
 * @throws LseError with what llama.cpp complained of
 */
export async function explainingFailure<T>(
  llama: Llama,
  modelPath: string,
  load: () => Promise<T>,
): Promise<NonNullable<T>> {
  const complaints: string[] = [];
  llama.logger = (_level, message) => complaints.push(message.trim());
  try {
    const result = await load();
    // The complaints come from another thread, after the result.
    if (result === null) await new Promise((resolve) => setTimeout(resolve, 20));
    if (result === null || result === undefined) throw new Error("no reason given");
    return result;
  } catch (cause) {
    const why = complaints.find((line) => line !== "") ?? (cause instanceof Error ? cause.message : "");
    throw new LseError(
      `${modelPath}: llama.cpp cannot load this model (${why.replace(/\s+/g, " ")})`,
      why.includes("architecture")
        ? "Use a model of an architecture that llama.cpp knows"
        : "The file may be truncated or damaged: copy, download or make it again",
      { cause },
    );
  } finally {
    llama.logger = () => undefined;
  }
}

const libraries = new Map<"auto" | false, Promise<Llama>>();

/**
 * The native library, loaded once per process and kept: it is global to the process anyway, and once it has
 * been disposed of, a second one writes its complaints straight to standard error.
 */
export function openLibrary(gpu: "auto" | false): Promise<Llama> {
  let opened = libraries.get(gpu);
  if (opened === undefined) {
    opened = getLlama({
      build: "never",
      skipDownload: true,
      progressLogs: false,
      gpu,
      maxThreads: 0,
      logLevel: LlamaLogLevel.error,
      logger: () => undefined,
    });
    libraries.set(gpu, opened);
  }
  return opened;
}

/**
 * How keys, values and attention are computed, the same in every engine so that their answers agree.
 *
 * Answers of an f32 model on the CPU are exact: keys and values stay in f32, and logprobs change by 1e-5 at most
 * with the company. That excludes llama.cpp's flash attention, which there adds up in 16 bits when few tokens
 * are evaluated together and in 32 bits when many are, so that logprobs change by up to 1e-2. All other models
 * have it, as far as llama.cpp supports it: quantised weights round their inputs and differ by as much without
 * it, and it passes over the cells of other sequences, which attention without it pays for one by one.
 */
export function precisionOf(
  { llama, model }: LoadedModel,
  flashAttention: "auto" | boolean = "auto",
): { readonly flashAttention: "auto" | boolean; readonly kvType: "F32" | "F16" } {
  const exact = llama.gpu === false && model.fileInfo.metadata.general.file_type === GgufFileType.ALL_F32;
  return exact
    ? { flashAttention: flashAttention === true, kvType: "F32" }
    : { flashAttention, kvType: "F16" };
}

export function notEnoughMemory(contextSize: number, cause?: unknown): LseError {
  return new LseError(
    `There is not enough memory for a context of ${contextSize} tokens`,
    "Lower `model.context`, or use a smaller model",
    { cause },
  );
}

/** SHA-256 of an adapter's file, in hex. @throws LseError for a file that is missing or no GGUF */
export async function hashAdapter(path: string): Promise<string> {
  if (!existsSync(path))
    throw new LseError(`${path}: cannot read this adapter`, "Give the path of a GGUF LoRA adapter");
  readHeader(path);
  return await hashFile(path);
}

export function adapterDoesNotFit(path: string, cause?: unknown): LseError {
  return new LseError(
    `${path}: this adapter does not fit the model`,
    "Use a GGUF LoRA adapter made for the same base model",
    { cause },
  );
}
