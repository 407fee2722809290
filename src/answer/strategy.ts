/** How a question is answered: with which examples, how often, with how much thought, and which answer counts. */
import { z } from "zod";
import type { Sampling } from "../model.js";
import { REASONING, type Reasoning } from "../task.js";

/** A strategy as data. Its defaults are the paper's way: one answer to the bare question, after as much thought as it takes. */
export const strategySchema = z.strictObject({
  /** Solved problems of the pool that a prompt shows, those that are most like the question. */
  examples: z.int().min(0).max(100).default(0),
  /** Answers that are drawn for each question, of which one is taken. */
  samples: z.int().min(1).max(100).default(1),
  /** Whether answers that cannot be used are put right without the model where the task knows how: queries get the joins they lack. */
  mend: z.boolean().default(false),
  /** How often answers are given back to the model with what is wrong, if none can be used, such as queries that fail. */
  repair: z.int().min(0).max(10).default(0),
  /** Whether empty results count among those. */
  repairEmpty: z.boolean().default(false),
  /** Which of several usable answers is taken: one with the most frequent result, or the first. */
  vote: z.enum(["result", "first"]).default("result"),
  /** How much the model is asked to think before it answers. */
  reasoning: z.enum(REASONING).default("full"),
  /** Longest answer in tokens, where that is less than `sampling.maxTokens`; by default 256 and 512 for no and brief reasoning. */
  maxTokens: z.int().min(1).optional(),
});

export type Strategy = z.infer<typeof strategySchema>;

/** The paper's: no examples, one answer, no repair, full reasoning. */
export const PAPER_STRATEGY: Strategy = Object.freeze(strategySchema.parse({}));

/** For one's own database and a small model, as measured in docs/strategies.md. */
export const WORKSPACE_STRATEGY: Strategy = Object.freeze(
  strategySchema.parse({ examples: 4, samples: 5, mend: true, repair: 1, reasoning: "none" }),
);

const USUAL_TOKENS: { readonly [name in Reasoning]: number } = { none: 256, brief: 512, full: Infinity };

/** How answers are drawn under a strategy: edits may be longer. */
export function answerSampling(sampling: Sampling, { reasoning, maxTokens }: Strategy): Sampling {
  const most = maxTokens ?? USUAL_TOKENS[reasoning];
  return most < sampling.maxTokens ? { ...sampling, maxTokens: most } : sampling;
}

/** Completions that one answer takes at most. */
export const completionsAtMost = ({ samples, repair }: Strategy): number => samples * (1 + repair);

/** Whether answers have to be looked at one by one before one of them is graded. */
export const needsReading = ({ samples, mend, repair }: Strategy): boolean =>
  samples > 1 || mend || repair > 0;

/** Whether prompts are put together from a task's parts rather than by the task. */
export const needsParts = ({ examples, reasoning }: Strategy): boolean =>
  examples > 0 || reasoning !== "full";

/** A strategy in words, such as "4 examples, 8 answers by vote, 1 repair, no reasoning". */
export function describeStrategy(strategy: Strategy): string {
  const { examples, samples, mend, repair, repairEmpty, vote, reasoning, maxTokens } = strategy;
  const of = (count: number, what: string) => `${count} ${what}${count === 1 ? "" : "s"}`;
  return [
    examples === 0 ? "no examples" : of(examples, "example"),
    samples === 1
      ? "1 answer"
      : `${samples} answers${vote === "result" ? " by vote" : ", the first that works"}`,
    ...(mend ? ["missing joins added"] : []),
    repair === 0 ? "no repair" : `${of(repair, "repair")}${repairEmpty ? ", of empty results too" : ""}`,
    `${reasoning === "none" ? "no" : reasoning} reasoning`,
    ...(maxTokens === undefined ? [] : [`at most ${maxTokens} tokens`]),
  ].join(", ");
}
