/** A model behind a service: parallel requests, further attempts, estimated token counts. */
import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { LseError } from "../../errors.js";
import { hashJson } from "../../lib/hash.js";
import { pause } from "../../lib/time-limit.js";
import {
  type ChatMessage,
  type Completion,
  emptyUsage,
  type GenerateRequest,
  type LanguageModel,
} from "../../model.js";
import { requireRoom } from "../context-size.js";
import { costOf, type Price, type Purse } from "../price.js";
import { Refusal } from "./refusal.js";
import { type ChatReply, type ChatService, explained } from "./service.js";

export interface RemoteOptions {
  readonly contextSize: number;
  /** Requests under way at once. */
  readonly parallel: number;
  /** Requests begun in a minute; none: as many as there are. */
  readonly requestsPerMinute?: number | undefined;
  /** Attempts at one request. */
  readonly attempts: number;
  readonly price?: Price | undefined;
  /** Told what the service asks for, such as to wait. */
  readonly say?: ((line: string) => void) | undefined;
  /** Takes the cost of each request. */
  readonly purse?: Purse | undefined;
}

/** Bytes of a prompt to a token: English has four, so that this errs on the high side. */
const BYTES_PER_TOKEN = 3;
/** What a message costs beside its text. */
const MESSAGE_TOKENS = 8;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
/** A wait that the user is told of. */
const NOTICE_MS = 1000;

/**
 * A model behind a web service. It has no tokenizer here: lengths of prompts are estimates, and completions have neither
 * token ids nor logprobs. The service may answer the same request in another way each time.
 */
export class RemoteModel implements LanguageModel {
  readonly repeats = "nothing";
  readonly fingerprint: string;
  readonly usage = emptyUsage();
  /** Completions whose tokens the service did not count; what `usage` has of them is estimated. */
  estimated = 0;
  /** When the next request may begin. */
  #next = 0;
  /** When the service may be asked again, as far as it said so. */
  #pausedUntil = 0;

  constructor(
    private readonly service: ChatService,
    private readonly options: RemoteOptions,
  ) {
    this.fingerprint = hashJson(["remote", service.name]);
  }

  get contextSize(): number {
    return this.options.contextSize;
  }

  countTokens(messages: readonly ChatMessage[]): number {
    return messages.reduce(
      (sum, { content }) => sum + MESSAGE_TOKENS + Math.ceil(Buffer.byteLength(content) / BYTES_PER_TOKEN),
      0,
    );
  }

  /** @throws LseError as soon as nothing is under way any more; what was answered until then has been handed out */
  async generate(
    requests: readonly GenerateRequest[],
    onCompletion?: (index: number, completion: Completion) => void,
    signal?: AbortSignal,
  ): Promise<Completion[]> {
    const started = performance.now();
    // One listener on the caller's signal, however many requests there are: each adds its own to this one.
    const stop = signal === undefined ? undefined : AbortSignal.any([signal]);
    if (stop !== undefined) setMaxListeners(0, stop);
    const completions: Completion[] = [];
    const waiting = requests.entries();
    let failure: { readonly error: unknown } | undefined;
    const work = async () => {
      for (const [index, request] of waiting) {
        try {
          stop?.throwIfAborted();
          const completion = await this.#complete(request, () => failure !== undefined, stop);
          if (completion === null) return;
          completions[index] = completion;
          onCompletion?.(index, completion);
        } catch (error) {
          failure ??= { error };
        }
        if (failure !== undefined) return;
      }
    };
    await Promise.all(Array.from({ length: Math.min(this.options.parallel, requests.length) }, work));
    this.usage.seconds += (performance.now() - started) / 1000;
    if (failure !== undefined) throw (failure as { error: unknown }).error;
    return completions;
  }

  async logprobs(): Promise<Float32Array> {
    throw new LseError(
      `${this.service.name} does not tell log-probabilities of given tokens`,
      "Use a GGUF file for this",
    );
  }

