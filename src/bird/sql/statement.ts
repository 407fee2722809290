/** Decides which statements may run: one SELECT, WITH … SELECT or VALUES that only reads. */
import type { constants } from "@photostructure/sqlite";

/** Longest statement accepted, in bytes of UTF-8. */
export const MAX_SQL_BYTES = 1_000_000;

const ALLOWED = new Set(["SELECT", "WITH", "VALUES"]);

/** Every other word a statement of SQLite can start with (https://sqlite.org/lang.html). */
const REFUSED = new Set([
  "ALTER",
  "ANALYZE",
  "ATTACH",
  "BEGIN",
  "COMMIT",
  "CREATE",
  "DELETE",
  "DETACH",
  "DROP",
  "END",
  "EXPLAIN",
  "INSERT",
  "PRAGMA",
  "REINDEX",
  "RELEASE",
  "REPLACE",
  "ROLLBACK",
  "SAVEPOINT",
  "UPDATE",
  "VACUUM",
]);

const ONLY = "only one SELECT, WITH … SELECT or VALUES may run";

/**
 * Why a text may not be given to SQLite at all, found without SQLite. A text that is not SQL (a sentence, a markdown
 * fence) is not refused here: SQLite says where its syntax error is.
 *
 * @returns one sentence, or null when the text may be prepared
 */
export function refusal(sql: string): string | null {
  if (Buffer.byteLength(sql) > MAX_SQL_BYTES) {
    return `The statement is longer than ${MAX_SQL_BYTES} bytes`;
  }
  if (sql.includes("\0")) return "The statement contains a NUL character";
  if (!sql.isWellFormed()) {
    return "The statement contains half of a surrogate pair, which UTF-8 cannot encode";
  }
  const start = statementStart(sql);
  if (start === sql.length) return "The statement is empty: there is no SQL besides spaces and comments";
  const word = firstWord(sql, start);
  return REFUSED.has(word) ? `The statement starts with ${word}; ${ONLY}` : null;
}

/**
 * Why a statement may not run that SQLite has prepared without an error.
 *
 * @param sql the text handed to prepare
 * @param first `sqlite3_expanded_sql` of the prepared statement: the text up to and including the first
 *   statement's `;`, with NULL in the place of each parameter; undefined when SQLite could not make it
 * @param columns number of result columns
 * @returns one sentence, or null when the statement may run
 */
export function preparedRefusal(sql: string, first: string | undefined, columns: number): string | null {
  // A parameter is never spelled NULL, so the texts differ exactly when there is one.
  if (first === undefined || !sql.startsWith(first)) {
    return "The statement has parameters (?, :name, @name or $name), and there are no values for them";
  }
  // Python's sqlite3 skips the same characters after the first statement: a second ";" is refused there too.
  if (skipBlank(sql, first.length, /[ \t\f\n\r]/) !== sql.length) {
    return `There is more than one statement; ${ONLY}`;
  }
  const word = firstWord(sql, statementStart(sql));
  if (!ALLOWED.has(word)) return `The statement starts with ${word}; ${ONLY}`;
  return columns > 0 ? null : "The statement returns no columns";
}

/** Pragmas that only describe the schema; the table-valued form of one asks for permission like the pragma. */
const HARMLESS_PRAGMA =
  /^((foreign_key|table|index|collation|function|module|pragma)_list|(table|index)_x?info)$/;

/** Pragmas by which full-text tables notice that the file was changed. */
const READ_PRAGMA = /^(data_version|page_size)$/;

/** Functions that reach beyond the database. */
const REFUSED_FUNCTIONS = new Set(["load_extension", "fts3_tokenizer"]);

/**
 * The answer to one question of SQLite's authorizer (https://sqlite.org/c3ref/set_authorizer.html): only what
 * reads is allowed, so an action unknown to this code is not.
 *
 * @param codes the SQLite constants
 * @param asked what it asks: an action and its first two arguments
 * @param shadows tables in which virtual tables keep their data. An R-tree prepares to write to its own when it is
 *   opened, which the read-only connection keeps from happening.
 * @returns what is refused, in words, or null
 */
