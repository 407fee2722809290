import { describe, expect, it } from "vitest";
import { gaussianStream, uniformStream } from "#lse/lib/random.js";
import { PAPER_SAMPLING } from "#lse/model.js";
import { rowTokens } from "#lse/runtime/llama/logits.js";
import { candidatesNeeded, sampleFromRow, sampleToken, type TokenRow } from "#lse/runtime/sampler.js";

const plain = { ...PAPER_SAMPLING, temperature: 1, topK: 0, topP: 1, minP: 0, presencePenalty: 0 };
const none: ReadonlySet<number> = new Set();

/** Probabilities .5, .3, .15, .05 of the tokens 10, 11, 12, 13. */
const candidates = [0.5, 0.3, 0.15, 0.05].map((p, i) => ({ token: 10 + i, logit: Math.log(p) + 3 }));

/** How the uniform numbers are divided among the tokens, to 1/1000. */
function shares(sampling: typeof plain, generated = none): Record<number, number> {
  const counts: Record<number, number> = {};
  for (let i = 0; i < 1000; i++) {
    const token = sampleToken(candidates, sampling, generated, (i + 0.5) / 1000);
    counts[token] = (counts[token] ?? 0) + 1;
  }
  return counts;
}

describe("sampleToken", () => {
  it("draws in proportion to the probabilities", () => {
    expect(shares(plain)).toEqual({ 10: 500, 11: 300, 12: 150, 13: 50 });
  });

  it("temperature 0 takes the most likely token, the lower id of equal ones", () => {
    expect(sampleToken(candidates, { ...plain, temperature: 0 }, none, 0.99)).toBe(10);
    const equal = [7, 3, 5].map((token) => ({ token, logit: 1 }));
    expect(sampleToken(equal, { ...plain, temperature: 0 }, none, 0.99)).toBe(3);
  });

  it("temperature ½ squares the odds", () => {
    const total = 0.25 + 0.09 + 0.0225 + 0.0025;
    expect((shares({ ...plain, temperature: 0.5 })[10] ?? 0) / 1000).toBeCloseTo(0.25 / total, 2);
  });

  it("top-k, top-p and min-p keep what they say", () => {
    expect(Object.keys(shares({ ...plain, topK: 2 }))).toEqual(["10", "11"]);
    expect(Object.keys(shares({ ...plain, topP: 0.5 }))).toEqual(["10"]);
    expect(Object.keys(shares({ ...plain, topP: 0.51 }))).toEqual(["10", "11"]);
    expect(Object.keys(shares({ ...plain, minP: 0.3 }))).toEqual(["10", "11", "12"]);
    expect(Object.keys(shares({ ...plain, minP: 0.31 }))).toEqual(["10", "11"]);
  });

  it("top-p counts within what top-k left", () => {
    // After top-k 2 the probabilities are .625 and .375.
    expect(Object.keys(shares({ ...plain, topK: 2, topP: 0.6 }))).toEqual(["10"]);
  });

  it("temperature comes before top-p, as in vLLM", () => {
    // At temperature ½ the first token has .69 of the mass, so 0.6 keeps it alone; before it, .5 would not do.
    expect(Object.keys(shares({ ...plain, temperature: 0.5, topP: 0.6 }))).toEqual(["10"]);
    expect(Object.keys(shares({ ...plain, topP: 0.6 }))).toEqual(["10", "11"]);
  });

  it("the presence penalty lowers a generated token's logit once", () => {
    const greedy = { ...plain, temperature: 0, presencePenalty: 0.6 };
    expect(sampleToken(candidates, greedy, new Set([10]), 0)).toBe(11);
    expect(sampleToken(candidates, greedy, new Set([10, 11]), 0)).toBe(10);
  });

  it("needs no more candidates than it asks for", () => {
    const sampling = { ...PAPER_SAMPLING, topK: 3, presencePenalty: 2 };
    const uniform = uniformStream(5);
    const all = Array.from({ length: 200 }, (_, token) => ({ token, logit: 4 * uniform() }));
    const ranked = [...all].sort((a, b) => b.logit - a.logit);
    const generated = new Set(ranked.slice(0, 6).map(({ token }) => token));
    const needed = candidatesNeeded(sampling, generated.size) ?? 0;
    for (let i = 0; i < 200; i++) {
      const u = uniform();
      expect(sampleToken(ranked.slice(0, needed), sampling, generated, u)).toBe(
        sampleToken(all, sampling, generated, u),
      );
    }
  });
});

