/** An engine with a LoRA adapter on for the length of a call. */
import type { ChatMessage, Completion, GenerateRequest, LanguageModel } from "../model.js";

/**
 * An engine with an adapter on, for as long as a call takes: the evolver beside the policy, on the same weights.
 * Calls to the engine itself must wait until it is done.
 */
export class AdaptedModel implements LanguageModel {
  /**
   * @param path a LoRA adapter as GGUF
   * @throws LseError for a file that is none, or not for this model
   */
  static async open(engine: LanguageModel, path: string): Promise<AdaptedModel> {
    await engine.useAdapter(path);
    const { fingerprint } = engine;
    await engine.useAdapter(null);
    return new AdaptedModel(engine, path, fingerprint);
  }

  private constructor(
    private readonly engine: LanguageModel,
    private readonly path: string,
    readonly fingerprint: string,
  ) {}

  get contextSize() {
    return this.engine.contextSize;
  }

  get usage() {
    return this.engine.usage;
  }

  get repeats() {
    return this.engine.repeats;
  }

  countTokens(messages: readonly ChatMessage[]): number {
    return this.engine.countTokens(messages);
  }

  generate(
    requests: readonly GenerateRequest[],
    onCompletion?: (index: number, completion: Completion) => void,
    signal?: AbortSignal,
  ): Promise<Completion[]> {
    return this.#adapted(() => this.engine.generate(requests, onCompletion, signal));
  }

  logprobs(messages: readonly ChatMessage[], tokens: readonly number[]): Promise<Float32Array> {
    return this.#adapted(() => this.engine.logprobs(messages, tokens));
  }

  useAdapter(): Promise<void> {
    throw new Error("this model has its adapter; open another one");
  }

  /** The engine goes on: it is not this model's. */
  async [Symbol.asyncDispose](): Promise<void> {}

  async #adapted<T>(work: () => Promise<T>): Promise<T> {
    await this.engine.useAdapter(this.path);
    try {
      return await work();
    } finally {
      await this.engine.useAdapter(null);
    }
  }
}
