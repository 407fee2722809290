/** The parameters of evolution, with the paper's protocol as their defaults. */
import { z } from "zod";
import { strategySchema } from "../answer/strategy.js";
import { PAPER_SAMPLING, type Sampling } from "../model.js";
import { stopSchema } from "./stops.js";

const positive = z.int().min(1);

/** Names of the methods; what each is made of is in methods.ts. */
export const METHOD_NAMES = [
  "ucb",
  "ucb-se",
  "best",
  "chain",
  "pareto",
  "textgrad",
  "gepa",
  "skillopt",
  "ace",
  "bootstrap",
] as const;
export type Method = (typeof METHOD_NAMES)[number];

/** What an edit may be; what each is stands in edit-kinds.ts. */
export const EDIT_KIND_NAMES = ["rewrite", "delta", "example"] as const;
export type EditKindName = (typeof EDIT_KIND_NAMES)[number];

/** What the edits of a run may be: of one kind, or of one that each round draws (mixed.ts). */
export const EDITS = [...EDIT_KIND_NAMES, "mixed"] as const;
export type Edits = (typeof EDITS)[number];

/** What the evolver is shown of a task beside the answers: the model's whole prompt, the names of its data, or nothing. */
export const EDIT_CONTEXTS = ["prompt", "names", "none"] as const;
export type EditContext = (typeof EDIT_CONTEXTS)[number];

export const samplingSchema = z.strictObject({
  temperature: z.number().min(0).default(PAPER_SAMPLING.temperature),
  topK: z.int().min(0).default(PAPER_SAMPLING.topK),
  topP: z.number().gt(0).max(1).default(PAPER_SAMPLING.topP),
  minP: z.number().min(0).max(1).default(PAPER_SAMPLING.minP),
  presencePenalty: z.number().min(-2).max(2).default(PAPER_SAMPLING.presencePenalty),
  maxTokens: positive.default(PAPER_SAMPLING.maxTokens),
  stop: z.array(z.string().min(1)).default([]),
}) satisfies z.ZodType<Sampling>;

/** What a run of evolution does. Defaults are the paper's protocol, but for `samples` (8 in the paper). */
export const evolveConfigSchema = z.strictObject({
  /**
   * Edits asked for; each round makes one. GEPA gets the answers of so many rounds, and makes of them what it can. Without
   * rounds the instructions are scored, and nothing else.
   */
  rounds: z.int().min(0).max(1_000_000).default(25),
  /** Problems the evolver reads about in a round. */
  batch: positive.default(10),
  /** Problems that score every node. */
  holdout: positive.default(50),
  /**
   * Problems that the chosen node alone answers, at the end; 0 for none. Left out: those that the task keeps for it,
   * or as many as the holdout where that leaves enough to learn from (split.ts).
   */
  test: z.int().min(0).optional(),
  /** Answers per holdout or test problem. */
  samples: positive.max(10_000).default(1),
  /**
   * How the node to edit is chosen, and what edits it: a UCB tree (the paper's), UCB with the bonus in standard errors,
   * the best node, the newest (a linear chain), one of the Pareto frontier over the holdout's problems; or TextGrad,
   * which edits the best version so far and goes back to it when an edit is not better; or GEPA; or SkillOpt, which
   * does as TextGrad with changes of rules; or ACE, a chain of rules with counts; or DSPy's random search over examples.
   */
  method: z.enum(METHOD_NAMES).default("ucb"),
  /**
   * "algorithm1": the paper's. "reference": the published code's order of steps, splits and batches, with its random
   * numbers, for parity with its runs; reference/quirks.ts says what else differs.
   */
  schedule: z.enum(["algorithm1", "reference"]).default("algorithm1"),
  /** Folds of the holdout by which the choice of a node is cross-validated, in place of a test; left out: no folds. */
  kFold: z.int().min(2).optional(),
  /** Weight of the exploration bonus of `ucb` and `ucb-se`. */
  ucbC: z.number().min(0).default(2),
  /**
   * Whether answers that are left at the end, of rounds without a usable edit or too few for another round, score the
   * best node anew: then methods use the same number of answers exactly.
   */
  spendAll: z.boolean().default(false),
  /** What ends the run before its last round. */
  stop: stopSchema.prefault({}),
  /** Attempts at a valid edit in a round, before the round is given up. */
  tries: positive.default(3),
  /**
   * What an edit is: new instructions as a whole (the paper's); a few changes of numbered rules; a solved problem of the
   * batch that becomes an example, for which no evolver is asked; or, each round, the kind that a bandit draws. Methods
   * with a kind of their own take that one where this is left at its default.
   */
  edits: z.enum(EDITS).default("rewrite"),
  /** Whether up to half of each batch are problems that the node answered wrong before. */
  preferWrong: z.boolean().default(false),
  /** Whether a grammar makes the evolver write the tags of such an edit. */
  constrainEdits: z.boolean().default(false),
  seed: z.int().min(0).default(0),
  /** Temperature of edits; that of answers if it is left out. */
  editTemperature: z.number().min(0).optional(),
  /** Most tokens that the rules and the examples of an edit may take; left out: as many as the context has room for. */
  ruleTokens: positive.optional(),
  exampleTokens: positive.optional(),
  /** What the evolver is shown of the task; left out: the whole prompt for rewrites, names for changes of rules. */
  editContext: z.enum(EDIT_CONTEXTS).optional(),
  /** Most answers of a batch that it is shown; left out: as many as fit. */
  editReports: positive.optional(),
  /** Longest edit in tokens; that of answers, `sampling.maxTokens`, if it is left out. */
  editMaxTokens: positive.optional(),
  sampling: samplingSchema.prefault({}),
  /** How each question is answered; the defaults are the paper's way. */
  strategy: strategySchema.prefault({}),
  /** Instructions to start from, in place of the task's own. */
  instructions: z.string().trim().min(1).optional(),
});

export type EvolveConfig = z.infer<typeof evolveConfigSchema>;

/** Longest edit in tokens. */
export const editTokensOf = ({ editMaxTokens, sampling }: Pick<EvolveConfig, "editMaxTokens" | "sampling">) =>
  editMaxTokens ?? sampling.maxTokens;
