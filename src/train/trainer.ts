/** A model in training, on a thread of its own. */
import { Worker } from "node:worker_threads";
import { LseError } from "../errors.js";
import { needsDecoders } from "../gguf/read-model.js";
import { ggmlLibrary } from "../runtime/llama/ggml.js";
import type { Row } from "./batch.js";
import type { Start, StepResult, TrainerOptions } from "./engine.js";
import type { Parameters } from "./model/spec.js";
import type { Provider } from "./session.js";
import type { CallName, Calls, TrainerReply, TrainerRequest } from "./worker.js";

/** Providers that passed their test in this process. */
const checked = new Set<Provider>();

/**
 * A model in training, on a thread of its own so that this one stays free. Calls are carried out one after the
 * other. The same options, rows and threads give the same numbers to the last bit, also across `save` and a new
 * start from the checkpoint.
 */
export class Trainer implements AsyncDisposable {
  readonly #pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  readonly #worker: Worker;
  #calls = 0;
  #ended: Error | undefined;
  /** Steps taken when it was opened: above 0 when it began from a checkpoint. */
  startStep = 0;
  /** What was given to the `save` that it began from; null otherwise. */
  progress: unknown = null;

  private constructor() {
    this.#worker = new Worker(new URL("./worker.js", import.meta.url));
    this.#worker.on("message", (reply: TrainerReply) => this.#settle(reply));
    this.#worker.on("error", (error) => this.#end(error));
    this.#worker.on("exit", (code) => this.#end(new Error(`the trainer's thread ended with code ${code}`)));
  }

  /**
   * Opens the thread and, before a provider's first use in this process, has its gradients tested.
   * @throws LseError for options that cannot be, a checkpoint that does not fit, a provider that fails
   */
  static async open(options: TrainerOptions): Promise<Trainer> {
    const ggml = await libraryFor(options.start);
    const trainer = new Trainer();
    try {
      const { step, progress } = await trainer.#call("open", options, !checked.has(options.provider), ggml);
      checked.add(options.provider);
      trainer.startStep = step;
      trainer.progress = progress;
      return trainer;
    } catch (error) {
      await trainer.#worker.terminate();
      throw error;
    }
  }

  /** One update of the parameters from all rows, in as many parts as `microTokens` asks for. */
  async step(rows: readonly Row[]): Promise<StepResult> {
    return await this.#call("train", rows);
  }

  /** The logprobs of all tokens of all continuations, [row][continuation][token], in nats. */
  async logprobs(rows: readonly Row[]): Promise<Float32Array[][]> {
    return await this.#call("logprobs", rows);
  }

  /** A copy of the adapter's parameters, or without one of all, by llama.cpp's names. */
  async parameters(): Promise<Parameters> {
    return await this.#call("parameters");
  }

  /**
   * Writes a checkpoint, atomically.
   * @param progress what the caller needs to continue, such as the state of its data; anything JSON can hold
   */
  async save(path: string, progress: unknown = null): Promise<void> {
    await this.#call("save", path, progress);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended === undefined) await this.#call("close");
    await this.#worker.terminate();
  }

  async #call<N extends CallName>(name: N, ...args: Calls[N][0]): Promise<Calls[N][1]> {
    if (this.#ended !== undefined) throw this.#ended;
    const id = this.#calls++;
    const answered = new Promise<unknown>((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    this.#worker.postMessage({ id, name, args } satisfies TrainerRequest);
    return (await answered) as Calls[N][1];
  }

  #settle(reply: TrainerReply): void {
    const waiting = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if ("result" in reply) waiting?.resolve(reply.result);
    else if (reply.nextStep === undefined) waiting?.reject(new Error(reply.problem));
    else waiting?.reject(new LseError(reply.problem, reply.nextStep));
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#pending.values()) reject(this.#ended);
    this.#pending.clear();
  }
}

/** What the trainer's thread cannot find by itself: the library that decodes quantised weights. */
const libraryFor = async (start: Start): Promise<string | undefined> =>
  start.from === "file" && (await needsDecoders(start.path)) ? await ggmlLibrary() : undefined;
