/** What is measured with real models: databases, models, and the strategies whose answers are scored. */
import { PAPER_STRATEGY, type Strategy, strategySchema, WORKSPACE_STRATEGY } from "#lse/answer/strategy.js";
import { PAPER_SAMPLING, type Sampling } from "#lse/model.js";

/** BIRD's databases, by the part of BIRD they are from. */
export const DATABASES = {
  superhero: "dev",
  books: "train",
  movies_4: "train",
  video_games: "train",
} as const;
export type Database = keyof typeof DATABASES;

/** Files of `lse models get`, by the names that results have. */
export const MODELS = {
  "qwen2.5-coder-1.5b": "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
  "qwen2.5-coder-0.5b": "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
} as const;
export type ModelName = keyof typeof MODELS;

/** Questions that are asked; all others of a database are solved ones. */
export const TEST_QUESTIONS = 60;

/** A way of answering that gets a score of its own. */
export interface Way {
  readonly strategy: Strategy;
  readonly sampling: Sampling;
  /** Most solved questions that there are; left out: all. */
  readonly solved?: number;
  /** Whether twins of the question may be examples. */
  readonly withTwins?: true;
}

/** As `lse evolve` has it for BIRD, with a limit that no answer of these models needs. */
const PAPER: Sampling = { ...PAPER_SAMPLING, maxTokens: 512 };
const GREEDY: Sampling = { ...PAPER, temperature: 0, topK: 0, topP: 1, presencePenalty: 0 };
/** As a workspace has it (workspace/forms.ts). */
const VARIED: Sampling = { ...PAPER, topP: 0.95, presencePenalty: 0 };

const one = (over: Partial<Strategy>, about: Omit<Way, "strategy" | "sampling"> = {}): Way => ({
  strategy: strategySchema.parse({ reasoning: "none", ...over }),
  sampling: GREEDY,
  ...about,
});
/** As many draws as a workspace has, so that these ways share their calls; what fewer would have reached is counted, too. */
const vote = (over: Partial<Strategy>): Way => ({
  strategy: strategySchema.parse({ reasoning: "none", samples: WORKSPACE_STRATEGY.samples, ...over }),
  sampling: VARIED,
});

/** In the order in which they are measured. Ways that differ in `mend` alone share all of their calls. */
export const WAYS: Readonly<Record<string, Way>> = {
  paper: { strategy: PAPER_STRATEGY, sampling: PAPER },
  "paper, joins": { strategy: { ...PAPER_STRATEGY, mend: true }, sampling: PAPER },
  workspace: { strategy: WORKSPACE_STRATEGY, sampling: VARIED },
  "4 examples, vote": vote({ examples: 4 }),
  "4 examples, vote, joins": vote({ examples: 4, mend: true }),
  "4 examples, vote, repair": vote({ examples: 4, repair: 1 }),
  "no examples": one({}),
  "no examples, joins": one({ mend: true }),
  "no examples, repair": one({ repair: 1 }),
  "4 examples": one({ examples: 4 }),
  "4 examples, joins": one({ examples: 4, mend: true }),
  "4 examples, repair": one({ examples: 4, repair: 1 }),
  "no examples, vote": vote({}),
  "no examples, vote, joins": vote({ mend: true }),
  "no examples, vote, repair": vote({ repair: 1 }),
  "2 examples": one({ examples: 2 }),
  "2 examples, joins": one({ examples: 2, mend: true }),
  "8 examples": one({ examples: 8 }),
  "8 examples, joins": one({ examples: 8, mend: true }),
  "4 examples, joins, twins allowed": one({ examples: 4, mend: true }, { withTwins: true }),
  "4 examples, joins, 5 solved": one({ examples: 4, mend: true }, { solved: 5 }),
  "4 examples, joins, 10 solved": one({ examples: 4, mend: true }, { solved: 10 }),
  "4 examples, joins, 20 solved": one({ examples: 4, mend: true }, { solved: 20 }),
  "4 examples, joins, 40 solved": one({ examples: 4, mend: true }, { solved: 40 }),
  "brief reasoning": one({ reasoning: "brief" }),
};

/** The ways of `--quick`, and how many questions it asks. */
export const QUICK = { ways: ["paper", "no examples", "workspace"], questions: 12 } as const;
