import { describe, expect, it } from "vitest";
import { PromptLookup } from "#lse/runtime/llama/prompt-lookup.js";

/** A token of each character. */
const tokens = (text: string) => Array.from(text, (letter) => letter.charCodeAt(0));
const text = (some: readonly number[]) => String.fromCharCode(...some);

describe("prompt lookup", () => {
  const EXAMPLE = "SELECT name FROM hero JOIN colour ON colour.id = hero.colour_id; SELECT name FROM";

  it("guesses what came after the longest end that has occurred, the latest of several", () => {
    const guess = (before: string, generated: string) =>
      text(new PromptLookup(tokens(before)).propose(tokens(generated), 4));
    expect(guess("abcdX bcdY bcdZ", "abcd")).toBe("X bc");
    expect(guess("bcX bcY", "zbc")).toBe("Yzbc");
    expect(guess("abX", "cd")).toBe("");
    // A single token is no place to go on from.
    expect(guess("aXbY", "za")).toBe("");
  });

  it("looks in what has been generated as well as in the prompt", () => {
    expect(text(new PromptLookup(tokens("?")).propose(tokens("ab cd ab"), 3))).toBe(" cd");
  });

  it("guesses more while guesses come true and fewer when they do not, and counts both", () => {
    const lookup = new PromptLookup(tokens(EXAMPLE));
    const lengths: number[] = [];
    let generated = tokens(" hero");
    for (const right of [4, 8, 1, 1]) {
      const guess = lookup.propose(generated, 16);
      lengths.push(guess.length);
      generated = [...generated, ...guess.slice(0, right), ...(right < guess.length ? tokens("#e") : [])];
      if (right < guess.length) generated = [...generated, ...tokens(" SELECT")];
    }
    lookup.propose(generated, 16);
    expect(lengths).toEqual([4, 8, 16, 1]);
    expect(lookup).toMatchObject({ proposed: 4 + 8 + 16 + 1, accepted: 4 + 8 + 1 + 1 });
  });

  it("keeps to what is wanted", () => {
    const lookup = new PromptLookup(tokens(EXAMPLE));
    expect(lookup.propose(tokens(" hero"), 2)).toHaveLength(2);
    expect(lookup.propose(tokens(" hero"), 0)).toEqual([]);
  });
});
