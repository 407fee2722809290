/** Two things the published code does to responses before it grades them, for runs that are to match it. */
import { extractTag } from "../lib/extract.js";

/**
 * The answer of a model that writes SQL in fences, such as Arctic-Text2SQL-R1 (lse/helpers.py:175-193, 204-207): from the
 * last ```sql to the last ``` of all. A later fence of another kind is taken for SQL with it, a fence that is not closed
 * gives nothing, and a fence goes before the answer tags, wherever they are. Without a fence the tags count.
 */
export function extractFenced(response: string): string {
  const start = response.lastIndexOf(FENCE);
  if (start < 0) return extractTag(response, "answer");
  const end = response.lastIndexOf("```");
  return end > start ? response.slice(start + FENCE.length, end) : "";
}

const FENCE = "```sql";

/** Lengths of repeated blocks that are looked for; not 6, 7 or 9. */
const BLOCKS = [2, 3, 4, 5, 8, 16, 32, 64];
const LEAST_REPEATS = 3;

/**
 * Cuts off what a model that got stuck repeats at the end (lse/helpers.py:10-109, with the limits of configs/base.yaml):
 * one character, or a block of some lengths, over and over for at least `minRun` characters. All of the run goes, not one
 * copy stays; blanks do not count.
 * @param lookback how far from the end it looks
 */
export function cutRepetition(text: string, { minRun = 100, lookback = 4096 } = {}): string {
  if (text.length < minRun) return text;
  const tail = text.slice(-Math.max(Math.min(text.length, lookback), minRun));
  for (const length of [1, ...BLOCKS]) {
    const block = tail.slice(-length);
    if (block.trim() === "") continue;
    let repeats = 1;
    while (tail.slice(-(repeats + 1) * length, -repeats * length) === block) repeats++;
    const enough = length === 1 || repeats >= LEAST_REPEATS;
    if (enough && repeats * length >= minRun) return text.slice(0, text.length - repeats * length).trimEnd();
  }
  return text;
}
