/** Finding and declaring the functions of libllama, with a check that their data layouts are the expected ones. */
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import koffi from "koffi";
import { getModuleVersion, type Llama } from "node-llama-cpp";

/** The fast engine cannot run here; `message` says why. The public-API engine can take over. */
export class NativeUnavailable extends Error {
  override name = "NativeUnavailable";
}

/** What this file was written for: `include/llama.h` of the source that node-llama-cpp bundles. */
export const EXPECTED = {
  nodeLlamaCpp: "3.22.1",
  llamaCpp: "0.5.0-dev",
  modelParamsBytes: 80,
  contextParamsBytes: 160,
  batchBytes: 56,
  tokenDataArrayBytes: 32,
  kvUnifiedOffset: 133,
} as const;

/** The library's defaults, spread over both structs: a field that moved shows here. */
const DEFAULTS = {
  n_gpu_layers: -1,
  n_ctx: 512,
  n_batch: 2048,
  n_ubatch: 512,
  n_seq_max: 1,
  n_outputs_max: 0,
  n_threads: 4,
  flash_attn_type: -1,
  type_k: 1,
  type_v: 1,
  offload_kqv: true,
  swa_full: true,
  kv_unified: false,
} as const;

/** A pointer; null for NULL. */
export type Pointer = bigint | null;

/** The fields of llama_model_params that this program sets; the others keep the library's defaults. */
export interface ModelParams {
  n_gpu_layers: number;
}

/** The fields of llama_context_params that this program sets or checks. */
export interface ContextParams {
  n_ctx: number;
  n_batch: number;
  n_ubatch: number;
  n_seq_max: number;
  n_outputs_max: number;
  n_threads: number;
  n_threads_batch: number;
  flash_attn_type: number;
  type_k: number;
  type_v: number;
  offload_kqv: boolean;
  swa_full: boolean;
  kv_unified: boolean;
}

/** llama_batch; the pointers are to arrays of `n_tokens` elements. */
export interface BatchStruct {
  n_tokens: number;
  readonly token: bigint;
  readonly embd: null;
  readonly pos: bigint;
  readonly n_seq_id: bigint;
  readonly seq_id: bigint;
  readonly logits: bigint;
}

/** llama_token_data_array; `data` points to `size` times id, logit and probability. */
export interface TokenDataArray {
  readonly data: bigint;
  readonly size: number;
  readonly selected: number;
  readonly sorted: boolean;
}

/** A native function that can also run on another thread, the event loop going on meanwhile. */
interface Native<Arguments extends unknown[], Result> {
  (...args: Arguments): Result;
  async(...args: [...Arguments, (error: Error | null, result: Result) => void]): void;
}

/** The functions of llama.h that the engine calls, by their names without `llama_`. */
export interface NativeLlama {
  readonly model_default_params: () => ModelParams;
  readonly context_default_params: () => ContextParams;
  readonly model_load_from_file: Native<[path: string, ModelParams], Pointer>;
  readonly model_free: (model: Pointer) => void;
  readonly model_n_ctx_train: (model: Pointer) => number;
  readonly model_n_layer: (model: Pointer) => number;
  readonly model_n_embd: (model: Pointer) => number;
  readonly model_n_params: (model: Pointer) => number | bigint;
  readonly model_is_recurrent: (model: Pointer) => boolean;
  readonly model_is_hybrid: (model: Pointer) => boolean;
  readonly model_has_encoder: (model: Pointer) => boolean;
  readonly model_get_vocab: (model: Pointer) => Pointer;
  readonly vocab_n_tokens: (vocab: Pointer) => number;
  readonly init_from_model: Native<[model: Pointer, ContextParams], Pointer>;
  readonly free: (context: Pointer) => void;
  readonly attach_threadpool: (context: Pointer, pool: Pointer, poolForPrompts: Pointer) => void;
  readonly n_ctx: (context: Pointer) => number;
  readonly get_memory: (context: Pointer) => Pointer;
  readonly memory_clear: (memory: Pointer, data: boolean) => void;
  readonly memory_seq_rm: (memory: Pointer, sequence: number, from: number, to: number) => boolean;
  readonly memory_seq_cp: (memory: Pointer, source: number, target: number, from: number, to: number) => void;
  readonly state_seq_get_size: (context: Pointer, sequence: number) => number;
  readonly state_seq_get_data: (context: Pointer, target: bigint, size: number, sequence: number) => number;
  readonly state_seq_set_data: (context: Pointer, source: bigint, size: number, sequence: number) => number;
  readonly decode: Native<[context: Pointer, BatchStruct], number>;
  readonly get_logits: (context: Pointer) => Pointer;
  readonly adapter_lora_init: (model: Pointer, path: string) => Pointer;
  readonly adapter_lora_free: (adapter: Pointer) => void;
  readonly set_adapters_lora: (
    context: Pointer,
    adapters: Pointer[] | null,
    count: number,
    scales: number[] | null,
  ) => number;
  readonly sampler_init_grammar: (vocab: Pointer, grammar: string, root: string) => Pointer;
  readonly sampler_apply: (sampler: Pointer, candidates: TokenDataArray) => void;
  readonly sampler_accept: (sampler: Pointer, token: number) => void;
  readonly sampler_free: (sampler: Pointer) => void;
}