  async useAdapter(path: string | null): Promise<void> {
    if (path === null) return;
    throw new LseError(
      `${path}: no adapter can be put on ${this.service.name}`,
      "Serve the adapted model under a name of its own, or use a GGUF file",
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** @returns null when it was given up before anything was asked */
  async #complete(
    request: GenerateRequest,
    isGivenUp: () => boolean,
    signal: AbortSignal | undefined,
  ): Promise<Completion | null> {
    const { messages, sampling } = request;
    if (sampling.grammar !== undefined)
      throw new LseError(`${this.service.name} cannot keep to a grammar`, "Leave edits unconstrained");
    const promptAtMost = this.countTokens(messages);
    requireRoom(this.contextSize, promptAtMost, 1);
    const { price, purse } = this.options;
    const atMost = price === undefined ? 0 : costOf(price, promptAtMost, sampling.maxTokens);
    await purse?.reserve(atMost);
    let paid = 0;
    try {
      await this.#turn(signal);
      if (isGivenUp()) return null;
      const started = performance.now();
      const { text, reasoning, finishReason, ...counted } = await this.#ask(request, signal);
      if (counted.promptTokens === null || counted.generatedTokens === null) this.estimated++;
      const promptTokens = counted.promptTokens ?? promptAtMost;
      const generatedTokens =
        counted.generatedTokens ?? this.countTokens([{ role: "assistant", content: reasoning + text }]);
      this.usage.completions++;
      this.usage.promptTokensAsked += promptTokens;
      this.usage.promptTokensEvaluated += promptTokens;
      this.usage.tokensGenerated += generatedTokens;
      if (price !== undefined) paid = costOf(price, promptTokens, generatedTokens);
      const seconds = (performance.now() - started) / 1000;
      return { text, finishReason, tokens: [], logprobs: [], generatedTokens, promptTokens, seconds };
    } finally {
      purse?.pay(atMost, paid);
    }
  }

  /** Asks until there is an answer, or further attempts are of no use. */
  async #ask(request: GenerateRequest, signal: AbortSignal | undefined): Promise<ChatReply> {
    const { name, variable } = this.service;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#pause(signal);
        return await this.service.ask(request, signal);
      } catch (error) {
        signal?.throwIfAborted();
        if (attempt >= this.options.attempts || (error instanceof Refusal && !error.isPassing)) {
          const { problem, nextStep } = explained(error, attempt, variable);
          throw new LseError(`${name}: ${problem}`, nextStep);
        }
        if (error instanceof Refusal && error.waitMs) this.#obey(error, error.waitMs);
        else
          await sleep(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempt - 1)), undefined, { signal });
      }
    }
  }

  /** Keeps all requests back for as long as the service asks. */
  #obey({ status, message }: Refusal, waitMs: number): void {
    const until = performance.now() + waitMs;
    if (until <= this.#pausedUntil) return;
    // Requests that were refused at once ask for much the same.
    if (until > this.#pausedUntil + NOTICE_MS && waitMs >= NOTICE_MS)
      this.options.say?.(`asks to wait for ${Math.ceil(waitMs / 1000)} s (${status} ${message}): waiting`);
    this.#pausedUntil = until;
  }

  async #pause(signal: AbortSignal | undefined): Promise<void> {
    for (let left = this.#left(); left > 0; left = this.#left()) await sleep(left, undefined, { signal });
  }

  #left(): number {
    return Math.ceil(this.#pausedUntil - performance.now());
  }

  /** Waits until a further request may begin. */
  async #turn(signal: AbortSignal | undefined): Promise<void> {
    const { requestsPerMinute } = this.options;
    if (requestsPerMinute === undefined) return;
    const now = performance.now();
    const start = Math.max(now, this.#next);
    this.#next = start + 60_000 / requestsPerMinute;
    await pause(start - now, signal);
  }
}
