/** Means and their intervals. */
import { uniformStream } from "./random.js";

/** A mean with its 95 % interval. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** The mean of values; NaN of none. */
export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

const RESAMPLES = 10_000;

/**
 * The mean of independent values with its percentile bootstrap interval (Efron 1979). For a paired comparison give
 * the differences; for several values a database, their means.
 */
export function bootstrapMean(values: readonly number[], seed: number): Interval {
  const uniform = uniformStream(seed);
  const means = Float64Array.from({ length: RESAMPLES }, () => {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[Math.floor(uniform() * values.length)] as number;
    return sum / values.length;
  }).sort();
  const at = (quantile: number) => means[Math.round(quantile * (RESAMPLES - 1))] as number;
  return { mean: mean(values), low: at(0.025), high: at(0.975) };
}

const Z95 = 1.959964;

/** A share of right answers with Wilson's 95 % interval (1927), which never leaves [0, 1]. @param total at least 1 */
export function wilson(right: number, total: number): Interval {
  const share = right / total;
  const z2 = Z95 ** 2 / total;
  const middle = (share + z2 / 2) / (1 + z2);
  const half = (Z95 * Math.sqrt((share * (1 - share)) / total + z2 / (4 * total))) / (1 + z2);
  return { mean: share, low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}
