/** Finds what makes the result of a query depend on the date or on chance. */

/** A string, a comment, a word (with a quoted name counted as one), or one other character. */
const TOKEN = /'(?:[^']|'')*'|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|"(?:[^"]|"")*"|[\p{L}\p{N}_$]+|\s+|[\s\S]/gu;

/** Without parentheses, in both engines. */
const WORDS = new Set([
  "current_date",
  "current_time",
  "current_timestamp",
  "localtime",
  "localtimestamp",
  "tablesample",
]);

/** Whatever their arguments, in one of the engines. */
const FUNCTIONS = new Set(
  "random randomblob uuid uuidv4 uuidv7 gen_random_uuid now today get_current_time get_current_timestamp get_current_date transaction_timestamp current_localtime current_localtimestamp changes total_changes last_insert_rowid".split(
    " ",
  ),
);

/** Functions of time that take the present one where a value of time is left out: with at most so many arguments. */
const TIMES: Readonly<Record<string, number>> = {
  date: 0,
  time: 0,
  datetime: 0,
  julianday: 0,
  unixepoch: 0,
  strftime: 1,
  age: 1,
};

/**
 * Parts of a query by which its result differs from one day, or from one time, to the next, as they are written; none
 * for almost all. A name of a column that looks like one of them counts too, so that nothing is missed.
 */
export function volatileParts(sql: string): string[] {
  const tokens = [...sql.matchAll(TOKEN)]
    .map(([token]) => token)
    .filter((token) => !/^(--|\/\*|\s)/.test(token));
  const found = new Set<string>();
  for (const [at, token] of tokens.entries()) {
    const word = token.toLowerCase();
    const isCall = tokens[at + 1] === "(";
    if (/^['"]now['"]$/.test(word) || WORDS.has(word)) found.add(token);
    else if (isCall && FUNCTIONS.has(word)) found.add(`${token}()`);
    else if (isCall && argumentsAt(tokens, at + 1) <= (TIMES[word] ?? -1)) found.add(`${token}()`);
    else if (word === "using" && tokens[at + 1]?.toLowerCase() === "sample") found.add("USING SAMPLE");
  }
  return [...found];
}

/** How many arguments the parenthesis at an index holds. */
function argumentsAt(tokens: readonly string[], open: number): number {
  let depth = 0;
  let count = 0;
  for (let at = open; at < tokens.length; at++) {
    const token = tokens[at] as string;
    if (token === "(" && depth++ === 0) continue;
    if (token === ")" && --depth === 0) break;
    if (count === 0) count = 1;
    if (token === "," && depth === 1) count++;
  }
  return count;
}
