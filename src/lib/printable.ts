/** Texts of strangers (services, servers, files) on one line of a terminal. */

const LONGEST = 500;

/**
 * A text on one line: without control and formatting characters, which could move the cursor or hide words, and cut
 * after `longest` characters.
 */
export function printable(text: string, longest = LONGEST): string {
  // What is cut off is not worth a search, however long it is.
  const line = text
    .slice(0, 20 * longest)
    .replace(/[\s\p{Cc}]+/gu, " ")
    .replace(/[\p{Cf}\p{Co}\p{Cs}]/gu, "")
    .trim();
  const characters = Array.from(line);
  return characters.length <= longest ? line : `${characters.slice(0, longest).join("")} …`;
}

/** What went wrong, on one line. */
export const reasonOf = (error: unknown): string =>
  printable(error instanceof Error ? error.message || error.name : String(error));
