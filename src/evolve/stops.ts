/** When a run ends before its last round. */
import { z } from "zod";
import type { StopReason } from "../journal/journal.js";
import type { EvolutionTree } from "./tree.js";

const positive = z.int().min(1);

export const stopSchema = z.strictObject({
  /** Answers in all, those of the test among them: no round is begun that could ask for more. */
  answers: positive.optional(),
  /** Generated tokens, of answers and edits: no round is begun that would, with the test, go beyond them. */
  tokens: positive.optional(),
  /** Dollars, of answers and edits by models that have a price; nothing is sent that could cost more. */
  cost: z.number().positive().optional(),
  /** Of this process, the test's among them; a resumed run gets them again. */
  minutes: z.number().positive().optional(),
  /** Holdout score. */
  score: z.number().min(0).max(1).optional(),
  /** Rounds without a better node. */
  stagnation: positive.optional(),
});

export type StopConfig = z.infer<typeof stopSchema>;

/** What has been done so far. */
export interface Spent {
  /** Rounds that are over. */
  readonly round: number;
  readonly answers: number;
  readonly tokens: number;
  readonly minutes: number;
  /** Dollars. */
  readonly cost: number;
  /** What one more round and the test would take, by what answers and edits took so far. */
  readonly ahead: { readonly tokens: number; readonly minutes: number; readonly cost: number };
}

/** Why no further round is begun. */
export interface Stop {
  readonly by: StopReason;
  /** In words. */
  readonly reason: string;
}

/**
 * Asked before each round.
 * @param next answers that one more round and the test would ask for at most
 * @returns why it is not begun; null when it is
 */
export function whyStop(stop: StopConfig, spent: Spent, next: number, tree: EvolutionTree): Stop | null {
  const { answers, tokens, cost, minutes, score, stagnation } = stop;
  if (answers !== undefined && spent.answers + next > answers)
    return {
      by: "answers",
      reason: `${spent.answers} of ${answers} answers were used, and a round with the test takes ${next}`,
    };
  const { ahead } = spent;
  if (tokens !== undefined && spent.tokens + ahead.tokens > tokens)
    return {
      by: "tokens",
      reason: `${spent.tokens} of ${tokens} tokens were generated, and a round with the test takes ${Math.ceil(ahead.tokens)}`,
    };
  if (cost !== undefined && spent.cost + ahead.cost > cost)
    return {
      by: "cost",
      reason: `${dollars(spent.cost)} of ${dollars(cost)} were spent, and a round with the test costs ${dollars(ahead.cost)}`,
    };
  if (minutes !== undefined && spent.minutes + ahead.minutes > minutes)
    return {
      by: "minutes",
      reason: `it had run for ${spent.minutes.toFixed(1)} of ${minutes} minutes, and a round with the test would take ${ahead.minutes.toFixed(1)}`,
    };
  const best = tree.best();
  if (score !== undefined && best.score >= score)
    return { by: "score", reason: `a holdout score of ${score} was reached` };
  const still = spent.round - best.round;
  if (stagnation !== undefined && still >= stagnation)
    return { by: "stagnation", reason: `${still} rounds brought no better node` };
  return null;
}

export const dollars = (amount: number) => `$${amount < 1 ? amount.toPrecision(2) : amount.toFixed(2)}`;

/** What the conditions are, in words; empty without any. */
export function describeStops({ answers, tokens, cost, minutes, score, stagnation }: StopConfig): string {
  const parts = [
    answers === undefined ? [] : `${answers} answers`,
    tokens === undefined ? [] : `${tokens} generated tokens`,
    cost === undefined ? [] : dollars(cost),
    minutes === undefined ? [] : `${minutes} minutes`,
    score === undefined ? [] : `a holdout score of ${score}`,
    stagnation === undefined ? [] : `${stagnation} rounds without a better node`,
  ].flat();
  return parts.join(" or ");
}
