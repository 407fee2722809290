import { expect, it } from "vitest";
import { gaussianStream } from "#lse/lib/random.js";
import { bootstrapMean } from "#lse/lib/statistics.js";

it("bootstrap intervals have the true mean as often as they say", () => {
  const gaussian = gaussianStream(3);
  let held = 0;
  const trials = 100;
  for (let trial = 0; trial < trials; trial++) {
    const values = Array.from({ length: 40 }, () => 0.3 + 0.2 * gaussian());
    const { mean, low, high } = bootstrapMean(values, trial);
    expect(mean).toBeCloseTo(values.reduce((a, b) => a + b) / 40, 10);
    // As wide as Student's: 2 · 1.96 · s / √n with s near 0.2.
    expect(high - low).toBeGreaterThan(0.08);
    expect(high - low).toBeLessThan(0.17);
    if (low <= 0.3 && 0.3 <= high) held++;
  }
  expect(held).toBeGreaterThanOrEqual(88);
  expect(held).toBeLessThan(100);
});

it("the same seed gives the same interval; a single value has none to speak of", () => {
  const gaussian = gaussianStream(1);
  const values = Array.from({ length: 30 }, gaussian);
  expect(bootstrapMean(values, 1)).toEqual(bootstrapMean(values, 1));
  expect(bootstrapMean(values, 2)).not.toEqual(bootstrapMean(values, 1));
  expect(bootstrapMean([0.4], 1)).toEqual({ mean: 0.4, low: 0.4, high: 0.4 });
});
