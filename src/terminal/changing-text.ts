/** What is said of gold queries whose results do not stay the same. */
import { printableLine } from "../lib/printable.js";

export const changingText = (problem: string, parts: readonly string[]): string =>
  printableLine(
    `${problem}: its gold query depends on the date or on chance (${parts.join(", ")}), so it runs anew for every answer, and scores differ from day to day`,
  );
