/** The fast engine: all completions of a call at once, on libllama itself. */
import { join } from "node:path";
import type { LlamaModel as VocabularyModel } from "node-llama-cpp";
import { hashModel } from "../../gguf/parts.js";
import { hashJson } from "../../lib/hash.js";
import {
  type ChatMessage,
  type Completion,
  emptyUsage,
  type GenerateRequest,
  type LanguageModel,
} from "../../model.js";
import type { ChatTemplate } from "../chat-template.js";
import { defaultContextSize, requireRoom } from "../context-size.js";
import { fingerprintWith } from "../template-choice.js";
import { CallQueue } from "./call-queue.js";
import { MAX_SEQUENCES, NativeContext } from "./context.js";
import { Generation, Scoring } from "./jobs.js";
import { KvCache } from "./kv-cache.js";
import { adapterDoesNotFit, hashAdapter, loadModel, notEnoughMemory, precisionOf } from "./load.js";
import { EXPECTED, type NativeLlama, type NativeSource, nativeLlama, type Pointer } from "./native.js";
import { PinnedPrefixes, sharedTokens } from "./pinned-prefixes.js";
import { PrefixFolder } from "./prefix-files.js";
import { PromptLookup } from "./prompt-lookup.js";
import { Scheduler } from "./scheduler.js";
import { type SettingsOptions, settingsFor } from "./settings.js";
import type { EngineSettings } from "./tuner.js";
import { chatTemplateOf, tokenTextsOf, vocabularyOf } from "./vocabulary.js";
import { cellsFor, costOfCell, gpuLayersFor, loadWeights } from "./weights.js";

export interface FastLlamaOptions extends SettingsOptions {
  /**
   * Tokens whose keys and values are kept, for all completions and cached prompts together; at least
   * `contextSize`. Defaults to the context and 1,024 for each sequence, as far as half the free memory goes.
   */
  readonly kvCells?: number;
  /**
   * Whether each call starts with nothing in the cache but what its prompts share, so that the same call gives the same
   * completions to the bit, whatever came before it. Defaults to `false`.
   */
  readonly repeatable?: boolean;
  /** Whether tokens that came after the same few before are guessed to come again (`PromptLookup`). Defaults to `true`. */
  readonly drafts?: boolean;
  /** The folder in which a repeatable engine keeps what prompts share for later processes; null for none, the default. */
  readonly prefixFolder?: string | null;
  /** Seconds that a prefix must take to evaluate to be written there. Defaults to 1. */
  readonly prefixSeconds?: number;
  /** The library to use in place of node-llama-cpp's own, for tests of what happens when it does not fit. */
  readonly nativeSource?: NativeSource;
}

/** What an open model holds on to. */
interface LlamaModelParts {
  /** Its vocabulary alone. */
  readonly model: VocabularyModel;
  readonly modelHash: string;
  readonly template: ChatTemplate;
  readonly context: NativeContext;
  readonly cache: KvCache;
  readonly contextSize: number;
  readonly settings: EngineSettings;
  readonly hasDrafts: boolean;
  /** What calls share; null where the cache goes on from call to call. */
  readonly pinned: PinnedPrefixes | null;
}

/** Adapters kept in memory. */
const MOST_ADAPTERS = 4;

/**
 * A GGUF model on the libllama that node-llama-cpp ships: all requests of a call are generated together, and
 * what prompts share, within a call or with earlier ones, is evaluated once.
 *
 * A completion is drawn from its own seed and from logits that depend on its request alone, up to floating
 * point: llama.cpp adds up in an order that depends on how many tokens are evaluated together and on where
 * their cells lie. So logits differ a little with the company, and a token can change where two candidates, or
 * the draw and the border between two, are that close. How close is a matter of the weights' type: `precisionOf`.
 * With `repeatable`, the same call is at least the same to the bit.
 */
export class LlamaModel implements LanguageModel {
  readonly usage = emptyUsage();
  /** Tokens that were guessed before they came, and how many of them came. */
  readonly drafts = { proposed: 0, accepted: 0 };
  readonly #calls = new CallQueue(this.usage);
  readonly #adapters = new Map<string, Pointer>();
  readonly #scheduler: Scheduler;
  #adapterHash: string | null = null;

