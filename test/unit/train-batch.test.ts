import { describe, expect, test } from "vitest";
import {
  foldRows,
  packRows,
  plainRow,
  type Row,
  rowLength,
  splitRows,
  totalWeight,
} from "#lse/train/batch.js";
import { checkCase, largestError } from "#lse/train/gradient-check.js";
import { QwenSession } from "#lse/train/session.js";

const LIMITS = { vocabulary: 11, contextLength: 16 };
const OLD = [-2, -2.6, -2.2];

/** Three answers after one prefix. */
const SHARED: Row = {
  prefix: [1, 2, 3, 4],
  continuations: [
    { tokens: [5, 6, 7], advantage: 1.5, oldLogprobs: OLD },
    { tokens: [8, 6], weights: [0, 0.5], advantage: -0.7, oldLogprobs: OLD.slice(1) },
    { tokens: [5], advantage: -1.2, oldLogprobs: OLD.slice(2) },
  ],
};
const OTHER: Row = { prefix: [9], continuations: [{ tokens: [2, 10], oldLogprobs: OLD.slice(1) }] };

test.for([
  "qwen2",
  "qwen3",
] as const)("%s: answers packed after their prefix give what rows of their own give", async (family) => {
  const { spec, loss, parameters } = checkCase(family, {
    tied: true,
    loss: { kind: "policy-gradient", clip: 0.2 },
  });
  const graph = { spec, loss, float: "float64", fused: false, gradients: true } as const;
  const session = await QwenSession.open(graph, { provider: "cpu", threads: 1 });
  const apart = SHARED.continuations.map((continuation) => ({ ...SHARED, continuations: [continuation] }));
  const packed = await session.run(parameters, packRows([SHARED, OTHER], LIMITS, "weighted"));
  const single = await session.run(parameters, packRows([...apart, OTHER], LIMITS, "weighted"));
  expect(packed.logprobs).toHaveLength(7);
  expect(largestError({ a: packed.logprobs }, { a: single.logprobs })).toBeLessThan(1e-12);
  expect(packed.loss).toBeCloseTo(single.loss, 12);
  expect(largestError(packed.gradients, single.gradients)).toBeLessThan(1e-12);
  // Were the answers to see each other, the numbers would be others.
  const joined: Row = { ...SHARED, continuations: [{ tokens: [5, 6, 7, 8, 6, 5] }] };
  const seen = await session.run(parameters, packRows([joined], LIMITS, "all"));
  expect(Math.abs((seen.logprobs[5] as number) - (packed.logprobs[4] as number))).toBeGreaterThan(1e-4);
  await session.release();
});

describe("packRows", () => {
  const packed = packRows([SHARED, OTHER], LIMITS, "weighted");

  test("lets answers go on from the prefix's positions, and predicts their first token from its last", () => {
    expect([packed.rows, packed.length]).toEqual([2, 10]);
    expect([...packed.positions].slice(0, 10)).toEqual([0, 1, 2, 3, 4, 5, 6, 4, 5, 4].map(BigInt));
    expect([...packed.at]).toEqual([3, 4, 5, 7, 3, 10, 11].map(BigInt));
    expect([...packed.targets]).toEqual([5, 6, 7, 6, 5, 2, 10].map(BigInt));
    expect([...packed.weights]).toEqual([1, 1, 1, 0.5, 1, 1, 1]);
    expect([...packed.advantages]).toEqual([1.5, 1.5, 1.5, -0.7, -1.2, 1, 1]);
    expect([...packed.old]).toEqual([...OLD, OLD[2], OLD[2], ...OLD.slice(1)]);
    expect(packed.origin[3]).toEqual([0, 1, 1]);
  });

  test("hides answers from each other, and padding from all but itself", () => {
    const line = (row: number, position: number) =>
      packed.visible.slice((row * 10 + position) * 10, (row * 10 + position + 1) * 10).join("");
    expect(line(0, 2)).toBe("1110000000");
    expect(line(0, 5)).toBe("1111110000");
    expect(line(0, 8)).toBe("1111000110");
    expect(line(0, 9)).toBe("1111000001");
    expect(line(1, 2)).toBe("1110000000");
    expect(line(1, 7)).toBe("0000000100");
  });

  test("takes tokens without weight too where all are asked for", () => {
    expect(packRows([SHARED], LIMITS, "all").at).toHaveLength(6);
  });

  test("refuses what the model cannot read, by the number that is wrong", () => {
    const pack = (row: Row) => () => packRows([row], LIMITS, "all");
    expect(pack(plainRow([1, 11]))).toThrow(/11 is no token of a vocabulary of 11/);
    expect(pack(plainRow([1, 2.5]))).toThrow(/2.5 is no token/);
    expect(pack(plainRow(Array(17).fill(1)))).toThrow(/17 tokens, but the context 16/);
    expect(pack({ prefix: [], continuations: [{ tokens: [1] }] })).toThrow(/no prefix/);
    const short = { prefix: [1], continuations: [{ tokens: [1, 2], weights: [1] }] };
    expect(pack(short)).toThrow(/1 weights were given for 2 tokens/);
  });
});

test("rows are split into parts of a bounded size, similar lengths together, none lost", () => {
  const rows = [3, 9, 4, 2, 9, 30, 3].map((length) => plainRow(Array(length).fill(1)));
  const parts = splitRows(rows, 20);
  expect(parts).toEqual([[5], [1, 4], [2, 0, 6, 3]]);
  for (const part of parts.slice(1)) {
    const longest = Math.max(...part.map((i) => rowLength(rows[i] as Row)));
    expect(longest * part.length).toBeLessThanOrEqual(20);
  }
});

test("weights add up over all continuations", () => {
  expect(totalWeight([SHARED, OTHER])).toBe(3 + 0.5 + 1 + 2);
});

test("answers that do not fit behind one prefix get several, each answer whole", () => {
  const folded = foldRows([OTHER, SHARED], 8);
  expect(folded.map(({ row }) => rowLength(row))).toEqual([3, 7, 7]);
  expect(folded.map(({ from, first }) => [from, first])).toEqual([
    [0, 0],
    [1, 0],
    [1, 1],
  ]);
  expect(folded.flatMap(({ row }) => row.continuations)).toEqual([
    ...OTHER.continuations,
    ...SHARED.continuations,
  ]);
});