/** What the guard looks at. */
export interface NativeSource {
  /** Version of the installed node-llama-cpp. */
  readonly packageVersion: string;
  /** Absolute path of libllama. */
  readonly libraryPath: string;
}

/**
 * The functions of the libllama that `llama` runs on. The library is already in this process, so its GPU
 * backends and its log, which goes to `llama.logger`, are the ones node-llama-cpp has set up.
 * @throws NativeUnavailable when the library is not exactly the one this file was written for
 */
export async function nativeLlama(
  llama: Llama,
  source?: NativeSource,
  expected: typeof EXPECTED = EXPECTED,
): Promise<NativeLlama> {
  const { packageVersion, libraryPath } = source ?? (await installed(llama));
  requireEqual("node-llama-cpp", packageVersion, expected.nodeLlamaCpp);
  return declare(libraryPath, expected);
}

/** @throws NativeUnavailable when `found` is not `wanted` */
function requireEqual(what: string, found: unknown, wanted: unknown): void {
  if (found === wanted) return;
  throw new NativeUnavailable(`${what} is ${found}, and the fast engine was made for ${wanted}`);
}

/** Where node-llama-cpp's own addon found libllama: the one loaded library whose build is for `llama.gpu`. */
export async function installed(llama: Llama): Promise<NativeSource> {
  const libraryPath = loadedLibraries().find(
    (path) =>
      /^(lib)?llama(\.[^/\\]*)?\.(so|dylib|dll)$/i.test(basename(path)) && gpuOfBuild(path) === llama.gpu,
  );
  if (libraryPath === undefined) {
    throw new NativeUnavailable(`node-llama-cpp loaded no libllama on ${process.platform}-${process.arch}`);
  }
  return { packageVersion: await getModuleVersion(), libraryPath };
}

/** Paths of all shared libraries in this process. */
export function loadedLibraries(): string[] {
  // Network interfaces can take seconds to look up, and nobody reads them here.
  const { excludeNetwork } = process.report as { excludeNetwork?: boolean };
  Object.assign(process.report, { excludeNetwork: true });
  const { sharedObjects } = process.report.getReport() as { sharedObjects?: string[] };
  Object.assign(process.report, { excludeNetwork });
  return sharedObjects ?? [];
}

function gpuOfBuild(libraryPath: string): string | false | null {
  try {
    const metadata = readFileSync(join(dirname(libraryPath), "_nlcBuildMetadata.json"), "utf8");
    return (JSON.parse(metadata) as { buildOptions: { gpu: string | false } }).buildOptions.gpu;
  } catch {
    return null;
  }
}

type TypeSpec = Parameters<typeof koffi.sizeof>[0];
type StructName = "ModelParams" | "ContextParams" | "Batch" | "TokenDataArray";
type Types = Record<StructName, ReturnType<typeof koffi.struct>>;
let types: Types | undefined;

let isConfigured = false;

/** Opens a library of llama.cpp. Every one is opened here: settings can only be made before the first. */
export function loadLibrary(path: string): ReturnType<typeof koffi.load> {
  // llama.cpp works with large frames; koffi gives its worker threads 128 KiB unless told otherwise.
  if (!isConfigured) koffi.config({ async_stack_size: 8 << 20 });
  isConfigured = true;
  return koffi.load(path);
}

/** The structs of llama.h that the engine fills in or reads. */
function structs(): Types {
  types ??= {
    ModelParams: koffi.struct({
      devices: "void *",
      tensor_buft_overrides: "void *",
      n_gpu_layers: "int32_t",
      split_mode: "int32_t",
      load_mode: "int32_t",
      lazy_mode: "int32_t",
      main_gpu: "int32_t",
      tensor_split: "void *",
      progress_callback: "void *",
      progress_callback_user_data: "void *",
      kv_overrides: "void *",
      vocab_only: "bool",
      check_tensors: "bool",
      use_extra_bufts: "bool",
      no_host: "bool",
      no_alloc: "bool",
      load_mtp: "bool",
    }),
    ContextParams: koffi.struct({
      n_ctx: "uint32_t",
      n_batch: "uint32_t",
      n_ubatch: "uint32_t",
      n_seq_max: "uint32_t",
      n_rs_seq: "uint32_t",
      n_outputs_max: "uint32_t",
      n_outputs_max_per_seq: "uint32_t",
      n_threads: "int32_t",
      n_threads_batch: "int32_t",
      ctx_type: "int32_t",
      rope_scaling_type: "int32_t",
      pooling_type: "int32_t",
      attention_type: "int32_t",
      flash_attn_type: "int32_t",
      rope_freq_base: "float",
      rope_freq_scale: "float",
      yarn_ext_factor: "float",
      yarn_attn_factor: "float",
      yarn_beta_fast: "float",
      yarn_beta_slow: "float",
      yarn_orig_ctx: "uint32_t",
      defrag_thold: "float",
      cb_eval: "void *",
      cb_eval_user_data: "void *",
      type_k: "int32_t",
      type_v: "int32_t",
      abort_callback: "void *",
      abort_callback_data: "void *",
      embeddings: "bool",
      offload_kqv: "bool",
      no_perf: "bool",
      op_offload: "bool",
      swa_full: "bool",
      kv_unified: "bool",
      samplers: "void *",
      n_samplers: "size_t",
      ctx_other: "void *",
    }),
    Batch: koffi.struct({
      n_tokens: "int32_t",
      token: "void *",
      embd: "void *",
      pos: "void *",
      n_seq_id: "void *",
      seq_id: "void *",
      logits: "void *",
    }),
    TokenDataArray: koffi.struct({
      data: "void *",
      size: "size_t",
      selected: "int64_t",
      sorted: "bool",
    }),
  };
  return types;
}

