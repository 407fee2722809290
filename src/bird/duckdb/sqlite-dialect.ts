/** Lets queries in SQLite's dialect mean in DuckDB what they mean in SQLite, where DuckDB would silently do otherwise. */

/** Dates that both read alike; with others, an error is better than another date. */
const DATE_FORM = "'\\d{4}-\\d{2}-\\d{2}([ T]\\d{2}:\\d{2}(:\\d{2}(\\.\\d+)?)?)?'";
const moment = `CASE WHEN x IS NULL THEN NULL WHEN regexp_full_match(CAST(x AS VARCHAR), ${DATE_FORM})
  THEN CAST(x AS TIMESTAMP) ELSE error('no date that SQLite and DuckDB read alike: ' || CAST(x AS VARCHAR)) END`;

/** Statements that define SQLite's functions which DuckDB lacks, and those that `asInSqlite` writes; copies hold them. */
export const SQLITE_FUNCTIONS: readonly string[] = [
  "iif(condition, a, b) AS CASE WHEN condition THEN a ELSE b END",
  "total(x) AS coalesce(CAST(sum(x) AS DOUBLE), CAST(0 AS DOUBLE))",
  `lse_moment(x) AS ${moment}`,
  // SQLite counts in milliseconds.
  "julianday(x) AS CAST(epoch_ms(lse_moment(x)) + 210866760000000 AS DOUBLE) / CAST(86400000 AS DOUBLE)",
  "datetime(x) AS strftime(lse_moment(x), '%Y-%m-%d %H:%M:%S')",
  "unixepoch(x) AS epoch_ms(lse_moment(x)) // 1000",
  // Towards zero, and of 64 bits; a text that is no number is an error, where SQLite takes the digits at its beginning.
  "lse_integer(x) AS CASE WHEN regexp_full_match(CAST(x AS VARCHAR), '-?\\d+') THEN CAST(x AS BIGINT) ELSE CAST(trunc(CAST(x AS DOUBLE)) AS BIGINT) END",
  "lse_typeof(x) AS CASE WHEN x IS NULL THEN 'null' WHEN typeof(x) = 'VARCHAR' THEN 'text' WHEN typeof(x) = 'BLOB' THEN 'blob' WHEN typeof(x) IN ('DOUBLE', 'FLOAT') OR typeof(x) LIKE 'DECIMAL%' THEN 'real' ELSE 'integer' END",
  "lse_min(a, b) AS CASE WHEN a IS NULL OR b IS NULL THEN NULL ELSE least(a, b) END, (a, b, c) AS CASE WHEN a IS NULL OR b IS NULL OR c IS NULL THEN NULL ELSE least(a, b, c) END",
  "lse_max(a, b) AS CASE WHEN a IS NULL OR b IS NULL THEN NULL ELSE greatest(a, b) END, (a, b, c) AS CASE WHEN a IS NULL OR b IS NULL OR c IS NULL THEN NULL ELSE greatest(a, b, c) END",
].map((definition) => `CREATE MACRO ${definition}`);

const TOKEN =
  /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?\*\/|[A-Za-z_][\w$]*|\s+|[\s\S]/g;
/** Of several values; the translation of a query writes DuckDB's names, which leave NULL out. */
const EXTREMES: Readonly<Record<string, string>> = {
  min: "lse_min",
  least: "lse_min",
  max: "lse_max",
  greatest: "lse_max",
};
const IS_BLANK = /^(\s|--|\/\*)/;

/**
 * A query with the words that mean something else in DuckDB replaced: names in [brackets] and `backquotes`, LIKE without
 * regard to case, REAL of 64 bits, CAST to an integer, min and max of several values, typeof and format.
 */
export function asInSqlite(sql: string): string {
  const tokens = sql.match(TOKEN) ?? [];
  const words = tokens.map((token) => token.toLowerCase());
  const next = (at: number, step = 1): number => {
    let to = at + step;
    while (tokens[to] !== undefined && IS_BLANK.test(tokens[to] as string)) to += step;
    return to;
  };
  for (const [i, token] of tokens.entries()) {
    if (token.startsWith("[") || token.startsWith("`")) tokens[i] = quoted(token);
    else if (words[i] === "like" && words[next(i, -1)] !== ".") tokens[i] = "ILIKE";
    else if (words[i] === "real" && words[next(i, -1)] === "as") tokens[i] = "DOUBLE";
    else if (words[next(i)] === "(") replaceCall(tokens, words, i, next);
  }
  return tokens.join("");
}

/** @param at a name before a parenthesis @param next the place of the next token that is not blank */
function replaceCall(
  tokens: string[],
  words: readonly string[],
  at: number,
  next: (at: number, step?: number) => number,
): void {
  const name = words[at];
  if (name === "typeof") tokens[at] = "lse_typeof";
  // DuckDB's format has other placeholders.
  if (name === "format") tokens[at] = "printf";
  const extreme = EXTREMES[name ?? ""];
  if (name !== "cast" && extreme === undefined) return;
  let depth = 0;
  let commas = 0;
  let close = next(at);
  for (; close < words.length; close++) {
    if (words[close] === "(") depth++;
    if (words[close] === ")" && --depth === 0) break;
    if (words[close] === "," && depth === 1) commas++;
  }
  if (extreme !== undefined) {
    if (commas > 0) tokens[at] = extreme;
    return;
  }
  const type = next(close, -1);
  const as = next(type, -1);
  if (!/^int(eger)?$/.test(words[type] ?? "") || words[as] !== "as") return;
  tokens[at] = "lse_integer";
  tokens[as] = "";
  tokens[type] = "";
}

const quoted = (name: string) => {
  const plain = name.startsWith("[") ? name.slice(1, -1) : name.slice(1, -1).replaceAll("``", "`");
  return `"${plain.replaceAll('"', '""')}"`;
};
