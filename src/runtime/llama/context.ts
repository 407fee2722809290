/** A llama.cpp context: its batch, its KV cache, its logits. */
import koffi from "koffi";
import { Grammar } from "./grammar.js";
import type { CellMemory } from "./kv-cache.js";
import type { BatchStruct, NativeLlama, Pointer } from "./native.js";
import type { DecodeResult, Decoder } from "./scheduler.js";
import { ThreadPool } from "./thread-pool.js";

/** Sequences that one llama.cpp context can tell apart (LLAMA_MAX_SEQ in its llama-cparams.h). */
export const MAX_SEQUENCES = 256;

export interface ContextOptions {
  readonly threads: number;
  /** Keys and values the cache holds, in tokens; rounded up to a multiple of 256. */
  readonly cells: number;
  /** Most tokens of one decode. */
  readonly batchSize: number;
  /** Most rows of logits of one decode, up to MAX_SEQUENCES. */
  readonly maxRows: number;
  readonly flashAttention: "auto" | boolean;
  readonly kvType: keyof typeof GGML_TYPES;
}

/** enum ggml_type of ggml.h */
const GGML_TYPES = { F32: 0, F16: 1 } as const;

/**
 * A model with one context: weights, one KV cache that all sequences share, and the batch that is being put
 * together. A cell of the cache belongs to every sequence it was copied to, and is free when the last of them
 * lets go of it.
 */
export class NativeContext implements Decoder, CellMemory {
  readonly vocabularySize: number;
  readonly cells: number;
  readonly batchSize: number;
  readonly maxRows: number;
  readonly #native: NativeLlama;
  readonly #model: Pointer;
  readonly #context: Pointer;
  readonly #memory: Pointer;
  readonly #threads: ThreadPool | null;