  /**
   * @throws LseError for a model that cannot be opened; NativeUnavailable when this engine cannot drive it and
   * `NodeLlamaCppModel` has to
   */
  static async open(options: FastLlamaOptions): Promise<LlamaModel> {
    const loaded = await loadModel(options, "vocabulary");
    let weights: Pointer = null;
    let native: NativeLlama | undefined;
    try {
      native = await nativeLlama(loaded.llama, options.nativeSource);
      const template = chatTemplateOf(loaded, options, {
        ...vocabularyOf(loaded.model),
        tokenize: remembering((text) => loaded.model.tokenize(text)),
      });
      const gpuLayers = await gpuLayersFor(loaded, options.gpuLayers ?? "auto");
      weights = await loadWeights(native, loaded, options.modelPath, gpuLayers);
      const contextSize = options.contextSize ?? defaultContextSize(native.model_n_ctx_train(weights));
      const modelHash = fingerprintWith(await hashModel(options.modelPath), options.template ?? {});
      const settings = await settingsFor(native, weights, loaded, template, modelHash, contextSize, options);
      const { threads, batchSize, sequences } = settings;
      const { kvType } = precisionOf(loaded);
      // Untuned, a GPU is left its "auto": it knows for which models it has flash attention.
      const flashAttention =
        options.tuning === undefined
          ? precisionOf(loaded, options.flashAttention).flashAttention
          : settings.flashAttention;
      const cells = await cellsFor(loaded, gpuLayers, contextSize, sequences, options.kvCells);
      const context = await NativeContext.create(native, weights, {
        threads,
        cells,
        batchSize,
        maxRows: sequences,
        flashAttention,
        kvType,
      });
      if (context === null) throw notEnoughMemory(contextSize);
      const cache = new KvCache(context, context.cells, MAX_SEQUENCES, costOfCell(native, weights));
      const folder = options.prefixFolder ?? null;
      // What the library finds in the processor and uses: processors of one name differ in it.
      const machine = [loaded.llama.systemInfo, loaded.llama.gpu, EXPECTED, gpuLayers];
      const conditions = [modelHash, ...machine, threads, batchSize, flashAttention, kvType];
      const files = folder === null ? null : new PrefixFolder(join(folder, "prefixes-1"), conditions);
      const { isEnd } = tokenTextsOf(loaded.model);
      const pinned = options.repeatable
        ? new PinnedPrefixes(context, cache, isEnd, files, options.prefixSeconds)
        : null;
      return new LlamaModel({
        model: loaded.model,
        modelHash,
        template,
        context,
        cache,
        contextSize,
        settings,
        pinned,
        hasDrafts: options.drafts ?? true,
      });
    } catch (error) {
      if (weights !== null) native?.model_free(weights);
      await loaded.model.dispose();
      throw error;
    }
  }

  readonly contextSize: number;
  /** What it runs with, found or given. */
  readonly settings: EngineSettings;
  readonly repeats: "call" | "nothing";

  private constructor(private readonly parts: LlamaModelParts) {
    const { context, cache, contextSize, settings, pinned } = parts;
    this.contextSize = contextSize;
    this.settings = settings;
    this.repeats = pinned === null ? "nothing" : "call";
    this.#scheduler = new Scheduler(context, cache, settings.sequences);
  }

  /** Tokens that the KV cache holds. */
  get kvCells(): number {
    return this.parts.context.cells;
  }

