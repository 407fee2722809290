/** Medians, ratios with their spread, and seeded random numbers for the bench. */
import { deriveSeed, uniformStream } from "#lse/lib/random.js";

/** Uniform numbers in [0, 1) named by a text. */
export const uniformNumbers = (seed: string) => uniformStream(deriveSeed("bench", seed));

/** The middle one, or the mean of the middle two. */
export function median(numbers: readonly number[]): number {
  if (numbers.length === 0) throw new Error("no numbers to take the median of");
  const sorted = [...numbers].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] as number) + upper) / 2;
}

/** A ratio of two series that were measured side by side: the median of the quotients and their extremes. */
export interface Ratio {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** @param below the divisors, as many as `above` */
export function ratioOf(above: readonly number[], below: readonly number[]): Ratio {
  const quotients = above.map((value, i) => value / (below[i] as number));
  return { median: median(quotients), least: Math.min(...quotients), most: Math.max(...quotients) };
}
