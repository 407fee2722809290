/** Measures what each rule of the manual is worth. */
import { bootstrapMean, type Interval } from "../lib/statistics.js";
import { type MeasureOptions, scoresOf } from "./measure.js";
import type { RuleUnit } from "./rule-units.js";

/** What a rule is worth: how much lower the score is without it. */
export interface RuleWorth extends Interval {
  readonly rule: string;
}

/** What the rules of a manual are worth, together and one by one. */
export interface Worth {
  /** Of the whole manual. */
  readonly score: Interval;
  readonly problems: number;
  /** Sorted by worth, the highest first. */
  readonly rules: readonly RuleWorth[];
}

/** How many answers measuring takes. */
export const answersFor = (rules: number, problems: number, samples: number): number =>
  (rules + 1) * problems * samples;

/**
 * Measures each rule of a manual by leaving it out. Its worth is the difference of scores on the same problems with the
 * same random numbers, with a 95 % interval over the problems.
 */
export async function measureWorth(
  manual: string,
  rules: readonly RuleUnit[],
  problems: readonly string[],
  options: MeasureOptions,
): Promise<Worth> {
  const { seed } = options.config;
  const whole = await scoresOf(manual, problems, "holdout", options);
  const worth: RuleWorth[] = [];
  for (const { text, without } of rules) {
    const scores = await scoresOf(without, problems, "holdout", options);
    const differences = whole.map((score, i) => score - (scores[i] as number));
    worth.push({ rule: text, ...bootstrapMean(differences, seed) });
  }
  return {
    score: bootstrapMean(whole, seed),
    problems: problems.length,
    rules: worth.sort((a, b) => b.mean - a.mean),
  };
}
