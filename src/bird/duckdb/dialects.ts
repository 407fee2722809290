/** Counts for how many gold queries SQLite and DuckDB agree, and gives reasons for the others. */
import type { BirdQuestion } from "../dataset.js";
import { type SqlExecutor, sameRows } from "../sql/executor.js";
import { rowKey, type SqlValue } from "../sql/rows.js";

/** How the gold queries of a database do in both engines. */
export interface Dialects {
  /** How many gold queries there are. */
  readonly gold: number;
  /** Queries for which both engines return the same set of rows. */
  readonly agree: number;
  readonly differ: number;
  /** Queries that DuckDB does not understand, translated or, if they cannot be translated, as they are. */
  readonly not_translated: number;
  /** Queries that fail while they run. */
  readonly errors: number;
  /** Seconds for the queries that both engines run, each once. */
  readonly sqlite_seconds: number;
  readonly duckdb_seconds: number;
  /** Queries that DuckDB runs several times as fast, the slowest in SQLite first. */
  readonly faster: readonly Faster[];
  /** Why the engines disagree, the most frequent reason first, with an example. */
  readonly reasons: readonly Reason[];
}

export interface Faster {
  readonly question_id: number;
  readonly sqlite_seconds: number;
  readonly duckdb_seconds: number;
}

export interface Reason {
  readonly why: string;
  readonly count: number;
  readonly question_id: number;
  readonly sql: string;
}

/** "Several times as fast" is at least `times`, for queries that take SQLite more than `seconds`. */
const FASTER = { times: 5, seconds: 0.02 };
/** Digits to which sums of floating-point numbers agree, whatever their order. */
const DIGITS = 9;
/** Rows of each result that are looked at for the reason of a difference. */
const MOST_ROWS = 100_000;

/** A database in one of the engines. */
export interface EngineFile {
  readonly executor: SqlExecutor;
  readonly path: string;
}

/** Runs the gold queries of one database in SQLite, and in a DuckDB copy of it, and compares their rows. */
export async function compareDialects(
  questions: readonly BirdQuestion[],
  { sqlite, duckdb }: { readonly sqlite: EngineFile; readonly duckdb: EngineFile },
  onQuestion: () => void,
): Promise<Dialects> {
  const counts = { agree: 0, differ: 0, not_translated: 0, errors: 0 };
  const reasons = new Map<string, { why: string; count: number; question_id: number; sql: string }>();
  const note = (why: string, { questionId, sql }: BirdQuestion) => {
    const known = reasons.get(why);
    if (known === undefined) reasons.set(why, { why, count: 1, question_id: questionId, sql });
    else known.count++;
  };
  const total = { sqlite_seconds: 0, duckdb_seconds: 0 };
  const faster: Faster[] = [];
  for (const question of questions) {
    const other = await duckdb.executor.execute(duckdb.path, question.sql);
    const own = await sqlite.executor.execute(sqlite.path, question.sql);
    onQuestion();
    const failed = [other, own].find((result) => !result.ok);
    if (failed !== undefined && !failed.ok) {
      // "syntax": DuckDB does not understand the query.
      counts[failed.kind === "syntax" ? "not_translated" : "errors"]++;
      note(reasonOf(failed.error), question);
    }
    if (!other.ok || !own.ok) continue;
    const [sqlite_seconds, duckdb_seconds] = [own.seconds, other.seconds];
    total.sqlite_seconds += sqlite_seconds;
    total.duckdb_seconds += duckdb_seconds;
    if (sqlite_seconds > Math.max(FASTER.seconds, FASTER.times * duckdb_seconds))
      faster.push({ question_id: question.questionId, sqlite_seconds, duckdb_seconds });
    if (sameRows(own, other)) counts.agree++;
    else {
      counts.differ++;
      note(
        difference(await firstRows(sqlite, question.sql), await firstRows(duckdb, question.sql)),
        question,
      );
    }
  }
  const sorted = [...reasons.values()].sort((a, b) => b.count - a.count);
  faster.sort((a, b) => b.sqlite_seconds - a.sqlite_seconds);
  return { gold: questions.length, ...counts, ...total, faster, reasons: sorted };
}

/** An error message without the details of its query. */
const reasonOf = (error: string) =>
  error
    .replace(/^DuckDB: /, "")
    .replace(/(Candidate functions|Candidate bindings|Did you mean|LINE \d+).*$/s, "")
    .replace(/(["'`])(?:(?!\1).)*\1/g, "…")
    .replace(/\([^)]*\)/g, "(…)")
    .trim()
    .slice(0, 160);

async function firstRows({ executor, path }: EngineFile, sql: string): Promise<Values> {
  const result = await executor.fetch(path, sql, MOST_ROWS);
  return result.ok ? result.table.rows : [];
}

type Values = readonly (readonly SqlValue[])[];

/** How two different results differ. */
function difference(sqlite: Values, duckdb: Values): string {
  const setOf = (rows: Values) => [...new Set(rows.map(rowKey))].sort().join();
  if (setOf(sqlite.map(rounded)) === setOf(duckdb.map(rounded))) return "the last digits of numbers";
  const texts = (rows: Values) =>
    rows.map((row) => row.map((value) => (value === null ? null : String(value))));
  if (setOf(texts(sqlite)) === setOf(texts(duckdb))) return "numbers and texts";
  if (sqlite.length === duckdb.length) return "values: the same number of rows, with different values";
  return "rows: a different number of rows";
}

const rounded = (row: readonly SqlValue[]): SqlValue[] =>
  row.map((value) => (typeof value === "number" ? Number(value.toPrecision(DIGITS)) : value));
