/** The exact engine, on node-llama-cpp's public API: one answer at a time. */
import { InsufficientMemoryError, type LlamaContext, type LlamaContextSequence } from "node-llama-cpp";
import { LseError } from "../../errors.js";
import { hashModel } from "../../gguf/parts.js";
import { hashJson } from "../../lib/hash.js";
import { deriveSeed, uniformStream } from "../../lib/random.js";
import {
  type ChatMessage,
  type Completion,
  emptyUsage,
  type GenerateRequest,
  type LanguageModel,
} from "../../model.js";
import type { ChatTemplate } from "../chat-template.js";
import { defaultContextSize, requireRoom } from "../context-size.js";
import { commonPrefix, wholeBlocks } from "../prompt-blocks.js";
import { type Candidate, candidatesNeeded, sampleToken } from "../sampler.js";
import { fingerprintWith } from "../template-choice.js";
import { CallQueue } from "./call-queue.js";
import {
  adapterDoesNotFit,
  hashAdapter,
  type LlamaOptions,
  type LoadedModel,
  loadModel,
  notEnoughMemory,
  precisionOf,
} from "./load.js";
import { asTokens, chatTemplateOf, firstOccurrence } from "./vocabulary.js";

/** Tokens of a prompt that are evaluated together. */
const BLOCK = 128;

/**
 * A GGUF model through node-llama-cpp's public API: one sequence, one request at a time, the prompt's
 * longest cached prefix reused. Simple and exact; the yardstick for faster engines.
 */
export class NodeLlamaCppModel implements LanguageModel {
  readonly repeats = "request";
  readonly usage = emptyUsage();
  readonly contextSize: number;
  readonly #loaded: LoadedModel;
  readonly #modelHash: string;
  readonly #template: ChatTemplate;
  #context: LlamaContext;
  #sequence: LlamaContextSequence;
  #adapterHash: string | null = null;
  /** The prompt whose whole blocks lie in the cache. */
  #cached: readonly number[] = [];
  /** One sequence can serve only one call. */
  readonly #calls = new CallQueue(this.usage);

  static async open(options: LlamaOptions): Promise<NodeLlamaCppModel> {
    const loaded = await loadModel(options);
    try {
      const template = chatTemplateOf(loaded, options);
      const modelHash = fingerprintWith(await hashModel(options.modelPath), options.template ?? {});
      const contextSize = options.contextSize ?? defaultContextSize(loaded.model.trainContextSize);
      const context = await createContext(loaded, contextSize, null);
      return new NodeLlamaCppModel(loaded, modelHash, template, context);
    } catch (error) {
      await loaded.model.dispose();
      throw error;
    }
  }

  private constructor(loaded: LoadedModel, modelHash: string, template: ChatTemplate, context: LlamaContext) {
    this.#loaded = loaded;
    this.#modelHash = modelHash;
    this.#template = template;
    this.#context = context;
    this.#sequence = context.getSequence();
    // The library keeps the last cell for itself: past it, it would shift the context.
    this.contextSize = context.contextSize - 1;
  }

  get fingerprint(): string {
    return this.#adapterHash === null ? this.#modelHash : hashJson([this.#modelHash, this.#adapterHash]);
  }

  countTokens(messages: readonly ChatMessage[]): number {
    return this.#template.encode(messages).length;
  }

