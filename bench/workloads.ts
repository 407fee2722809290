/** What the bench asks of models: the workloads, their sizes, and random prompts of exact length. */
import type { ShapeName } from "#lse/gguf/random-model.js";
import type { ChatMessage } from "#lse/model.js";
import { uniformNumbers } from "./numbers.js";

export const WORKLOADS = ["plain-decode", "evolve-round", "holdout"] as const;
export type WorkloadName = (typeof WORKLOADS)[number];

/** The shapes the bench knows sizes for. */
export const SHAPES = ["1m", "25m", "0.6b"] as const satisfies readonly ShapeName[];
export type BenchShape = (typeof SHAPES)[number];

/** How large one workload is. All lengths are in tokens and exact. */
export interface Size {
  /** Different prompts. */
  readonly prompts: number;
  /** Completions of each prompt. */
  readonly samples: number;
  /** What all prompts begin with: schema and instructions. 0 for prompts that share nothing but the template. */
  readonly prefix: number;
  /** The rest of each prompt: its question. */
  readonly suffix: number;
  /** Generated for each completion. */
  readonly generate: number;
}

/** The sizes that figures are meant for. */
export const FULL_SIZES: Record<WorkloadName, Size> = {
  "plain-decode": { prompts: 32, samples: 1, prefix: 0, suffix: 30, generate: 200 },
  "evolve-round": { prompts: 64, samples: 1, prefix: 600, suffix: 30, generate: 30 },
  holdout: { prompts: 50, samples: 8, prefix: 600, suffix: 30, generate: 30 },
};

export type Scale = "full" | "default" | "quick";

type Sizes = Partial<Record<BenchShape, Partial<Record<WorkloadName, Partial<Size>>>>>;

/** Fewer and shorter completions where the full size takes hours; the prompts stay as they are. */
const DEFAULT_SIZES: Sizes = {
  "1m": { holdout: { prompts: 16 } },
  "25m": { "plain-decode": { generate: 100 }, holdout: { prompts: 8 } },
  "0.6b": {
    "plain-decode": { prompts: 8, generate: 16 },
    "evolve-round": { prompts: 8, generate: 10 },
    holdout: { prompts: 2, generate: 10 },
  },
};

/** For a run that has to end within a minute. */
const QUICK_SIZES: Sizes = {
  "1m": {
    "plain-decode": { prompts: 8, generate: 60 },
    "evolve-round": { prompts: 8, generate: 16 },
    holdout: { prompts: 2, samples: 4, generate: 16 },
  },
  "25m": {
    "plain-decode": { prompts: 8, generate: 20 },
    "evolve-round": { prompts: 8, generate: 20 },
    holdout: { prompts: 1, generate: 20 },
  },
  "0.6b": DEFAULT_SIZES["0.6b"] ?? {},
};

export function sizeOf(shape: BenchShape, workload: WorkloadName, scale: Scale): Size {
  const sizes = { full: {}, default: DEFAULT_SIZES, quick: QUICK_SIZES }[scale] as Sizes;
  return { ...FULL_SIZES[workload], ...sizes[shape]?.[workload] };
}

/** The same kind of work with at most this many completions, to choose settings by. */
export function smaller(size: Size, completions: number): Size {
  return { ...size, prompts: Math.max(1, Math.min(size.prompts, Math.floor(completions / size.samples))) };
}

export interface Prompt {
  readonly messages: readonly ChatMessage[];
  /** The same messages as the model's chat template and tokenizer make them. */
  readonly tokens: readonly number[];
}

/** One call's worth of work: every contestant completes every prompt `samples` times, greedily. */
export interface Work {
  readonly prompts: readonly Prompt[];
  readonly samples: number;
  readonly generate: number;
  /** Tokens that all prompts begin with. */
  readonly sharedTokens: number;
}

/** Messages to the token ids of the rendered prompt. */
export type Encode = (messages: readonly ChatMessage[]) => number[];

