/** Texts of models, databases and services as a terminal may show them. */

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
