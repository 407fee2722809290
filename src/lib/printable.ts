/** Texts of strangers (models, databases, services, files) as a terminal may show them. */

const ESCAPES: Readonly<Record<string, string>> = { "\r": "\\r", "\b": "\\b", "\0": "\\0" };

const escaped = (character: string) => {
  const code = character.charCodeAt(0).toString(16);
  return ESCAPES[character] ?? (code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, "0")}`);
};

/** Control characters but for line ends and tabs, and those that change the direction of writing. */
const UNPRINTABLE = /[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069]/gu;

/** The text with such characters written out, as \x1b. */
export const printable = (text: string): string => text.replace(UNPRINTABLE, escaped);

/** As `printable`, in one line: line ends and the blanks around them become one blank. */
export const printableLine = (text: string): string => printable(text.trim().replace(/\s*[\r\n]+\s*/g, " "));

const LONGEST = 500;

/**
 * A text on one line: without control and formatting characters, which could move the cursor or hide words, and cut
 * after `longest` characters.
 */
export function shortLine(text: string, longest = LONGEST): string {
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
  shortLine(error instanceof Error ? error.message || error.name : String(error));