describe("sampleFromRow", () => {
  /** Counts how many tokens are looked at. */
  function rowOf(logits: Float32Array): TokenRow & { seen: number } {
    const tokens = rowTokens(logits);
    const row = {
      ...tokens,
      seen: 0,
      top: (count: number) => {
        row.seen += count;
        return tokens.top(count);
      },
    };
    return row;
  }
  const logitsOf = (count: number, spread: number, seed: number) => {
    const gaussian = gaussianStream(seed);
    return Float32Array.from({ length: count }, () => spread * gaussian());
  };
  const allOf = (logits: Float32Array) => Array.from(logits, (logit, token) => ({ token, logit }));

  it.each([
    ["top-p", { topP: 0.95 }],
    ["top-p of nearly all", { topP: 0.9999 }],
    ["nothing at all", {}],
    ["min-p", { minP: 0.05 }],
    ["min-p and top-p", { minP: 0.001, topP: 0.9 }],
    ["a low temperature", { temperature: 0.05, topP: 0.99, presencePenalty: 2 }],
    ["a high temperature", { temperature: 3, topP: 0.5, presencePenalty: 2 }],
    ["a negative penalty", { topP: 0.8, presencePenalty: -2 }],
    ["top-k", { topK: 20, topP: 0.8, presencePenalty: 0.5 }],
    ["temperature 0", { temperature: 0, presencePenalty: 2 }],
  ])("draws the token that the plain definition draws: %s", (_, over) => {
    const sampling = { ...plain, ...over };
    const uniform = uniformStream(11);
    for (const [seed, spread] of [2, 5, 12].entries()) {
      const logits = logitsOf(3000, spread, seed + 1);
      logits[77] = logits[78] = Math.max(...logits);
      const all = allOf(logits);
      const likely = [...all].sort((a, b) => b.logit - a.logit).slice(0, 90);
      for (let i = 0; i < 60; i++) {
        const generated = new Set(likely.filter(() => uniform() < 0.3).map(({ token }) => token));
        const u = uniform();
        expect(sampleFromRow(rowOf(logits), sampling, generated, u)).toBe(
          sampleToken(all, sampling, generated, u),
        );
      }
    }
  });

  it.each([
    ["top-p", { topP: 0.0005 }],
    ["top-k", { topK: 20 }],
    ["temperature 0", { temperature: 0 }],
  ])("lets a negative penalty raise a token from any rank: %s", (_, over) => {
    const sampling = { ...plain, ...over, presencePenalty: -2 };
    const logits = logitsOf(3000, 0.1, 1);
    // The least likely token but for its penalty, which makes it the most likely one.
    logits[2999] = -1;
    const generated = new Set([2999]);
    expect(candidatesNeeded(sampling, 1)).toBeNull();
    const uniform = uniformStream(2);
    for (let i = 0; i < 50; i++) {
      const u = uniform();
      expect(sampleFromRow(rowOf(logits), sampling, generated, u)).toBe(
        sampleToken(allOf(logits), sampling, generated, u),
      );
    }
    expect(sampleFromRow(rowOf(logits), sampling, generated, 0)).toBe(2999);
  });

  it("looks at few tokens of a large vocabulary, if these decide", () => {
    const logits = logitsOf(152_000, 3, 4);
    for (const [token, logit] of [30, 29, 28].entries()) logits[token] = logit;
    const row = rowOf(logits);
    const uniform = uniformStream(3);
    const tokens = new Set<number>();
    for (let i = 0; i < 100; i++) tokens.add(sampleFromRow(row, { ...plain, topP: 0.95 }, none, uniform()));
    expect([...tokens].sort()).toEqual([0, 1, 2]);
    expect(row.seen).toBe(6400);
  });

  it("looks at all of them where nothing else decides", () => {
    const flat = new Float32Array(1000);
    const tokens = new Set<number>();
    for (let i = 0; i < 1000; i++) tokens.add(sampleFromRow(rowOf(flat), plain, none, (i + 0.5) / 1000));
    expect(tokens.size).toBe(1000);
  });
});
