/** Finds what makes the result of a query depend on the date or on chance. */

/** A string, a comment, a word (with a quoted name counted as one), or one other character. */
const TOKEN =
  /'(?:[^']|'')*'|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|"(?:[^"]|"")*"|`(?:[^`]|``)*`|[\p{L}\p{N}_$]+|\s+|[\s\S]/gu;

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
  "random randomblob uuid uuidv4 uuidv7 gen_random_uuid now today get_current_time get_current_timestamp get_current_date transaction_timestamp current_localtime current_localtimestamp changes total_changes last_insert_rowid ago txid_current current_transaction_id current_query_id current_connection_id current_query pg_postmaster_start_time pg_conf_load_time".split(
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

/** Values of time in texts: the present one, in SQLite. */
const PRESENT = /^['"](now|subsec(ond)?)['"]$/;

/** A view or macro of a database, or a table with generated columns. */
export interface Definition {
  readonly name: string;
  readonly sql: string;
}

/** As `volatileParts`, of a query and of the views and macros that it uses, itself or by way of others. */
export function volatilePartsWith(sql: string, definitions: readonly Definition[]): string[] {
  const found = new Set(volatileParts(sql));
  const texts = [sql];
  let others = definitions;
  for (let text = texts.pop(); text !== undefined; text = texts.pop()) {
    const used = others.filter(({ name }) => isNamedIn(text as string, name));
    others = others.filter((definition) => !used.includes(definition));
    for (const definition of used) {
      for (const part of volatileParts(definition.sql)) found.add(part);
      texts.push(definition.sql);
    }
  }
  return [...found];
}

/** Whether a text has a name as a word, quoted or not. */
function isNamedIn(text: string, name: string): boolean {
  const [whole, wanted] = [text.toLowerCase(), name.toLowerCase()];
  const isPart = (character = "") => /[\p{L}\p{N}_$]/u.test(character);
  const spellings = [wanted, wanted.replaceAll('"', '""'), wanted.replaceAll("`", "``")];
  return spellings.some((spelling) => {
    if (spelling === "") return true;
    for (let at = whole.indexOf(spelling); at >= 0; at = whole.indexOf(spelling, at + 1))
      if (!isPart(whole[at - 1]) && !isPart(whole[at + spelling.length])) return true;
    return false;
  });
}

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
    // Names of functions may be quoted, too.
    const name = word.replace(/^(["`])(.*)\1$/s, "$2");
    const open = tokens[at - 1] === "[" && tokens[at + 1] === "]" ? at + 2 : at + 1;
    const isCall = tokens[open] === "(";
    if (PRESENT.test(word) || WORDS.has(word)) found.add(token);
    else if (isCall && FUNCTIONS.has(name)) found.add(`${token}()`);
    else if (isCall && argumentsAt(tokens, open) <= (TIMES[name] ?? -1)) found.add(`${token}()`);
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
