/** Tells questions apart that differ in more than their values. */

/** A string, a number, a quoted name or one other character of SQL. */
const LITERAL = /'((?:[^']|'')*)'|(?<![\p{L}\p{N}_$])(\d+(?:\.\d+)?)(?![\p{L}\p{N}_$])/gu;

/**
 * Keys of a question, of which twins have one in common: its words and its gold query, both without the values of the
 * query and without other numbers. "Height of Batman" and "Height of Superman" are twins.
 */
export function twinKeysOf(question: string, sql: string): string[] {
  const values = [...sql.matchAll(LITERAL)]
    .map(([, text, number]) => (text === undefined ? (number as string) : text.replaceAll("''", "'")))
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
    `query ${sql
      .replace(LITERAL, "?")
      .toLowerCase()
      .replace(/\s+/g, " ")
      .replace(/ ?([(),;=<>+*/-]) ?/g, "$1")
      .replace(/;$/, "")
      .trim()}`,
  ];
}
