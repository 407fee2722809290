/** A model whose calls are kept as wholes, with what they took: ways that ask the same share them. */
import { appendFileSync, existsSync } from "node:fs";
import { hashJson } from "#lse/lib/hash.js";
import { mendLog, readLog } from "#lse/lib/json-lines.js";
import {
  type ChatMessage,
  type Completion,
  emptyUsage,
  type GenerateRequest,
  type LanguageModel,
} from "#lse/model.js";

/** One call of a model. */
export interface StoredCall {
  readonly key: string;
  readonly model: string;
  readonly seconds: number;
  readonly promptTokensEvaluated: number;
  readonly completions: readonly Pick<
    Completion,
    "text" | "finishReason" | "promptTokens" | "generatedTokens"
  >[];
}

/** The calls in a file of JSON lines. A call is kept when it is over. */
export class CallStore {
  readonly #calls = new Map<string, StoredCall>();

  /** @param earlier calls that are known beside those of the file */
  constructor(
    private readonly path: string,
    earlier: readonly StoredCall[] = [],
  ) {
    for (const call of earlier) this.#calls.set(call.key, call);
    if (!existsSync(path)) return;
    const log = readLog(path, {
      what: "a file of calls",
      begins: ['{"key":"'],
      isRecord: (value) => typeof (value as StoredCall | null)?.key === "string",
    });
    for (const line of log.lines) {
      const call = JSON.parse(line.toString()) as StoredCall;
      this.#calls.set(call.key, call);
    }
    mendLog(path, log);
  }

  get all(): StoredCall[] {
    return [...this.#calls.values()];
  }

  find(key: string): StoredCall | undefined {
    return this.#calls.get(key);
  }

  keep(call: StoredCall): void {
    this.#calls.set(call.key, call);
    appendFileSync(this.path, `${JSON.stringify(call)}\n`);
  }
}

/** What there is of a model that may not have to be opened. */
export interface ModelSource {
  readonly name: string;
  readonly contextSize: number;
  readonly open: () => Promise<LanguageModel>;
}

/** Answers from the store, and from the model where a call is new. `usage` has what the calls took when they were made. */
export class StoredModel implements LanguageModel {
  readonly usage = emptyUsage();
  readonly repeats = "call";
  #opened: LanguageModel | undefined;

  constructor(
    private readonly source: ModelSource,
    private readonly store: CallStore,
  ) {}

  get fingerprint(): string {
    return this.source.name;
  }

  get contextSize(): number {
    return this.source.contextSize;
  }

  /** At four characters a token: these prompts are far from filling the context. */
  countTokens(messages: readonly ChatMessage[]): number {
    return messages.reduce((sum, { content }) => sum + Math.ceil(content.length / 4), 0);
  }

  async generate(
    requests: readonly GenerateRequest[],
    onCompletion?: (index: number, completion: Completion) => void,
    signal?: AbortSignal,
  ): Promise<Completion[]> {
    const key = hashJson([this.source.name, requests]);
    const known = this.store.find(key);
    const call = known ?? (await this.#make(key, requests, signal));
    this.usage.seconds += call.seconds;
    this.usage.promptTokensEvaluated += call.promptTokensEvaluated;
    return call.completions.map((kept, i) => {
      const completion = { ...kept, tokens: [], logprobs: [], seconds: 0 };
      this.usage.completions++;
      this.usage.promptTokensAsked += kept.promptTokens;
      this.usage.tokensGenerated += kept.generatedTokens;
      onCompletion?.(i, completion);
      return completion;
    });
  }

  logprobs(): Promise<Float32Array> {
    throw new Error("not needed here");
  }

  useAdapter(): Promise<void> {
    throw new Error("not needed here");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened?.[Symbol.asyncDispose]();
  }

  async #make(key: string, requests: readonly GenerateRequest[], signal?: AbortSignal): Promise<StoredCall> {
    this.#opened ??= await this.source.open();
    const before = { ...this.#opened.usage };
    const completions = await this.#opened.generate(requests, undefined, signal);
    const call: StoredCall = {
      key,
      model: this.source.name,
      seconds: this.#opened.usage.seconds - before.seconds,
      promptTokensEvaluated: this.#opened.usage.promptTokensEvaluated - before.promptTokensEvaluated,
      completions: completions.map(({ text, finishReason, promptTokens, generatedTokens }) => ({
        text,
        finishReason,
        promptTokens,
        generatedTokens,
      })),
    };
    this.store.keep(call);
    return call;
  }
}
