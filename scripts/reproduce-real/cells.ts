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

/** Draws of votes on their own: what fewer would have reached is in the results, too. */
const VOTE = 8;

const one = (over: Partial<Strategy>): Way => ({
  strategy: strategySchema.parse({ reasoning: "none", ...over }),
  sampling: GREEDY,
});
const vote = (over: Partial<Strategy>): Way => ({
  strategy: strategySchema.parse({ reasoning: "none", samples: VOTE, ...over }),
  sampling: VARIED,
});
const workspace = (over: Omit<Way, "strategy" | "sampling"> = {}): Way => ({
  strategy: WORKSPACE_STRATEGY,
  sampling: VARIED,
  ...over,
});

/** In the order in which they are measured. */
export const WAYS: Readonly<Record<string, Way>> = {
  paper: { strategy: PAPER_STRATEGY, sampling: PAPER },
  workspace: workspace(),
  "4 examples, vote": vote({ examples: 4 }),
  "4 examples, vote, repair": vote({ examples: 4, repair: 1 }),
  "no examples": one({}),
  "no examples, repair": one({ repair: 1 }),
  "4 examples": one({ examples: 4 }),
  "4 examples, repair": one({ examples: 4, repair: 1 }),
  "no examples, vote": vote({}),
  "no examples, vote, repair": vote({ repair: 1 }),
  "2 examples": one({ examples: 2 }),
  "8 examples": one({ examples: 8 }),
  "workspace, twins allowed": workspace({ withTwins: true }),
  "workspace, 0 solved": workspace({ solved: 0 }),
  "workspace, 5 solved": workspace({ solved: 5 }),
  "workspace, 10 solved": workspace({ solved: 10 }),
  "workspace, 20 solved": workspace({ solved: 20 }),
  "workspace, 40 solved": workspace({ solved: 40 }),
  "brief reasoning": one({ reasoning: "brief" }),
};

/** The ways of `--quick`, and how many questions it asks. */
export const QUICK = { ways: ["paper", "no examples", "workspace"], questions: 12 } as const;
