import { describe, expect, it } from "vitest";
import { uniformStream } from "#lse/lib/random.js";
import { logSumExp, TopTokens } from "#lse/runtime/llama/logits.js";

describe("logits", () => {
  const uniform = uniformStream(5);
  const row = (length: number, spread: number) =>
    Float32Array.from({ length }, () => (uniform() - 0.5) * spread);

  it.each([1, 20, 300])("logSumExp agrees with Math.exp at spread %i", (spread) => {
    const logits = row(5000, spread);
    const highest = Math.max(...logits);
    const sum = logits.reduce((total, logit) => total + Math.exp(logit - highest), 0);
    expect(Math.abs(logSumExp(logits) - highest - Math.log(sum))).toBeLessThan(2e-7);
  });

  it("logSumExp leaves out what is impossible", () => {
    expect(logSumExp(Float32Array.of(1, Number.NEGATIVE_INFINITY, 1))).toBeCloseTo(1 + Math.log(2), 6);
    expect(logSumExp(Float32Array.of(3, Number.NaN, -500, 3))).toBeCloseTo(3 + Math.log(2), 6);
  });

  it("rows of other lengths do not disturb each other", () => {
    for (const length of [1, 255, 256, 257, 151_936, 7]) {
      const logits = new Float32Array(length).fill(2);
      expect(logSumExp(logits)).toBeCloseTo(2 + Math.log(length), 6);
      expect(
        new TopTokens()
          .of(logits, 3)
          .map(({ token }) => token)
          .sort(),
      ).toEqual([0, 1, 2].slice(0, length));
    }
  });

  it.each([1, 2, 21, 400, 5000, 9999])("the %i most likely are those of sorting", (count) => {
    // Few values, so that many are equal: then the smaller token goes first.
    const logits = row(5000, 20).map((logit) => Math.round(logit * 4) / 4);
    const sorted = Array.from(logits, (logit, token) => ({ token, logit }));
    sorted.sort((a, b) => b.logit - a.logit || a.token - b.token);
    const found = new TopTokens().of(logits, count);
    found.sort((a, b) => b.logit - a.logit || a.token - b.token);
    expect(found).toEqual(sorted.slice(0, count));
  });
});
