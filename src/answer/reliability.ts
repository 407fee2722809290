/** How often answers are right, by how many of the draws agree with them. */
import type { RunEvent } from "../journal/journal.js";
import { type Interval, wilson } from "../lib/statistics.js";

/** An answer, and whether it was right. */
export interface Rated {
  /** From 0 to 1. */
  readonly confidence: number;
  readonly correct: boolean;
}

/** Answers of similar confidence. `mean` is the share of right ones, with a 95 % interval. */
export interface ReliabilityRow extends Interval {
  /** Confidence from here … */
  readonly from: number;
  /** … to here, this one included in the last row alone. */
  readonly to: number;
  readonly answers: number;
  readonly right: number;
}

/** The lowest confidence of each row. Full agreement has a row of its own. */
const FROM = [0, 0.25, 0.5, 0.75, 1];

/** A node's answers to holdout and test that have a confidence. */
export function ratedAnswers(
  answers: Iterable<Extract<RunEvent, { type: "answer" }>>,
  node: number,
): Rated[] {
  const rated: Rated[] = [];
  for (const { node: own, phase, confidence, outcome } of answers)
    if (own === node && confidence !== undefined && (phase === "holdout" || phase === "test"))
      rated.push({ confidence, correct: outcome.correct });
  return rated;
}

/** A row for each band of confidence that has answers, the lowest first. */
export function reliability(rated: readonly Rated[]): ReliabilityRow[] {
  return FROM.flatMap((from, i) => {
    const to = FROM[i + 1] ?? 1;
    const own = rated.filter(({ confidence }) => confidence >= from && (confidence < to || from === 1));
    const right = own.filter(({ correct }) => correct).length;
    return own.length === 0 ? [] : [{ from, to, answers: own.length, right, ...wilson(right, own.length) }];
  });
}

/** The row that a confidence belongs to. */
export const rowFor = (rows: readonly ReliabilityRow[], confidence: number): ReliabilityRow | undefined =>
  rows.findLast(({ from, to }) => confidence >= from && (confidence < to || from === 1));
