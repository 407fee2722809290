/** The name that was probably meant. */
import { diffChars } from "diff";

/** The name that differs from `wrong` in the fewest letters, whatever their case. */
export function nearest(wrong: string, names: readonly string[]): string | undefined {
  const letters = (name: string) =>
    diffChars(wrong.toLowerCase(), name.toLowerCase())
      .filter(({ added, removed }) => added || removed)
      .reduce((sum, { count }) => sum + count, 0);
  return names.map((name) => [letters(name), name] as const).sort(([a], [b]) => a - b)[0]?.[1];
}
