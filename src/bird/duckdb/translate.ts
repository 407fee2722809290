/** Translates SQLite's dialect into DuckDB's. */
import { Dialect, transpile } from "@polyglot-sql/sdk";

/**
 * A SQLite query as a DuckDB query; null if the library cannot parse it. The library turns every division into one of
 * real numbers, which SQLite's is not, so only queries that DuckDB rejects are to be translated.
 */
export function fromSqlite(sql: string): string | null {
  const { success, sql: translated } = transpile(sql, Dialect.SQLite, Dialect.DuckDB);
  return success && translated?.length === 1 ? (translated[0] ?? null) : null;
}
