/** One turn of a conversation, in the form every chat template understands. */
export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** How the next token is drawn. The order of the steps is in `sampler.ts`. */
export interface Sampling {
  /** 0 takes the most likely token. */
  readonly temperature: number;
  /** Keep the k most likely tokens; 0 keeps all. */
  readonly topK: number;
  /** Keep the most likely tokens up to this much probability; 1 keeps all. */
  readonly topP: number;
  /** Drop tokens below this share of the most likely one's probability; 0 drops none. */
  readonly minP: number;
  /** Subtracted once from the logit of every token already generated. */
  readonly presencePenalty: number;
  /** Upper bound on generated tokens; the room left in the context bounds it too. */
  readonly maxTokens: number;
  /** Generation ends before the first of these strings, which is left out of the text. */
  readonly stop: readonly string[];
  /** Every completion keeps to this grammar, in llama.cpp's GBNF. Left out: anything goes. */
  readonly grammar?: string;
  /** Goes on after the end-of-turn token, up to `maxTokens`: for measuring. Defaults to `false`. */
  readonly ignoreEos?: boolean;
}

/** The sampling of the paper's code (configs/base.yaml, model.sampling). */
export const PAPER_SAMPLING: Sampling = Object.freeze({
  temperature: 0.7,
  topK: 20,
  topP: 0.8,
  minP: 0,
  presencePenalty: 0.5,
  maxTokens: 4096,
  stop: [],
});

/**
 * One completion asked for. Several samples of one prompt are several requests that differ in `sample`;
 * engines evaluate what their prompts share once.
 */
export interface GenerateRequest {
  readonly messages: readonly ChatMessage[];
  readonly sampling: Sampling;
  /** Any integer from 0 to 2³² − 1. */
  readonly seed: number;
  /** Which of the completions of this prompt, from 0. Mixed into the seed. */
  readonly sample: number;
}

/** What a model answered to one request, token by token. */
export interface Completion {
  /** What was generated, without the end-of-turn token and without the stop string. */
  readonly text: string;
  /** Generated token ids in order, the end-of-turn token included; none where a service does not tell them. */
  readonly tokens: readonly number[];
  /** How many there are, whether they are told or not. */
  readonly generatedTokens: number;
  /**
   * Natural logarithm of each generated token's probability under the model itself: before temperature,
   * penalties and truncation. One for each of `tokens`, in nats.
   */
  readonly logprobs: readonly number[];
  /** "stop": the model ended its turn or a stop string came; "length": no room was left. */
  readonly finishReason: "stop" | "length";
  readonly promptTokens: number;
  /** Wall time spent on this completion. */
  readonly seconds: number;
}

/** Counters since the model was opened. */
export interface Usage {
  completions: number;
  /** Prompt tokens of all requests, shared or not. */
  promptTokensAsked: number;
  /** Prompt tokens that were really evaluated; the rest came out of the KV cache. */
  promptTokensEvaluated: number;
  tokensGenerated: number;
  /** Seconds spent inside `generate` and `logprobs`. */
  seconds: number;
}

/** Everything that generates: an engine in this process, a service elsewhere, the journal of an earlier run. */
export interface LanguageModel extends AsyncDisposable {
  /** Identifies weights, adapter and vocabulary by content: the same fingerprint, the same answers. */
  readonly fingerprint: string;
  /** Tokens that prompt and completion share. */
  readonly contextSize: number;
  /**
   * The least that gives the same completions to the bit when it is asked again: one request, or one call with
   * all its requests. "nothing" where arithmetic depends on what came before.
   */
  readonly repeats: "request" | "call" | "nothing";
  readonly usage: Readonly<Usage>;
  /** Tokens of the rendered prompt, the opening of the answer's turn included. */
  countTokens(messages: readonly ChatMessage[]): number;
  /**
   * Completes all requests and returns the completions in their order. A completion depends on its own
   * request only, never on what it was batched with, up to what `repeats` says of its last bits.
   * @param onCompletion called as each completion is ready, in any order, so that it can be kept at once
   * @throws LseError when a prompt does not fit the context; `signal.reason` when aborted
   */
  generate(
    requests: readonly GenerateRequest[],
    onCompletion?: (index: number, completion: Completion) => void,
    signal?: AbortSignal,
  ): Promise<Completion[]>;
  /** Teacher-forced log-probabilities of `tokens` after the prompt, in nats, one per token. */
  logprobs(messages: readonly ChatMessage[], tokens: readonly number[]): Promise<Float32Array>;
  /** Puts a LoRA adapter (a GGUF file) on the weights, or takes it off with null. */
  useAdapter(path: string | null): Promise<void>;
}

export function emptyUsage(): Usage {
  return {
    completions: 0,
    promptTokensAsked: 0,
    promptTokensEvaluated: 0,
    tokensGenerated: 0,
    seconds: 0,
  };
}