export function actionRefusal(
  codes: typeof constants,
  asked: { readonly action: number; readonly first: string | null; readonly second: string | null },
  shadows: ReadonlySet<string>,
): string | null {
  const { action, first, second } = asked;
  const name = first?.toLowerCase() ?? "";
  switch (action) {
    case codes.SQLITE_SELECT:
    case codes.SQLITE_READ:
    case codes.SQLITE_RECURSIVE:
      return null;
    case codes.SQLITE_INSERT:
    case codes.SQLITE_UPDATE:
    case codes.SQLITE_DELETE:
      if (shadows.has(name)) return null;
      break;
    case codes.SQLITE_FUNCTION:
      return REFUSED_FUNCTIONS.has(second?.toLowerCase() ?? "") ? `the function ${second}` : null;
    case codes.SQLITE_PRAGMA:
      return HARMLESS_PRAGMA.test(name) || (second === null && READ_PRAGMA.test(name))
        ? null
        : `PRAGMA ${first}`;
  }
  const isAction = (name: string) => !/^SQLITE_(OPEN_|CHANGESET_|OK$|DENY$|IGNORE$)/.test(name);
  const code = Object.entries(codes).find(([key, value]) => value === action && isAction(key))?.[0];
  return code === undefined ? `action ${action}` : code.replace("SQLITE_", "").replaceAll("_", " ");
}

/**
 * The same statement with texts as bytes that begin with a mark (`TextMark` reads them), where the binding would not
 * return the whole text. Both limits keep SQLite from merging the parts, so that each value is computed once,
 * random() and the like included, and rows are still returned as they are found.
 *
 * @param first one complete statement, with or without its `;`
 * @param texts which of them
 */
export function exactForm(
  first: string,
  columns: number,
  { mark, texts }: { readonly mark: string; readonly texts: "with NUL" | "all" },
): string {
  // Like the mark, a name that nothing in the statement or the database has: a table of that name would be hidden.
  const own = mark.replace(/\W/g, "_").slice(0, 16);
  const names = Array.from({ length: columns }, (_, column) => `${own}${column}`);
  const isMeant = (name: string) =>
    `typeof(${name}) = 'text'${texts === "all" ? "" : ` AND instr(${name}, char(0))`}`;
  const values = names.map(
    (name) => `CASE WHEN ${isMeant(name)} THEN CAST('${mark}' || ${name} AS BLOB) ELSE ${name} END`,
  );
  const body = first.slice(statementStart(first)).replace(/;$/, "");
  return `WITH ${own}(${names}) AS (SELECT * FROM (${body}\n) LIMIT -1) SELECT ${values} FROM ${own} LIMIT -1`;
}

/** Index of the first character that is neither blank, nor `;`, nor in a comment; `sql.length` if none. */
export function statementStart(sql: string): number {
  return skipBlank(sql, 0, /[ \t\f\n\r;\uFEFF]/);
}

function firstWord(sql: string, start: number): string {
  return (/^[A-Za-z_]*/.exec(sql.slice(start, start + 32))?.[0] ?? "").toUpperCase();
}

/** Skips what `blank` matches and comments; a comment that is not closed ends with the text, as in SQLite. */
function skipBlank(sql: string, from: number, blank: RegExp): number {
  let at = from;
  while (at < sql.length) {
    if (blank.test(sql.charAt(at))) {
      at++;
    } else if (sql.startsWith("--", at)) {
      const end = sql.indexOf("\n", at);
      at = end < 0 ? sql.length : end + 1;
    } else if (sql.startsWith("/*", at)) {
      const end = sql.indexOf("*/", at + 2);
      at = end < 0 ? sql.length : end + 2;
    } else {
      break;
    }
  }
  return at;
}
