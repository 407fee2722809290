/** Which version of SQLite or DuckDB runs the queries: results can depend on it. */
import { DatabaseSync } from "@photostructure/sqlite";
import type { SqlEngine } from "./sql/executor.js";

/** Such as "SQLite 3.50.4". */
export async function engineVersion(engine: SqlEngine): Promise<string> {
  if (engine === "duckdb") return `DuckDB ${(await import("@duckdb/node-api")).version().replace(/^v/, "")}`;
  const memory = new DatabaseSync(":memory:");
  const row = memory.prepare("SELECT sqlite_version() AS version").get() as { version: string };
  memory.close();
  return `SQLite ${row.version}`;
}
