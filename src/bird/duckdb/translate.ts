/** SQLite's dialect in DuckDB's words. */
import { Dialect, transpile } from "@polyglot-sql/sdk";

/**
 * A query of SQLite's in DuckDB's words; null where the library cannot read it. It makes every division one of real
 * numbers, which SQLite's is not: what DuckDB understands as it is needs no translation.
 */
export function fromSqlite(sql: string): string | null {
  const { success, sql: translated } = transpile(sql, Dialect.SQLite, Dialect.DuckDB);
  return success && translated?.length === 1 ? (translated[0] ?? null) : null;
}
