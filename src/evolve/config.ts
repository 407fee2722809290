import { z } from "zod";
import { PAPER_SAMPLING, type Sampling } from "../runtime/model.js";
import type { Task } from "../task.js";
import { splitProblems } from "./split.js";
import { stopSchema } from "./stops.js";
import type { Selection } from "./tree.js";

const positive = z.int().min(1);

export const METHODS = ["ucb", "best", "chain", "textgrad"] as const;
export type Method = (typeof METHODS)[number];
/** How each chooses the node to edit. */
export const SELECTIONS: Readonly<Record<Method, Selection>> = {
  ...{ ucb: "ucb", best: "best", chain: "deepest", textgrad: "accepted" },
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
  /** Edits asked for; each round makes one. */
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
   * How the node to edit is chosen, and what edits it: a UCB tree (the paper's), the best node, the newest (a linear
   * chain), or TextGrad, which edits the best version so far and goes back to it when an edit is not better.
   */
  method: z.enum(METHODS).default("ucb"),
  /** Weight of the exploration bonus of `ucb`. */
  ucbC: z.number().min(0).default(2),
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

/** What a run will ask for, before it starts. Rounds whose edits all fail need fewer answers. */
export interface Budget {
  /** As many as the answers allow, if there is a limit. */
  readonly rounds: number;
  /** At most `tries` times as many when edits are invalid. */
  readonly edits: number;
  readonly answers: number;
  /** Of these, answers to test problems. */
  readonly testAnswers: number;
  /** Estimated from the prompts' lengths at four characters a token; most are shared and evaluated once. */
  readonly promptTokens: number;
  /** If every answer and edit uses all of `maxTokens`. */
  readonly generatedTokensAtMost: number;
}

export function budgetOf(task: Task, config: EvolveConfig): Budget {
  const { batch, holdout, samples, sampling, stop } = config;
  const testAnswers = splitProblems(task, config).test.length * samples;
  const perRound = batch + holdout * samples;
  const affordable = Math.floor(((stop.answers ?? Infinity) - holdout * samples - testAnswers) / perRound);
  const rounds = Math.max(0, Math.min(config.rounds, affordable));
  const answers = holdout * samples * (rounds + 1) + batch * rounds + testAnswers;
  const lengths = task.problemIds.map((id) =>
    task.prompt(id, task.seedInstructions).reduce((sum, { content }) => sum + content.length, 0),
  );
  const answerPrompt = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
  const editPrompt = batch * REPORT_CHARS + task.systemPrompt(task.seedInstructions).length;
  return {
    rounds,
    edits: rounds,
    answers,
    testAnswers,
    promptTokens: Math.round((answers * answerPrompt + rounds * editPrompt) / CHARS_PER_TOKEN),
    generatedTokensAtMost: (answers + rounds) * sampling.maxTokens,
  };
}

const CHARS_PER_TOKEN = 4;
/** A problem's report in the evolver's prompt, its response included, at a guess. */
const REPORT_CHARS = 1000;
