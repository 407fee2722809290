import { describe, expect, it } from "vitest";
import { median, ratioOf } from "../../bench/numbers.js";
import {
  commonLength,
  type Encode,
  FULL_SIZES,
  makeWork,
  smaller,
  TokenTree,
} from "../../bench/workloads.js";

/** One token for each word and one before each message. */
const encode: Encode = (messages) =>
  messages.flatMap(({ role, content }) => [
    role === "user" ? 1 : 2,
    ...content.split(" ").map((word) => Array.from(word).reduce((sum, c) => sum * 128 + c.charCodeAt(0), 0)),
  ]);

describe("bench", () => {
  it("takes ratios round by round", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(ratioOf([2, 9, 4], [1, 3, 4])).toEqual({ median: 2, least: 1, most: 3 });
  });

  it("makes prompts of exact lengths that share the prefix only", () => {
    const size = { prompts: 20, samples: 2, prefix: 100, suffix: 12, generate: 5 };
    const work = makeWork(encode, size, "prefix", "questions");
    const prompts = work.prompts.map(({ tokens }) => tokens);
    expect(work.sharedTokens).toBe(100);
    for (const [i, tokens] of prompts.entries()) {
      expect(tokens).toHaveLength(112);
      expect(tokens).toEqual(encode(work.prompts[i]?.messages ?? []));
      for (const other of prompts.slice(0, i)) expect(commonLength(tokens, other)).toBe(100);
    }
    expect(new TokenTree().add(prompts)).toBe(100 + 20 * 12);
    expect(makeWork(encode, size, "prefix", "questions")).toEqual(work);
    const other = makeWork(encode, size, "prefix", "other questions");
    expect(commonLength(other.prompts[0]?.tokens ?? [], prompts[0] ?? [])).toBeGreaterThanOrEqual(100);
  });

  it("counts the tokens of a prefix tree", () => {
    const tree = new TokenTree();
    expect(
      tree.add([
        [1, 2, 3],
        [1, 2, 4],
        [1, 2],
      ]),
    ).toBe(4);
    expect(
      tree.add([
        [1, 2, 3],
        [5, 2],
      ]),
    ).toBe(2);
  });

  it("keeps whole prompts in a smaller size", () => {
    expect(smaller(FULL_SIZES.holdout, 64).prompts).toBe(8);
    expect(smaller(FULL_SIZES.holdout, 4).prompts).toBe(1);
    expect(smaller(FULL_SIZES["plain-decode"], 64)).toEqual(FULL_SIZES["plain-decode"]);
  });
});
