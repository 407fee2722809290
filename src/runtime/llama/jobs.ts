/** What the scheduler works on: a completion that is drawn, or tokens whose logprobs are wanted. */
import { LseError } from "../../errors.js";
import { deriveSeed, uniformStream } from "../../lib/random.js";
import type { Completion, GenerateRequest } from "../../model.js";
import { type Candidate, candidatesNeeded, sampleFromRow, sampleToken } from "../sampler.js";
import type { Grammar } from "./grammar.js";
import { logSumExp, rowTokens, TopTokens } from "./logits.js";
import type { PromptLookup } from "./prompt-lookup.js";
import type { Job } from "./scheduler.js";
import { firstOccurrence, type TokenTexts } from "./vocabulary.js";

const top = new TopTokens();

/** What a completion is drawn from. */
export interface GenerationParts {
  readonly texts: TokenTexts;
  readonly request: GenerateRequest;
  readonly prompt: readonly number[];
  /** Most tokens to generate. */
  readonly limit: number;
  /** What the request asks for, or null; to be freed by the caller. */
  readonly grammar: Grammar | null;
  /** Guesses what comes next, or null for no guesses. */
  readonly lookup: PromptLookup | null;
  /** Gets the completion. */
  readonly onEnd: (completion: Completion) => void;
}

/** Draws a completion token by token, from the same numbers and in the same way as every other engine. */
export class Generation implements Job {
  readonly tokens: number[] = [];
  readonly #request: GenerateRequest;
  readonly #logprobs: number[] = [];
  readonly #generated = new Set<number>();
  readonly #uniform: () => number;
  /** Tokens at the end in which a stop string that has just been completed must lie. */
  readonly #tail: number;
  #started: number | null = null;

  readonly prompt: readonly number[];
  readonly limit: number;
  readonly grammar: Grammar | null;
  readonly lookup: PromptLookup | null;

  constructor(private readonly parts: GenerationParts) {
    const { request, prompt, limit, grammar, lookup } = parts;
    this.prompt = prompt;
    this.limit = limit;
    this.grammar = grammar;
    this.lookup = lookup;
    this.#request = request;
    this.#uniform = uniformStream(deriveSeed(request.seed, request.sample));
    // A token is at least one byte of text; a few more, because the first ones may begin inside a character.
    const bytes = request.sampling.stop.map((string) => Buffer.byteLength(string));
    this.#tail = bytes.length === 0 ? 0 : Math.max(...bytes) + 8;
  }

  begin(): void {
    this.#started ??= performance.now();
  }

  draft(most: number): readonly number[] {
    const room = this.limit - this.tokens.length - 1;
    return this.lookup?.propose(this.tokens, Math.min(most, room)) ?? [];
  }

  take(row: Float32Array): boolean {
    this.begin();
    const { sampling } = this.#request;
    const token =
      this.grammar === null
        ? sampleFromRow(rowTokens(row), sampling, this.#generated, this.#uniform())
        : this.#constrained(this.grammar, row);
    this.grammar?.accept(token);
    this.tokens.push(token);
    this.#generated.add(token);
    this.#logprobs.push((row[token] as number) - logSumExp(row));

    const isEnd = sampling.ignoreEos !== true && this.parts.texts.isEnd(token);
    const stoppedAt = isEnd ? Number.POSITIVE_INFINITY : this.#findStop(sampling.stop);
    if (stoppedAt === null && this.tokens.length < this.limit) return false;
    this.end(stoppedAt);
    return true;
  }

  /** Hands over the completion, of which the text ends at `stoppedAt` unless no room was left. */
  end(stoppedAt: number | null): void {
    this.parts.onEnd({
      text: this.parts.texts.detokenize(this.tokens).slice(0, stoppedAt ?? undefined),
      tokens: this.tokens,
      generatedTokens: this.tokens.length,
      logprobs: this.#logprobs,
      finishReason: stoppedAt === null ? "length" : "stop",
      promptTokens: this.prompt.length,
      seconds: (performance.now() - (this.#started ?? performance.now())) / 1000,
    });
  }

  /** A token that a grammar allows. */
  #constrained(grammar: Grammar, row: Float32Array): number {
    const { sampling } = this.#request;
    const needed = candidatesNeeded(sampling, this.#generated.size) ?? row.length;
    return sampleToken(this.#allowed(grammar, row, needed), sampling, this.#generated, this.#uniform());
  }

  /** The most likely tokens that a grammar allows: `needed` of them, or more, or all there are. */
  #allowed(grammar: Grammar, row: Float32Array, needed: number): Candidate[] {
    // To ask about a token costs more than to find it, so those are asked about that come into question.
    for (let count = needed; ; count *= 8) {
      const allowed = grammar.allowed(top.of(row, count));
      if (allowed.length >= needed) return allowed;
      if (count < row.length) continue;
      if (allowed.length > 0) return allowed;
      throw new LseError(
        "The grammar allows no token of this model's vocabulary to come next",
        "Correct the grammar",
      );
    }
  }

  /** Where in the text a stop string begins, or null. The whole text is only read when its end has one. */
  #findStop(stop: readonly string[]): number | null {
    if (this.#tail === 0) return null;
    const end = this.parts.texts.detokenize(this.tokens.slice(-this.#tail));
    if (firstOccurrence(end, stop) === null) return null;
    return firstOccurrence(this.parts.texts.detokenize(this.tokens), stop);
  }
}

/** Reads off the log-probabilities of given tokens, of which there is at least one. */
export class Scoring implements Job {
  readonly logprobs: Float32Array;
  readonly tokens: readonly number[];
  #scored = 0;

  constructor(
    readonly prompt: readonly number[],
    private readonly targets: readonly number[],
  ) {
    this.logprobs = new Float32Array(targets.length);
    // No row after the last token is needed.
    this.tokens = targets.slice(0, -1);
  }

  take(row: Float32Array): boolean {
    const target = this.targets[this.#scored] as number;
    this.logprobs[this.#scored++] = (row[target] as number) - logSumExp(row);
    return this.#scored === this.targets.length;
  }
}
