/** Threads that llama.cpp keeps between decodes. */
import { basename } from "node:path";
import koffi from "koffi";
import { loadedLibraries, loadLibrary, type NativeLlama, type Pointer } from "./native.js";

/** Flags of the cores to use, before the other fields of ggml_threadpool_params (GGML_MAX_N_THREADS of ggml.h). */
const MOST_THREADS = 512;
/** What ggml_threadpool_params_default sets: a field that moved shows here. */
const DEFAULTS = { prio: 0, poll: 50, strict_cpu: false, paused: false } as const;

interface PoolParams {
  readonly n_threads: number;
  readonly prio: number;
  readonly poll: number;
  readonly strict_cpu: boolean;
  readonly paused: boolean;
}

interface NativePools {
  readonly defaults: (threads: number) => PoolParams;
  readonly make: (params: PoolParams) => Pointer;
  readonly free: (pool: Pointer) => void;
}

let pools: NativePools | null | undefined;

/**
 * CPU threads that wait between decodes. Without them llama.cpp starts new ones for every decode, and a decode of a
 * small model spends much of its time waiting until the kernel has found each of them a core.
 */
export class ThreadPool {
  /** @returns null for one thread, which needs no company, and where the CPU library is not as expected */
  static create(threads: number): ThreadPool | null {
    if (pools === undefined) pools = declare();
    if (threads < 2 || threads > MOST_THREADS || pools === null) return null;
    const params = pools.defaults(threads);
    const isExpected = Object.entries(DEFAULTS).every(([name, value]) => params[name as "poll"] === value);
    const pointer = isExpected && params.n_threads === threads ? pools.make(params) : null;
    return pointer === null ? null : new ThreadPool(pointer);
  }

  private constructor(private readonly pointer: Pointer) {}

  attach(native: NativeLlama, context: Pointer): void {
    native.attach_threadpool(context, this.pointer, this.pointer);
  }

  /** After the contexts that use it. */
  free(): void {
    pools?.free(this.pointer);
  }
}

/** @returns null where llama.cpp's libraries do not have these functions or are built in another way */
function declare(): NativePools | null {
  const library = (name: string) => {
    const found = loadedLibraries().filter((path) => basename(path).includes(name));
    return found.length === 1 ? loadLibrary(found[0] as string) : null;
  };
  try {
    const base = library("ggml-base");
    const cpu = library("ggml-cpu");
    if (base === null || cpu === null) return null;
    const Params = koffi.struct({
      cpumask: koffi.array("bool", MOST_THREADS),
      n_threads: "int",
      prio: "int",
      poll: "uint32_t",
      strict_cpu: "bool",
      paused: "bool",
    });
    return {
      defaults: base.func("ggml_threadpool_params_default", Params, ["int"]),
      make: cpu.func("ggml_threadpool_new", "void *", [koffi.pointer(Params)]),
      free: cpu.func("ggml_threadpool_free", "void", ["void *"]),
    };
  } catch {
    return null;
  }
}
