import { expect, it } from "vitest";
import { LseError } from "#lse/errors.js";
import { batchOf, splitProblems } from "#lse/evolve/split.js";

const ids = Array.from({ length: 23 }, (_, i) => `p${i}`);

it("divides all problems, the same way for the same seed only", () => {
  const { holdout, pool } = splitProblems("task", ids, { holdout: 10, batch: 4, seed: 1 });
  expect(holdout).toHaveLength(10);
  expect([...holdout, ...pool].sort()).toEqual([...ids].sort());
  expect(splitProblems("task", ids, { holdout: 10, batch: 4, seed: 1 })).toEqual({ holdout, pool });
  expect(splitProblems("task", ids, { holdout: 10, batch: 4, seed: 2 }).holdout).not.toEqual(holdout);
});

it("takes a holdout and one batch that use up all problems, and no more", () => {
  expect(splitProblems("task", ids, { holdout: 19, batch: 4, seed: 1 }).pool).toHaveLength(4);
  expect(() => splitProblems("task", ids, { holdout: 20, batch: 4, seed: 1 })).toThrow(LseError);
});

it("deals the whole pool before a problem comes again, then in a new order", () => {
  const pool = ids.slice(0, 9);
  const deal = [1, 2, 3].flatMap((round) => batchOf(pool, 3, round, 5));
  const next = [4, 5, 6].flatMap((round) => batchOf(pool, 3, round, 5));
  expect(deal).toEqual(pool);
  expect([...next].sort()).toEqual([...pool].sort());
  expect(next).not.toEqual(pool);
});

it("a batch has no problem twice and full size when the pool is no multiple of it", () => {
  for (let round = 1; round <= 12; round++) {
    const batch = batchOf(ids.slice(0, 7), 3, round, 5);
    expect(new Set(batch).size).toBe(3);
  }
});
