/** A model whose completions are kept in a journal and never asked for twice. */
import type { Journal } from "../journal/journal.js";
import { hashJson } from "../lib/hash.js";
import type { ChatMessage, Completion, GenerateRequest, LanguageModel } from "../model.js";

/** Names a completion by everything it depends on: model, adapter, prompt, sampling, seed and sample. */
export function completionKey(
  fingerprint: string,
  { messages, sampling, seed, sample }: GenerateRequest,
): string {
  return hashJson([fingerprint, messages, sampling, seed, sample]);
}

export const tokensKey = (fingerprint: string, messages: readonly ChatMessage[]): string =>
  hashJson([fingerprint, messages]);

/**
 * A model whose completions are kept in a journal as they are ready and never asked for again. One exception: where
 * only a whole call repeats to the bit and a kill cut one off, the whole call is computed again, and of it what the
 * journal does not have is kept.
 */
export class CachedModel implements LanguageModel {
  constructor(
    private readonly inner: LanguageModel,
    private readonly journal: Journal,
  ) {}

  get fingerprint() {
    return this.inner.fingerprint;
  }

  get contextSize() {
    return this.inner.contextSize;
  }

  get repeats() {
    return this.inner.repeats;
  }

  get usage() {
    return this.inner.usage;
  }

  countTokens(messages: readonly ChatMessage[]): number {
    const key = tokensKey(this.fingerprint, messages);
    const known = this.journal.recall("tokens", key);
    if (known !== undefined) return known.count;
    const count = this.inner.countTokens(messages);
    this.journal.record({ type: "tokens", key, count });
    return count;
  }

  async generate(
    requests: readonly GenerateRequest[],
    onCompletion?: (index: number, completion: Completion) => void,
    signal?: AbortSignal,
  ): Promise<Completion[]> {
    const { fingerprint } = this;
    const keys = requests.map((request) => completionKey(fingerprint, request));
    const completions = keys.map((key) => this.journal.recall("generation", key)?.completion);
    const isMissing = completions.map((completion) => completion === undefined);
    const wholeCall = this.repeats === "call" && isMissing.includes(true);
    const asked = [...requests.keys()].filter((index) => wholeCall || isMissing[index]);
    for (const [index, completion] of completions.entries()) {
      if (completion !== undefined) onCompletion?.(index, completion);
    }
    await this.inner.generate(
      asked.map((index) => requests[index] as GenerateRequest),
      (position, fresh) => {
        const index = asked[position] as number;
        if (!isMissing[index]) return;
        const completion = { ...fresh, logprobs: fresh.logprobs.map(toMicronats) };
        completions[index] = completion;
        this.journal.record({ type: "generation", key: keys[index] as string, fingerprint, completion });
        onCompletion?.(index, completion);
      },
      signal,
    );
    return completions as Completion[];
  }

  logprobs(messages: readonly ChatMessage[], tokens: readonly number[]): Promise<Float32Array> {
    return this.inner.logprobs(messages, tokens);
  }

  useAdapter(path: string | null): Promise<void> {
    return this.inner.useAdapter(path);
  }

  [Symbol.asyncDispose](): Promise<void> | PromiseLike<void> {
    return this.inner[Symbol.asyncDispose]();
  }
}

/** Six decimals are far below what two engines agree to, and halve the journal. */
const toMicronats = (logprob: number) => Math.round(logprob * 1e6) / 1e6;
