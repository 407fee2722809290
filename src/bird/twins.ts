/** Tells questions apart that differ in more than their values. */

/** A text, a number, or what may have quotes and digits in it that begin none: a comment, a quoted name. */
const TOKEN =
  /'((?:[^']|'')*)'|(?<![\p{L}\p{N}_$])(\d+(?:\.\d+)?)(?![\p{L}\p{N}_$])|(--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|"((?:[^"]|"")*)"|`[^`]*`|\[[\p{L}_][^\][]*\]/gu;

/** SQLite takes a text in double quotes for a value where no column has that name; behind these it mostly is one. */
const BEFORE_VALUE = /(?:[=<>]|\b(?:like|glob|in\s*\())\s*$/i;
/** What is looked at before one. */
const NEAR = 20;

/**
 * Keys of a question, of which twins have one in common: its words and its gold query, both without the values of the
 * query and without other numbers. "Height of Batman" and "Height of Superman" are twins.
 */
export function twinKeysOf(question: string, sql: string): string[] {
  const found: string[] = [];
  const query = sql.replace(
    TOKEN,
    (token, text?: string, number?: string, comment?: string, quoted?: string, at = 0) => {
      if (comment !== undefined) return " ";
      const isValue = quoted === undefined || BEFORE_VALUE.test(sql.slice(Math.max(0, at - NEAR), at));
      const value = text?.replaceAll("''", "'") ?? number ?? (isValue ? quoted : undefined);
      if (value === undefined) return token;
      found.push(value);
      return "?";
    },
  );
  const values = found
    .map((value) => value.replace(/^%|%$/g, "").trim().toLowerCase())
    .filter((value) => value !== "")
    // A value inside another one must not be taken out of it first.
    .sort((a, b) => b.length - a.length);
  const words = values.reduce((text, value) => text.replaceAll(value, "?"), question.toLowerCase());
  return [
    `question ${words
      .replace(/\d+(?:[.,]\d+)*/g, "?")
      .replace(/[\s?]+/g, " ")
      .trim()}`,
    `query ${query
      .toLowerCase()
      .replace(/\s+/g, " ")
      .replace(/ ?([(),;=<>+*/-]) ?/g, "$1")
      .replace(/;$/, "")
      .trim()}`,
  ];
}
