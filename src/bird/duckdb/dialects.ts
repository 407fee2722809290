/** For how many gold queries SQLite and DuckDB agree, and why not for the others. */
import type { BirdQuestion } from "../dataset.js";
import { rowKey, type SqlValue } from "../sql/rows.js";
import type { DuckDbDatabase } from "./database.js";

export interface Dialects {
  /** Gold queries. */
  readonly gold: number;
  /** Of which both engines return the same set of rows. */
  readonly agree: number;
  readonly differ: number;
  /** Which DuckDB does not understand: they are run as they are, since no maintained translator is at hand. */
  readonly not_translated: number;
  /** Which fail while they run. */
  readonly errors: number;
  /** Why engines do not agree, the most frequent reason first, with an example. */
  readonly reasons: readonly Reason[];
}

export interface Reason {
  readonly why: string;
  readonly count: number;
  readonly question_id: number;
  readonly sql: string;
}

/** What cannot be understood, rather than carried out. */
const NOT_UNDERSTOOD = ["Parser", "Binder", "Catalog"];
/** Digits in which sums of floating-point numbers agree whatever their order. */
const DIGITS = 9;

/** @param sqlite the rows that SQLite returns */
export async function compareDialects(
  questions: readonly BirdQuestion[],
  sqlite: (sql: string) => readonly SqlValue[][],
  duckdb: DuckDbDatabase,
  onQuestion: () => void,
): Promise<Dialects> {
  const counts = { agree: 0, differ: 0, not_translated: 0, errors: 0 };
  const reasons = new Map<string, { why: string; count: number; question_id: number; sql: string }>();
  const note = (why: string, { questionId, sql }: BirdQuestion) => {
    const known = reasons.get(why);
    if (known === undefined) reasons.set(why, { why, count: 1, question_id: questionId, sql });
    else known.count++;
  };
  for (const question of questions) {
    const found = await duckdb.run(question.sql);
    onQuestion();
    if (!found.ok) {
      counts[NOT_UNDERSTOOD.includes(found.kind) ? "not_translated" : "errors"]++;
      note(reasonOf(found.error), question);
      continue;
    }
    const why = difference(sqlite(question.sql), found.rows);
    if (why === null) counts.agree++;
    else {
      counts.differ++;
      note(why, question);
    }
  }
  const sorted = [...reasons.values()].sort((a, b) => b.count - a.count);
  return { gold: questions.length, ...counts, reasons: sorted };
}

/** An error without what is particular to its query. */
const reasonOf = (error: string) =>
  error
    .replace(/(Candidate functions|Candidate bindings|Did you mean|LINE \d+).*$/s, "")
    .replace(/(["'`])(?:(?!\1).)*\1/g, "…")
    .replace(/\([^)]*\)/g, "(…)")
    .trim()
    .slice(0, 160);

/** @returns null when both are the same set of rows */
function difference(sqlite: readonly SqlValue[][], duckdb: readonly SqlValue[][]): string | null {
  const setOf = (rows: readonly SqlValue[][]) => [...new Set(rows.map(rowKey))].sort().join();
  if (setOf(sqlite) === setOf(duckdb)) return null;
  if (setOf(sqlite.map(rounded)) === setOf(duckdb.map(rounded))) return "the last digits of numbers";
  const texts = (rows: readonly SqlValue[][]) =>
    rows.map((row) => row.map((value) => (value === null ? null : String(value))));
  if (setOf(texts(sqlite)) === setOf(texts(duckdb))) return "numbers and texts";
  if (sqlite.length === duckdb.length) return "values: as many rows, with others in them";
  return "rows: more or fewer";
}

const rounded = (row: readonly SqlValue[]): SqlValue[] =>
  row.map((value) => (typeof value === "number" ? Number(value.toPrecision(DIGITS)) : value));
