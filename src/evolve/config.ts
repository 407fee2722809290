import { z } from "zod";
import { PAPER_SAMPLING, type Sampling } from "../model.js";
import type { Task } from "../task.js";
import { splitProblems } from "./split.js";
import { stopSchema } from "./stops.js";
import type { Selection } from "./tree.js";

const positive = z.int().min(1);

export const METHODS = ["ucb", "ucb-se", "best", "chain", "pareto", "textgrad", "gepa"] as const;
export type Method = (typeof METHODS)[number];
/** How each chooses the node to edit; "pareto" is `chooseFromFrontier`. */
export const SELECTIONS: Readonly<Record<Method, Selection | "pareto">> = {
  ...{ ucb: "ucb", "ucb-se": "ucb-se", best: "best", chain: "deepest" },
  ...{ pareto: "pareto", textgrad: "accepted", gepa: "pareto" },
};

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
  /** Edits asked for; each round makes one. GEPA gets the answers of so many rounds, and makes of them what it can. */
  rounds: positive.default(25),
  /** Problems the evolver reads about in a round. */
  batch: positive.default(10),
  /** Problems that score every node. */
  holdout: positive.default(50),
  /**
   * Problems that the chosen node alone answers, at the end; 0 for none. Left out: those that the task keeps for it,
   * or as many as the holdout where that leaves enough to learn from (split.ts).
   */
  test: z.int().min(0).optional(),
  /** Completions per holdout or test problem. */
  samples: positive.default(1),
  /**
   * How the node to edit is chosen, and what edits it: a UCB tree (the paper's), UCB with the bonus in standard errors,
   * the best node, the newest (a linear chain), one of the Pareto frontier over the holdout's problems; or TextGrad,
   * which edits the best version so far and goes back to it when an edit is not better; or GEPA.
   */
  method: z.enum(METHODS).default("ucb"),
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
  /** Whether a grammar makes the evolver write its tags; see `EDIT_GRAMMAR`. */
  constrainEdits: z.boolean().default(false),
  seed: z.int().min(0).default(0),
  /** Temperature of edits; that of answers if it is left out. */
  editTemperature: z.number().min(0).optional(),
  sampling: samplingSchema.prefault({}),
});

export type EvolveConfig = z.infer<typeof evolveConfigSchema>;

/** What a run will ask for, before it starts. */
export interface Budget {
  /** As many as the answers allow, if there is a limit; of GEPA, at most. */
  readonly rounds: number;
  /** At most `tries` times as many when edits are invalid. */
  readonly edits: number;
  /** Fewer where rounds have no usable edit, and of GEPA, unless `spendAll` is set. */
  readonly answers: number;
  /** Of these, answers to test problems. */
  readonly testAnswers: number;
  /** Estimated from the prompts' lengths at four characters a token; most are shared and evaluated once. */
  readonly promptTokens: number;
  /** Of these, what is evaluated: what prompts of a round share once. */
  readonly promptTokensEvaluated: number;
  /** Of these, prompts of edits. */
  readonly editPromptTokens: number;
  /** If every answer and edit uses all of `maxTokens`. */
  readonly generatedTokensAtMost: number;
}

/** What a run of this configuration asks for, counted before anything is paid for. */
export function budgetOf(task: Task, config: EvolveConfig): Budget {
  const { batch, holdout, samples, sampling, stop } = config;
  const testProblems = splitProblems(task, config).test.length;
  const testAnswers = testProblems * samples;
  const perRound = batch + holdout * samples;
  // In the published code's order a node is scored at the start of a round, and the last one never.
  const seedAnswers = config.schedule === "reference" ? 0 : holdout * samples;
  const affordable = Math.floor(((stop.answers ?? Infinity) - seedAnswers - testAnswers) / perRound);
  const paidFor = Math.max(0, Math.min(config.rounds, affordable));
  const answers = seedAnswers + perRound * paidFor + testAnswers;
  // A round of GEPA whose edit does not pass takes two batches and no holdout.
  const rounds = config.method === "gepa" ? Math.floor((paidFor * perRound) / (2 * batch)) : paidFor;
  const lengths = task.problemIds.map((id) =>
    task.prompt(id, task.seedInstructions).reduce((sum, { content }) => sum + content.length, 0),
  );
  const answerPrompt = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
  const shared = task.systemPrompt(task.seedInstructions).length;
  const editPrompt = batch * REPORT_CHARS + shared;
  const asked = (seedAnswers === 0 ? 0 : holdout) + paidFor * (holdout + batch) + testProblems;
  const evaluated = (paidFor + 1) * shared + asked * (answerPrompt - shared) + rounds * editPrompt;
  return {
    rounds,
    edits: rounds,
    answers,
    testAnswers,
    promptTokens: Math.round((answers * answerPrompt + rounds * editPrompt) / CHARS_PER_TOKEN),
    promptTokensEvaluated: Math.round(evaluated / CHARS_PER_TOKEN),
    editPromptTokens: Math.round((rounds * editPrompt) / CHARS_PER_TOKEN),
    generatedTokensAtMost: (answers + rounds) * sampling.maxTokens,
  };
}

const CHARS_PER_TOKEN = 4;
/** A problem's report in the evolver's prompt, its response included, at a guess. */
const REPORT_CHARS = 1000;