  readonly #tokens: Int32Array;
  readonly #positions: Int32Array;
  readonly #sequences: Int32Array;
  readonly #wantsRow: Int8Array;
  readonly #batch: BatchStruct;
  #rows = 0;
  #logits: { readonly address: Pointer; readonly values: Float32Array } = {
    address: null,
    values: new Float32Array(),
  };

  /**
   * Makes a context for a loaded model.
   * @returns null when there is not enough memory
   */
  static async create(
    native: NativeLlama,
    model: Pointer,
    options: ContextOptions,
  ): Promise<NativeContext | null> {
    const { threads, cells, batchSize, maxRows, flashAttention, kvType } = options;
    const params = native.context_default_params();
    params.n_ctx = cells;
    params.n_batch = batchSize;
    params.n_ubatch = batchSize;
    // A unified cache takes all MAX_SEQUENCES whatever this says; it only sizes the buffer for logits.
    params.n_seq_max = maxRows;
    params.n_outputs_max = maxRows;
    params.n_threads = threads;
    params.n_threads_batch = threads;
    params.flash_attn_type = flashAttention === "auto" ? -1 : Number(flashAttention);
    params.type_k = GGML_TYPES[kvType];
    params.type_v = GGML_TYPES[kvType];
    params.kv_unified = true;
    const context = await offLoop<Pointer>((done) => native.init_from_model.async(model, params, done));
    return context === null ? null : new NativeContext(native, model, context, options);
  }

  private constructor(native: NativeLlama, model: Pointer, context: Pointer, options: ContextOptions) {
    this.#threads = ThreadPool.create(options.threads);
    this.#threads?.attach(native, context);
    this.#native = native;
    this.#model = model;
    this.#context = context;
    this.#memory = native.get_memory(context);
    this.vocabularySize = native.vocab_n_tokens(native.model_get_vocab(model));
    this.cells = native.n_ctx(context);
    this.batchSize = Math.min(options.batchSize, this.cells);
    this.maxRows = options.maxRows;

    // One block of memory, so that each array keeps alive what only the struct points to.
    const size = options.batchSize;
    const block = new ArrayBuffer(size * (8 + 4 * 4 + 1));
    const sequenceOf = new BigUint64Array(block, 0, size);
    const ints = (i: number) => new Int32Array(block, size * (8 + 4 * i), size);
    this.#tokens = ints(0);
    this.#positions = ints(1);
    this.#sequences = ints(2);
    const sequencesEach = ints(3).fill(1);
    this.#wantsRow = new Int8Array(block, size * (8 + 4 * 4), size);
    const start = koffi.address(this.#sequences);
    for (let i = 0; i < size; i++) sequenceOf[i] = start + BigInt(4 * i);
    this.#batch = {
      n_tokens: 0,
      token: koffi.address(this.#tokens),
      embd: null,
      pos: koffi.address(this.#positions),
      n_seq_id: koffi.address(sequencesEach),
      seq_id: koffi.address(sequenceOf),
      logits: koffi.address(this.#wantsRow),
    };
  }

  /** Tokens in the batch so far. */
  get batched(): number {
    return this.#batch.n_tokens;
  }

  /** Rows of logits that the batch asks for so far. */
  get rows(): number {
    return this.#rows;
  }

  /** Empties the batch. */
  reset(): void {
    this.#batch.n_tokens = 0;
    this.#rows = 0;
  }

  /** Puts one token into the batch, which must have room. */
  add(token: number, position: number, sequence: number, wantsRow: boolean): void {
    const i = this.#batch.n_tokens++;
    this.#tokens[i] = token;
    this.#positions[i] = position;
    this.#sequences[i] = sequence;
    this.#wantsRow[i] = Number(wantsRow);
    if (wantsRow) this.#rows++;
  }

  /** Evaluates the batch on another thread. After "no-room" the cache is as it was before. */
  async decode(): Promise<DecodeResult> {
    const code = await offLoop<number>((done) => this.#native.decode.async(this.#context, this.#batch, done));
    if (code === 1) return "no-room";
    if (code !== 0) return "failed";
    if (this.#rows > 0) this.#findLogits();
    return "done";
  }

  /** The logits after the i-th token that asked for them. In place: valid until the next decode. */
  row(i: number): Float32Array {
    return this.#logits.values.subarray(i * this.vocabularySize, (i + 1) * this.vocabularySize);
  }

  /** Gives `target` the cells of `source` before position `end`. */
  copy(source: number, target: number, end: number): void {
    this.#native.memory_seq_cp(this.#memory, source, target, 0, end);
  }

  /** Takes the cells from position `from` on off a sequence. */
  trim(sequence: number, from: number): void {
    this.#native.memory_seq_rm(this.#memory, sequence, from, -1);
  }

  /** Empties the cache. */
  clear(): void {
    this.#native.memory_clear(this.#memory, false);
  }

  /** The cells of a sequence as bytes, which depend on what was evaluated into them alone. */
  save(sequence: number): Uint8Array {
    const bytes = new Uint8Array(Number(this.#native.state_seq_get_size(this.#context, sequence)));
    const size = this.#native.state_seq_get_data(this.#context, koffi.address(bytes), bytes.length, sequence);
    if (Number(size) !== bytes.length) throw new Error("llama.cpp could not save the cells of a sequence");
    return bytes;
  }

  /** Puts saved cells into a sequence of an empty cache, from its first cell on. @returns whether they fit this model */
  restore(sequence: number, bytes: Uint8Array): boolean {
    const size = this.#native.state_seq_set_data(this.#context, koffi.address(bytes), bytes.length, sequence);
    return Number(size) === bytes.length;
  }

  /** @returns null for a file that is no adapter for this model */
  loadAdapter(path: string): Pointer {
    return this.#native.adapter_lora_init(this.#model, path);
  }

  freeAdapter(adapter: Pointer): void {
    this.#native.adapter_lora_free(adapter);
  }

  /** Evaluates with this adapter from now on; null for none. */
  setAdapter(adapter: Pointer): void {
    const code =
      adapter === null
        ? this.#native.set_adapters_lora(this.#context, null, 0, null)
        : this.#native.set_adapters_lora(this.#context, [adapter], 1, [1]);
    if (code !== 0) throw new Error(`llama.cpp could not set the adapter (code ${code})`);
  }

  /** A new state in a GBNF grammar, to be freed. @throws LseError for a text that is none */
  grammar(text: string): Grammar {
    return new Grammar(this.#native, this.#native.model_get_vocab(this.#model), text);
  }

  /** Frees the context and leaves the model. Nothing may be decoding. */
  free(): void {
    this.#native.free(this.#context);
    this.#threads?.free();
  }

  /** Frees context, adapters and model. Nothing may be decoding. */
  freeAll(): void {
    this.free();
    this.#native.model_free(this.#model);
  }

  /** A view costs as much as a decode of a small model, so it is kept for as long as the library's buffer. */
  #findLogits(): void {
    const address = this.#native.get_logits(this.#context);
    if (address === this.#logits.address) return;
    const bytes = 4 * this.maxRows * this.vocabularySize;
    this.#logits = { address, values: new Float32Array(koffi.view(address, bytes)) };
  }
}

/** A call through koffi's `async`, as a promise. */
export function offLoop<T>(call: (done: (error: Error | null, result: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, result) => (error === null ? resolve(result) : reject(error)));
  });
}
