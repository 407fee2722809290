import { expect, it } from "vitest";
import { LseError } from "#lse/errors.js";
import { batchOf, splitProblems } from "#lse/evolve/split.js";

const ids = Array.from({ length: 23 }, (_, i) => `p${i}`);

const split = (
  config: {
    holdout: number;
    batch?: number;
    test?: number;
    seed?: number;
    kFold?: number;
    schedule?: "reference";
  },
  testIds?: string[],
) =>
  splitProblems(
    { id: "task", problemIds: ids, ...(testIds && { testIds }) },
    { batch: 4, seed: 1, schedule: "algorithm1", ...config },
  );

it("divides all problems, the same way for the same seed only", () => {
  const { holdout, pool, test } = split({ holdout: 10 });
  expect([holdout.length, pool.length, test.length]).toEqual([10, 7, 6]);
  expect([...holdout, ...pool, ...test].sort()).toEqual([...ids].sort());
  expect(split({ holdout: 10 })).toEqual({ holdout, pool, test });
  expect(split({ holdout: 10, seed: 2 }).holdout).not.toEqual(holdout);
});

it("the holdout and the order of the pool are the same whatever the test's size", () => {
  const without = split({ holdout: 10, test: 0 });
  const small = split({ holdout: 10, test: 3 });
  expect(without.test).toEqual([]);
  expect(small.holdout).toEqual(without.holdout);
  expect([...small.pool, ...small.test]).toEqual(without.pool);
});

it("a test that nobody asked for leaves at least a batch, and half of what the holdout leaves", () => {
  expect(split({ holdout: 3 }).test).toHaveLength(3);
  expect(split({ holdout: 13 }).test).toHaveLength(5);
  expect(split({ holdout: 13, batch: 9 }).test).toHaveLength(1);
  expect(split({ holdout: 19 })).toMatchObject({ test: [], pool: { length: 4 } });
});

it("a task's own test problems are taken, and its others stay with the pool", () => {
  expect(split({ holdout: 10 }, ["t1", "t2"])).toMatchObject({ test: ["t1", "t2"], pool: { length: 13 } });
  const some = (seed: number) => split({ holdout: 10, test: 3, seed }, ids).test;
  expect(new Set(some(1)).size).toBe(3);
  expect(some(1)).toEqual(some(1));
  expect(some(2)).not.toEqual(some(1));
  expect(() => split({ holdout: 10, test: 3 }, ["t1", "t2"])).toThrow(/keeps 2 problems for the test, not 3/);
});

it("has no test where the holdout is cross-validated, unless one is asked for", () => {
  expect(split({ holdout: 10, kFold: 5 })).toMatchObject({ test: [], pool: { length: 13 } });
  expect(split({ holdout: 10, kFold: 5, test: 2 }).test).toHaveLength(2);
  expect(() => split({ holdout: 10, kFold: 4 })).toThrow(/10 problems does not divide into 4 folds/);
});

it("in the published code's schedule too, a test larger than what the task keeps is refused", () => {
  const some = (test: number) => split({ holdout: 10, test, schedule: "reference" }, ["t1", "t2"]);
  expect(some(2).test.toSorted()).toEqual(["t1", "t2"]);
  expect(() => some(3)).toThrow(/keeps 2 problems for the test, not 3/);
});

it("takes what uses up all problems, and no more", () => {
  expect(split({ holdout: 10, test: 9 }).pool).toHaveLength(4);
  expect(() => split({ holdout: 10, test: 10 })).toThrow(/a test of 10.*`evolve\.test`/s);
  expect(() => split({ holdout: 20 })).toThrow(LseError);
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

it("problems that the task keeps for the holdout score nodes, or nothing", () => {
  const kept = { holdoutIds: ids.slice(0, 8), testIds: ["t0", "t1"] };
  const splitOf = (holdout: number) =>
    splitProblems(
      { id: "task", problemIds: ids, ...kept },
      { batch: 4, seed: 1, schedule: "algorithm1", holdout },
    );
  const { holdout, pool, test } = splitOf(5);
  expect(holdout).toHaveLength(5);
  expect(holdout.every((id) => kept.holdoutIds.includes(id))).toBe(true);
  expect([...pool].sort()).toEqual(ids.slice(8).sort());
  expect(test).toEqual(kept.testIds);
  expect(() => splitOf(9)).toThrow(/keeps 8 problems for the holdout, not 9\. Lower `evolve\.holdout`/);
});