  generate(
    requests: readonly GenerateRequest[],
    onCompletion?: (index: number, completion: Completion) => void,
    signal?: AbortSignal,
  ): Promise<Completion[]> {
    return this.#calls.run(async () => {
      const completions: Completion[] = [];
      for (const [index, request] of requests.entries()) {
        const completion = await this.#complete(request, signal);
        completions.push(completion);
        onCompletion?.(index, completion);
      }
      return completions;
    });
  }

  logprobs(messages: readonly ChatMessage[], tokens: readonly number[]): Promise<Float32Array> {
    return this.#calls.run(async () => {
      const prompt = this.#template.encode(messages);
      requireRoom(this.contextSize, prompt.length, tokens.length);
      await this.#prefill(prompt);
      const inputs = [prompt.at(-1) as number, ...tokens.slice(0, -1)];
      const logprobs = new Float32Array(tokens.length);
      for (const [i, input] of inputs.slice(0, tokens.length).entries()) {
        const target = tokens[i] as number;
        const next = await this.#evaluate(input, 1, [target]);
        logprobs[i] = (next.logits.get(target) as number) - next.logNormaliser;
      }
      return logprobs;
    });
  }

  useAdapter(path: string | null): Promise<void> {
    return this.#calls.run(async () => {
      const hash = path === null ? null : await hashAdapter(path);
      if (hash === this.#adapterHash) return;
      const context = await createContext(this.#loaded, this.contextSize + 1, path);
      await this.#context.dispose();
      this.#context = context;
      this.#sequence = context.getSequence();
      this.#cached = [];
      this.#adapterHash = hash;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#calls.idle();
    await this.#loaded.model.dispose();
  }

  async #complete(request: GenerateRequest, signal?: AbortSignal): Promise<Completion> {
    const started = performance.now();
    const { sampling } = request;
    if (sampling.grammar !== undefined) {
      throw new LseError("This engine cannot keep to a grammar", "Use the fast engine, or drop the grammar");
    }
    const prompt = this.#template.encode(request.messages);
    requireRoom(this.contextSize, prompt.length, 1);
    await this.#prefill(prompt);

    const uniform = uniformStream(deriveSeed(request.seed, request.sample));
    const generated = new Set<number>();
    const tokens: number[] = [];
    const logprobs: number[] = [];
    const limit = Math.min(sampling.maxTokens, this.contextSize - prompt.length);
    let stoppedAt: number | null = null;
    let last = prompt.at(-1) as number;
    let text = "";
    while (tokens.length < limit && stoppedAt === null) {
      signal?.throwIfAborted();
      const needed = candidatesNeeded(sampling, generated.size) ?? Number.MAX_SAFE_INTEGER;
      const next = await this.#evaluate(last, needed, []);
      last = sampleToken(toCandidates(next.logits), sampling, generated, uniform());
      tokens.push(last);
      generated.add(last);
      logprobs.push((next.logits.get(last) as number) - next.logNormaliser);
      const isEnd = sampling.ignoreEos !== true && this.#loaded.model.isEogToken(asTokens([last])[0]);
      if (isEnd) stoppedAt = Number.POSITIVE_INFINITY;
      else if (sampling.stop.length > 0) {
        text = this.#loaded.model.detokenize(asTokens(tokens));
        stoppedAt = firstOccurrence(text, sampling.stop);
      }
    }
    text = this.#loaded.model.detokenize(asTokens(tokens));
    const seconds = (performance.now() - started) / 1000;
    this.usage.completions++;
    this.usage.promptTokensAsked += prompt.length;
    this.usage.tokensGenerated += tokens.length;
    return {
      text: text.slice(0, stoppedAt ?? undefined),
      tokens,
      generatedTokens: tokens.length,
      logprobs,
      finishReason: stoppedAt === null ? "length" : "stop",
      promptTokens: prompt.length,
      seconds,
    };
  }

  /** Brings all but the prompt's last token into the cache. The last one is evaluated when its logits are. */
  async #prefill(prompt: readonly number[]): Promise<void> {
    const body = prompt.length - 1;
    let position = wholeBlocks(Math.min(commonPrefix(this.#cached, prompt), body), BLOCK);
    await this.#sequence.eraseContextTokenRanges([{ start: position, end: this.#sequence.nextTokenIndex }]);
    this.#cached = prompt.slice(0, position);
    this.usage.promptTokensEvaluated += prompt.length - position;
    while (position < body) {
      const end = Math.min(position + BLOCK, body);
      await this.#sequence.evaluateWithoutGeneratingNewTokens(asTokens(prompt.slice(position, end)));
      position = end;
    }
    this.#cached = prompt.slice(0, wholeBlocks(body, BLOCK));
  }

  /** Evaluates one token and returns the logits of the `top` most likely next ones and of `also`. */
  async #evaluate(token: number, top: number, also: readonly number[]): Promise<NextLogits> {
    const [output] = await this.#sequence.controlledEvaluate([
      [
        asTokens([token])[0] as never,
        {
          generateNext: {
            totalLogitWeight: true,
            logits:
              top > this.#vocabularySize ? true : { filter: { tokens: asTokens(also), includeTop: top } },
            options: { temperature: 0 },
          },
        },
      ],
    ]);
    const { logits, totalLogitWeight } = output?.next ?? {};
    const highest = logits?.values().next().value;
    if (logits === undefined || highest === undefined || totalLogitWeight === undefined) {
      throw new Error("node-llama-cpp returned no logits");
    }
    return { logits, logNormaliser: highest + Math.log(totalLogitWeight) };
  }

  get #vocabularySize(): number {
    return this.#loaded.model.fileInfo.metadata.tokenizer?.ggml?.tokens?.length ?? Number.MAX_SAFE_INTEGER;
  }
}

interface NextLogits {
  /** Token to logit, the highest first. */
  readonly logits: ReadonlyMap<number, number>;
  /** ln Σ exp(logit) over the whole vocabulary. */
  readonly logNormaliser: number;
}

async function createContext(
  loaded: LoadedModel,
  contextSize: number,
  adapter: string | null,
): Promise<LlamaContext> {
  const { model, threads } = loaded;
  const { flashAttention, kvType } = precisionOf(loaded);
  try {
    return await model.createContext({
      contextSize,
      threads: { ideal: threads, min: threads },
      batchSize: BLOCK,
      flashAttention,
      experimentalKvCacheKeyType: kvType,
      experimentalKvCacheValueType: kvType,
      ...(adapter === null ? {} : { lora: adapter }),
    });
  } catch (cause) {
    if (cause instanceof InsufficientMemoryError) throw notEnoughMemory(contextSize, cause);
    throw adapter === null ? cause : adapterDoesNotFit(adapter, cause);
  }
}

const toCandidates = (logits: ReadonlyMap<number, number>): Candidate[] =>
  Array.from(logits, ([token, logit]) => ({ token, logit }));
