/** A model that answers from the journal of an earlier run. */
import { LseError } from "../errors.js";
import type { Journal } from "../journal/journal.js";
import {
  type ChatMessage,
  type Completion,
  emptyUsage,
  type GenerateRequest,
  type LanguageModel,
} from "../model.js";
import { completionKey, tokensKey } from "./cached-model.js";

/**
 * Answers from the events of an earlier run instead of from weights: the same requests get the same
 * completions, any other request is an error. For tests, and for looking into a run on a machine without
 * its model.
 */
export class ReplayedModel implements LanguageModel {
  readonly repeats = "request";
  readonly usage = emptyUsage();

  readonly fingerprint: string;
  readonly contextSize: number;

  /**
   * @param journal of the earlier run
   * @param origin its path, for error messages
   * @throws LseError when the events are not those of a run
   */
  constructor(
    private readonly journal: Pick<Journal, "recall">,
    private readonly origin: string,
  ) {
    const inputs = journal.recall("inputs", "inputs");
    if (inputs === undefined) {
      throw new LseError(`${origin}: not the journal of a run`, "Give the events.jsonl of a run folder");
    }
    this.fingerprint = inputs.model;
    this.contextSize = inputs.contextSize;
  }

  countTokens(messages: readonly ChatMessage[]): number {
    const known = this.journal.recall("tokens", tokensKey(this.fingerprint, messages));
    if (known === undefined) throw this.#missing("the length of a prompt");
    return known.count;
  }

  async generate(
    requests: readonly GenerateRequest[],
    onCompletion?: (index: number, completion: Completion) => void,
    signal?: AbortSignal,
  ): Promise<Completion[]> {
    return requests.map((request, index) => {
      signal?.throwIfAborted();
      const { completion } =
        this.journal.recall("generation", completionKey(this.fingerprint, request)) ?? {};
      if (completion === undefined) throw this.#missing("an answer to a prompt");
      this.usage.completions++;
      this.usage.promptTokensAsked += completion.promptTokens;
      this.usage.tokensGenerated += completion.generatedTokens;
      onCompletion?.(index, completion);
      return completion;
    });
  }

  async logprobs(): Promise<Float32Array> {
    throw this.#missing("log-probabilities of other completions");
  }

  async useAdapter(): Promise<void> {
    throw this.#missing("a second set of weights");
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #missing(what: string): LseError {
    return new LseError(
      `${this.origin}: this journal does not have ${what} that this run asks for`,
      "Replay it with the data, options and seed it was made with, or give `model.path` the GGUF itself",
    );
  }
}