function declare(libraryPath: string, expected: typeof EXPECTED): NativeLlama {
  try {
    const { ModelParams, ContextParams, Batch, TokenDataArray } = structs();
    const library = loadLibrary(libraryPath);
    const fn = (name: string, result: TypeSpec, ...args: TypeSpec[]) =>
      library.func(`llama_${name}`, result, args);
    requireEqual("libllama", fn("version", "const char *")(), expected.llamaCpp);
    // Before the first call that passes one: with a wrong size it would overrun memory.
    requireEqual("llama_model_params", koffi.sizeof(ModelParams), expected.modelParamsBytes);
    requireEqual("llama_context_params", koffi.sizeof(ContextParams), expected.contextParamsBytes);
    requireEqual("llama_batch", koffi.sizeof(Batch), expected.batchBytes);
    requireEqual("llama_token_data_array", koffi.sizeof(TokenDataArray), expected.tokenDataArrayBytes);
    requireEqual("kv_unified", koffi.offsetof(ContextParams, "kv_unified"), expected.kvUnifiedOffset);
    const native = {
      model_default_params: fn("model_default_params", ModelParams),
      context_default_params: fn("context_default_params", ContextParams),
      model_load_from_file: fn("model_load_from_file", "void *", "const char *", ModelParams),
      model_free: fn("model_free", "void", "void *"),
      model_n_ctx_train: fn("model_n_ctx_train", "int32_t", "void *"),
      model_n_layer: fn("model_n_layer", "int32_t", "void *"),
      model_n_embd: fn("model_n_embd", "int32_t", "void *"),
      model_n_params: fn("model_n_params", "uint64_t", "void *"),
      model_is_recurrent: fn("model_is_recurrent", "bool", "void *"),
      model_is_hybrid: fn("model_is_hybrid", "bool", "void *"),
      model_has_encoder: fn("model_has_encoder", "bool", "void *"),
      model_get_vocab: fn("model_get_vocab", "void *", "void *"),
      vocab_n_tokens: fn("vocab_n_tokens", "int32_t", "void *"),
      init_from_model: fn("init_from_model", "void *", "void *", ContextParams),
      free: fn("free", "void", "void *"),
      attach_threadpool: fn("attach_threadpool", "void", "void *", "void *", "void *"),
      n_ctx: fn("n_ctx", "uint32_t", "void *"),
      get_memory: fn("get_memory", "void *", "void *"),
      memory_clear: fn("memory_clear", "void", "void *", "bool"),
      memory_seq_rm: fn("memory_seq_rm", "bool", "void *", "int32_t", "int32_t", "int32_t"),
      memory_seq_cp: fn("memory_seq_cp", "void", "void *", "int32_t", "int32_t", "int32_t", "int32_t"),
      state_seq_get_size: fn("state_seq_get_size", "size_t", "void *", "int32_t"),
      state_seq_get_data: fn("state_seq_get_data", "size_t", "void *", "void *", "size_t", "int32_t"),
      state_seq_set_data: fn("state_seq_set_data", "size_t", "void *", "void *", "size_t", "int32_t"),
      decode: fn("decode", "int32_t", "void *", Batch),
      get_logits: fn("get_logits", "void *", "void *"),
      adapter_lora_init: fn("adapter_lora_init", "void *", "void *", "const char *"),
      adapter_lora_free: fn("adapter_lora_free", "void", "void *"),
      set_adapters_lora: fn("set_adapters_lora", "int32_t", "void *", "void **", "size_t", "float *"),
      sampler_init_grammar: fn("sampler_init_grammar", "void *", "void *", "const char *", "const char *"),
      sampler_apply: fn("sampler_apply", "void", "void *", koffi.pointer(TokenDataArray)),
      sampler_accept: fn("sampler_accept", "void", "void *", "int32_t"),
      sampler_free: fn("sampler_free", "void", "void *"),
    } as unknown as NativeLlama;
    for (const [field, value] of Object.entries(DEFAULTS)) {
      const found = { ...native.context_default_params(), ...native.model_default_params() };
      requireEqual(`default ${field}`, found[field as keyof typeof found], value);
    }
    return native;
  } catch (cause) {
    if (cause instanceof NativeUnavailable) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new NativeUnavailable(`${basename(libraryPath)} cannot be used (${why})`, { cause });
  }
}
