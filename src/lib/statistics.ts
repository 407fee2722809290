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