/** Tokens that a work of this size generates in all. */
export const tokensToGenerate = ({ prompts, samples, generate }: Size) => prompts * samples * generate;

/**
 * Random texts with exact token counts. No two questions of one work begin with the same token, so the prompts
 * share the prefix and nothing else.
 * @param prefixSeed names the prefix: the same one gives a repeat on a prefix that was seen before
 * @param questionSeed names the questions
 */
export function makeWork(encode: Encode, size: Size, prefixSeed: string, questionSeed: string): Work {
  const { samples, generate } = size;
  const questionWord = words(questionSeed);
  const opening = new Set<number>();
  let system: readonly ChatMessage[] = [];
  if (size.prefix > 0) {
    const text = textOf(words(prefixSeed), size.prefix, (content) => commonStart(encode, content).length);
    system = [{ role: "system", content: text }];
  }
  const shared = openEnded(encode, system);
  const promptTokens = (size.prefix > 0 ? size.prefix : shared.length) + size.suffix;
  const prompts = Array.from({ length: size.prompts }, (): Prompt => {
    for (let attempt = 0; attempt < 1000; attempt++) {
      const first = questionWord();
      const start = encode([...system, { role: "user", content: first }])[shared.length] as number;
      if (opening.has(start)) continue;
      const messagesOf = (rest: string) => [...system, { role: "user" as const, content: first + rest }];
      const rest = textOf(questionWord, promptTokens, (text) => encode(messagesOf(text)).length);
      const tokens = encode(messagesOf(rest));
      if (tokens[shared.length] !== start) continue;
      opening.add(start);
      return { messages: messagesOf(rest), tokens };
    }
    throw new Error(`the tokenizer has no ${size.prompts} tokens to begin questions with`);
  });
  return { prompts, samples, generate, sharedTokens: shared.length };
}

/** The tokens before a question, after a system message. */
const commonStart = (encode: Encode, content: string) => openEnded(encode, [{ role: "system", content }]);

/** What prompts with these messages and any question begin with. */
function openEnded(encode: Encode, messages: readonly ChatMessage[]): number[] {
  const one = encode([...messages, { role: "user", content: "A" }]);
  const other = encode([...messages, { role: "user", content: "7" }]);
  return one.slice(0, commonLength(one, other));
}

export function commonLength(a: readonly number[], b: readonly number[]): number {
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  return i;
}

/** A text for which `count` is exactly `target`. */
function textOf(word: () => string, target: number, count: (text: string) => number): string {
  let text = "";
  let have = count(text);
  if (have > target)
    throw new Error(`${target} tokens are too few for the chat template, which takes ${have}`);
  for (let attempt = 0; have < target; attempt++) {
    if (attempt > 10_000) throw new Error(`no text of ${target} tokens was found`);
    const longer = `${text} ${word()}`;
    const tokens = count(longer);
    if (tokens > target) continue;
    text = longer;
    have = tokens;
  }
  return text;
}

/** Endless random words of one to six letters, the same for the same seed. */
function words(seed: string): () => string {
  const uniform = uniformNumbers(seed);
  const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return () => {
    const length = 1 + Math.floor(6 * uniform());
    return Array.from({ length }, () => letters[Math.floor(letters.length * uniform())]).join("");
  };
}

interface TokenNode extends Map<number, TokenNode> {}

/** Counts the tokens on the edges of a prefix tree, one node for each token: slow, and nothing to get wrong. */
export class TokenTree {
  readonly #root: TokenNode = new Map();

  /** @returns how many tokens of these prompts were on no earlier one's path */
  add(prompts: readonly (readonly number[])[]): number {
    let added = 0;
    for (const tokens of prompts) {
      let node = this.#root;
      for (const token of tokens) {
        let next = node.get(token);
        if (next === undefined) {
          next = new Map();
          node.set(token, next);
          added++;
        }
        node = next;
      }
    }
    return added;
  }
}
