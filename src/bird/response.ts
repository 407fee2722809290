/** What the published code does to a response before it grades it: finds fenced SQL, cuts off repetition. */
import { extractTag } from "../lib/extract.js";

/**
 * The answer of a model that writes SQL in fences, such as Arctic-Text2SQL-R1 (lse/helpers.py:175-193, 204-207): from
 * the last ```sql to the last ``` of all. A later fence of another kind counts as part of the SQL, a fence that is not
 * closed gives nothing, and a fence has priority over answer tags, wherever they are. Without a fence the tags count.
 */
export function extractFenced(response: string): string {
  const start = response.lastIndexOf(FENCE);
  if (start < 0) return extractTag(response, "answer");
  const end = response.lastIndexOf("```");
  return end > start ? response.slice(start + FENCE.length, end) : "";
}

const FENCE = "```sql";

/** Lengths of the repeated blocks that are found; 6, 7 and 9 are not among them. */
const BLOCKS = [2, 3, 4, 5, 8, 16, 32, 64];
const LEAST_REPEATS = 3;

/**
 * Cuts off what a model that got stuck repeats at the end (lse/helpers.py:10-109, with the limits of configs/base.yaml):
 * one character, or a block of some lengths, over and over for at least `minRun` characters. All copies are removed, the
 * first one too; repeated blanks stay.
 * @param lookback how many characters before the end are searched
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
