/** An ONNX language model through transformers.js. */
import { availableParallelism } from "node:os";
import { LseError } from "../../errors.js";
import {
  type ChatMessage,
  type Completion,
  emptyUsage,
  type GenerateRequest,
  type LanguageModel,
} from "../../model.js";
import { ChatTemplate } from "../chat-template.js";
import { defaultContextSize, requireRoom } from "../context-size.js";
import { CallQueue } from "../llama/call-queue.js";
import { Generation, Scoring } from "../llama/jobs.js";
import type { TokenTexts } from "../llama/vocabulary.js";
import { commonPrefix, wholeBlocks } from "../prompt-blocks.js";
import { fingerprintWith, type TemplateSettings } from "../template-choice.js";
import { cutCache, NO_PAST, OnnxDecoder, type Past } from "./decoder.js";
import { readModelFolder } from "./model-folder.js";
import { onnxVocabularyOf } from "./vocabulary.js";

/** Which folder, and how its model is run. */
export interface OnnxOptions {
  /** A folder with `config.json`, `tokenizer.json`, `tokenizer_config.json` and `onnx/model.onnx`. */
  readonly folder: string;
  /** Tokens that prompt and completion share. Defaults to the model's own, at most 16,384. */
  readonly contextSize?: number;
  /** CPU threads. Defaults to all cores but one, which is left to the SQL processes. */
  readonly threads?: number;
  /** Which chat template, and what it is told. Defaults to the model's own. */
  readonly template?: TemplateSettings;
}

/** The last prompt, with what its evaluation left behind. */
interface Evaluated {
  readonly prompt: readonly number[];
  readonly past: Past;
  /** The logits behind it. */
  readonly row: Float32Array;
}

/** Tokens of a prompt that are evaluated together: larger blocks are hardly faster, smaller ones slower. */
const BLOCK = 64;

/**
 * An ONNX model through transformers.js, on the CPU: one request at a time. transformers.js returns keys and values
 * as plain tensors, so those of the prompt before are kept, cut to the blocks that the next prompt begins with, and
 * used again. ONNX Runtime computes on the thread that calls it: nothing else happens in this process during a step.
 */
export class OnnxModel implements LanguageModel {
  readonly repeats = "request";
  readonly usage = emptyUsage();
  readonly #calls = new CallQueue(this.usage);
  #last: Evaluated = { prompt: [], past: NO_PAST, row: new Float32Array() };

  /** @throws LseError for a folder that is no such model, or too large a context */
  static async open(options: OnnxOptions): Promise<OnnxModel> {
    const settings = options.template ?? {};
    const folder = await readModelFolder(options.folder, settings.name);
    const { path, trainedContext, chatTemplate, templateOrigin, fingerprint } = folder;
    const contextSize = options.contextSize ?? defaultContextSize(trainedContext);
    if (contextSize > trainedContext)
      throw new LseError(
        `${path}: a context of ${contextSize} tokens is asked for, and the model has ${trainedContext} positions`,
        `Give \`model.context\` at most ${trainedContext}`,
      );
    const vocabulary = onnxVocabularyOf(folder);
    const template = new ChatTemplate(chatTemplate, vocabulary, templateOrigin, settings);
    const decoder = await OnnxDecoder.open(
      folder,
      options.threads ?? Math.max(1, availableParallelism() - 1),
    );
    return new OnnxModel(fingerprintWith(fingerprint, settings), contextSize, {
      template,
      texts: vocabulary,
      decoder,
    });
  }

  private constructor(
    readonly fingerprint: string,
    readonly contextSize: number,
    private readonly parts: {
      readonly template: ChatTemplate;
      readonly texts: TokenTexts;
      readonly decoder: OnnxDecoder;
    },
  ) {}

  countTokens(messages: readonly ChatMessage[]): number {
    return this.parts.template.encode(messages).length;
  }

  generate(
    requests: readonly GenerateRequest[],
    onCompletion?: (index: number, completion: Completion) => void,
    signal?: AbortSignal,
  ): Promise<Completion[]> {
    return this.#calls.run(async () => {
      const completions: Completion[] = [];
      for (const [index, request] of requests.entries()) {
        const take = (completion: Completion) => {
          completions.push(completion);
          this.usage.completions++;
          this.usage.promptTokensAsked += completion.promptTokens;
          this.usage.tokensGenerated += completion.generatedTokens;
          onCompletion?.(index, completion);
        };
        await this.#complete(request, take, signal);
      }
      return completions;
    });
  }

  logprobs(messages: readonly ChatMessage[], tokens: readonly number[]): Promise<Float32Array> {
    return this.#calls.run(async () => {
      const prompt = this.parts.template.encode(messages);
      requireRoom(this.contextSize, prompt.length, tokens.length);
      const scoring = new Scoring(prompt, tokens);
      if (tokens.length === 0) return scoring.logprobs;
      let { row, past } = await this.#evaluate(prompt);
      scoring.take(row);
      for (let from = 0; from < scoring.tokens.length; from += BLOCK) {
        const block = scoring.tokens.slice(from, from + BLOCK);
        const step = await this.parts.decoder.step(block, past, block.length);
        for (row of step.rows) scoring.take(row);
        past = step.past;
      }
      return scoring.logprobs;
    });
  }

  async useAdapter(path: string | null): Promise<void> {
    if (path === null) return;
    throw new LseError(
      `${path}: an ONNX model takes no adapter`,
      "Use the model's GGUF, or merge the adapter into the weights before they are exported",
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#calls.idle();
    await this.parts.decoder.dispose();
  }

  /** @param onEnd gets the completion */
  async #complete(
    request: GenerateRequest,
    onEnd: (completion: Completion) => void,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    signal?.throwIfAborted();
    const { maxTokens, grammar } = request.sampling;
    if (grammar !== undefined)
      throw new LseError("An ONNX model cannot keep to a grammar", "Use a GGUF, or drop the grammar");
    const prompt = this.parts.template.encode(request.messages);
    requireRoom(this.contextSize, prompt.length, 1);
    const limit = Math.min(maxTokens, this.contextSize - prompt.length);
    const generation = new Generation({
      texts: this.parts.texts,
      request,
      prompt,
      limit,
      grammar: null,
      lookup: null,
      onEnd,
    });
    generation.begin();
    if (limit === 0) return generation.end(null);
    let { row, past } = await this.#evaluate(prompt, signal);
    while (!generation.take(row)) {
      signal?.throwIfAborted();
      const step = await this.parts.decoder.step(generation.tokens.slice(-1), past, 1);
      [row, past] = [step.rows[0] as Float32Array, step.past];
    }
  }

  /** Evaluates a prompt, but for the blocks that the one before began with. */
  async #evaluate(prompt: readonly number[], signal?: AbortSignal): Promise<Evaluated> {
    const shared = commonPrefix(this.#last.prompt, prompt);
    if (shared === prompt.length && shared === this.#last.prompt.length) return this.#last;
    const known = wholeBlocks(Math.min(shared, prompt.length - 1), BLOCK);
    let { row, past } = { row: this.#last.row, past: cutCache(this.#last.past, known) };
    this.usage.promptTokensEvaluated += prompt.length - known;
    for (let from = known; from < prompt.length; from += BLOCK) {
      signal?.throwIfAborted();
      const step = await this.parts.decoder.step(prompt.slice(from, from + BLOCK), past, 1);
      [row, past] = [step.rows[0] as Float32Array, step.past];
    }
    this.#last = { prompt, past, row };
    return this.#last;
  }
}
