/** Runs the gold queries of whole databases in SQLite and in DuckDB, to compare the two. */
import { DatabaseSync } from "@photostructure/sqlite";
import { defaultCacheFolder } from "../../lib/cache-folder.js";
import { type BirdData, questionsOf } from "../dataset.js";
import type { SqlValue } from "../sql/rows.js";
import { copyOf } from "./copy.js";
import { DuckDbDatabase } from "./database.js";
import { compareDialects, type Dialects } from "./dialects.js";

const MEMORY_MB = 4096;

/** Limits of a comparison, and a callback for its progress. */
export interface CompareDatabasesOptions {
  /** Time limit of a query in DuckDB. */
  readonly timeoutMs: number;
  /** Folder for copies of databases. Defaults to the user's cache folder. */
  readonly cacheFolder?: string | undefined;
  /** Called after each gold query. */
  readonly onQuery?: () => void;
}

/** Executes the gold queries of databases in both engines. @returns figures by database */
export async function compareDatabases(
  data: BirdData,
  databases: readonly string[],
  { timeoutMs, cacheFolder = defaultCacheFolder(), onQuery = () => undefined }: CompareDatabasesOptions,
): Promise<Record<string, Dialects>> {
  const all: Record<string, Dialects> = {};
  for (const name of databases) {
    const file = data.databasePath(name);
    const sqlite = new DatabaseSync(file, {
      readOnly: true,
      readBigInts: true,
      returnArrays: true,
      enableDoubleQuotedStringLiterals: true,
    });
    try {
      using duckdb = await DuckDbDatabase.open(await copyOf(file, cacheFolder), MEMORY_MB);
      const engines = {
        sqlite: (sql: string) => sqlite.prepare(sql).all() as unknown as SqlValue[][],
        duckdb,
      };
      all[name] = await compareDialects(questionsOf(data, name), engines, { timeoutMs, onQuestion: onQuery });
    } finally {
      sqlite.close();
    }
  }
  return all;
}
