/** Texts of models, databases and services as a terminal may show them. */

const ESCAPES: Readonly<Record<string, string>> = { "\r": "\\r", "\b": "\\b", "\0": "\\0" };

const escaped = (character: string) =>
  ESCAPES[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;

/** The text with its control characters written out, such as \x1b, but for line ends and tabs. */
export const printable = (text: string): string => text.replace(/[^\P{Cc}\n\t]/gu, escaped);

/** As `printable`, in one line: line ends and the blanks around them become one blank. */
export const printableLine = (text: string): string => printable(text.trim().replace(/\s*[\r\n]+\s*/g, " "));
