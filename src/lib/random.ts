/** Seeds from content, uniform numbers, shuffles. */
import { createHash } from "node:crypto";
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/**
 * A 32-bit seed for one named decision, from the parts that name it ("holdout", seed, problem, sample …).
 * Seeds come from content and never from a shared generator, so a decision does not move when another
 * one is added, skipped or resumed.
 */
export function deriveSeed(...parts: readonly (string | number)[]): number {
  return createHash("sha256").update(JSON.stringify(parts)).digest().readUInt32LE(0);
}

/** A stream of uniform numbers in [0, 1), the same on every platform. */
export function uniformStream(seed: number): () => number {
  const generator = xoroshiro128plus(seed);
  return () => uniformFloat64(generator);
}

/**
 * A stream of numbers of mean 0 and deviation 1, near enough to Gaussian within three deviations: twelve uniform
 * ones summed, free of Math.log and Math.cos, whose last bits differ between platforms.
 */
export function gaussianStream(seed: number): () => number {
  const uniform = uniformStream(seed);
  return () => {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += uniform();
    return sum;
  };
}

/** A seeded Fisher–Yates shuffle; leaves `items` as it is. */
export function shuffled<T>(items: readonly T[], seed: number): T[] {
  const generator = xoroshiro128plus(seed);
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = uniformInt(generator, 0, i);
    const held = result[i] as T;
    result[i] = result[j] as T;
    result[j] = held;
  }
  return result;
}