  get fingerprint(): string {
    return this.#adapterHash === null
      ? this.parts.modelHash
      : hashJson([this.parts.modelHash, this.#adapterHash]);
  }

  /** Seconds of `usage.seconds` in which it waited for llama.cpp; the rest is its own JavaScript. */
  get decodeSeconds(): number {
    return this.#scheduler.decoding / 1000;
  }

  /** Tokens of the rendered prompt, the opening of the answer's turn included. */
  encode(messages: readonly ChatMessage[]): readonly number[] {
    return this.parts.template.encode(messages);
  }

  countTokens(messages: readonly ChatMessage[]): number {
    return this.encode(messages).length;
  }

  generate(
    requests: readonly GenerateRequest[],
    onCompletion?: (index: number, completion: Completion) => void,
    signal?: AbortSignal,
  ): Promise<Completion[]> {
    return this.#calls.run(async () => {
      signal?.throwIfAborted();
      const completions: Completion[] = [];
      const generations: Generation[] = [];
      try {
        for (const [index, request] of requests.entries()) {
          const generation = this.#generation(request, (completion) => {
            completions[index] = completion;
            this.usage.completions++;
            this.usage.promptTokensAsked += completion.promptTokens;
            this.usage.tokensGenerated += completion.generatedTokens;
            onCompletion?.(index, completion);
          });
          generations.push(generation);
        }
        for (const generation of generations) if (generation.limit === 0) generation.end(null);
        await this.#evaluate(
          generations.filter(({ limit }) => limit > 0),
          requests[0]?.messages ?? [],
          signal,
        );
        return completions;
      } finally {
        for (const { grammar, lookup } of generations) {
          grammar?.free();
          this.drafts.proposed += lookup?.proposed ?? 0;
          this.drafts.accepted += lookup?.accepted ?? 0;
        }
      }
    });
  }

  logprobs(messages: readonly ChatMessage[], tokens: readonly number[]): Promise<Float32Array> {
    return this.#calls.run(async () => {
      const prompt = this.parts.template.encode(messages);
      requireRoom(this.contextSize, prompt.length, tokens.length);
      const scoring = new Scoring(prompt, tokens);
      if (tokens.length > 0) await this.#evaluate([scoring], messages);
      return scoring.logprobs;
    });
  }

  useAdapter(path: string | null): Promise<void> {
    return this.#calls.run(async () => {
      if (path === null) {
        this.parts.context.setAdapter(null);
        this.#adapterHash = null;
        return;
      }
      const hash = await hashAdapter(path);
      this.parts.context.setAdapter(this.#adapters.get(hash) ?? this.#loadAdapter(path, hash));
      this.#adapterHash = hash;
      for (const [other, adapter] of this.#adapters) {
        if (this.#adapters.size <= MOST_ADAPTERS) break;
        if (other === hash) continue;
        this.parts.context.freeAdapter(adapter);
        this.#adapters.delete(other);
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#calls.run(async () => {
      this.parts.pinned?.close();
      this.parts.context.freeAll();
    });
    await this.parts.model.dispose();
  }

  #generation(request: GenerateRequest, onEnd: (completion: Completion) => void): Generation {
    const prompt = this.parts.template.encode(request.messages);
    requireRoom(this.contextSize, prompt.length, 1);
    const { maxTokens, grammar } = request.sampling;
    const limit = Math.min(maxTokens, this.contextSize - prompt.length);
    const state = grammar === undefined ? null : this.parts.context.grammar(grammar);
    return new Generation({
      texts: tokenTextsOf(this.parts.model),
      request,
      prompt,
      limit,
      grammar: state,
      lookup: this.parts.hasDrafts ? new PromptLookup(prompt) : null,
      onEnd,
    });
  }

  /** @param messages of the first job */
  async #evaluate(
    jobs: readonly (Generation | Scoring)[],
    messages: readonly ChatMessage[],
    signal?: AbortSignal,
  ): Promise<void> {
    const name = this.#adapterHash ?? "";
    const { pinned } = this.parts;
    if (pinned !== null && jobs.length > 0) {
      const prompts = jobs.map(({ prompt }) => prompt);
      const shared = sharedTokens(prompts, () => this.#opening(messages));
      this.usage.promptTokensEvaluated += await pinned.place(name, shared, signal);
    }
    const before = this.#scheduler.promptTokensEvaluated;
    try {
      await this.#scheduler.run(name, jobs, signal);
    } finally {
      this.usage.promptTokensEvaluated += this.#scheduler.promptTokensEvaluated - before;
    }
  }

  /** What a prompt begins with whatever comes after its first message. */
  #opening([first, ...others]: readonly ChatMessage[]): readonly number[] {
    if (first === undefined || others.length === 0) return [];
    return this.encode([first, ...others.map(({ role }) => ({ role, content: "?" }))]);
  }

  #loadAdapter(path: string, hash: string): Pointer {
    const adapter = this.parts.context.loadAdapter(path);
    if (adapter === null) throw adapterDoesNotFit(path);
    this.#adapters.set(hash, adapter);
    return adapter;
  }
}

/** Most prompts repeat texts: schema and instructions are the same in all requests of a round. */
function remembering(tokenize: (text: string) => number[]): (text: string) => number[] {
  const known = new Map<string, number[]>();
  return (text) => {
    let tokens = known.get(text);
    if (tokens === undefined) {
      tokens = tokenize(text);
      if (known.size === 256) known.clear();
      known.set(text, tokens);
    }
    return tokens;
  };
}
