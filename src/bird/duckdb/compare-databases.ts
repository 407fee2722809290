/** Runs the gold queries of whole databases in SQLite and in DuckDB, to compare the two. */
import { defaultCacheFolder } from "../../lib/cache-folder.js";
import { type BirdData, questionsOf } from "../dataset.js";
import { type SqlEngine, SqlExecutor } from "../sql/executor.js";
import { copyOf } from "./copy.js";
import { compareDialects, type Dialects } from "./dialects.js";

const MEMORY_MB = 4096;

/** Limits of a comparison, and a callback for its progress. */
export interface CompareDatabasesOptions {
  /** Time limit of a query. */
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
  const executorOf = (engine: SqlEngine) =>
    new SqlExecutor({ engine, processes: 1, limits: { timeoutMs, memoryMb: MEMORY_MB } });
  await using sqlite = executorOf("sqlite");
  await using duckdb = executorOf("duckdb");
  const all: Record<string, Dialects> = {};
  for (const name of databases) {
    const file = data.databasePath(name);
    const copy = await copyOf(file, cacheFolder);
    const engines = {
      sqlite: { executor: sqlite, path: file },
      duckdb: { executor: duckdb, path: copy },
    };
    all[name] = await compareDialects(questionsOf(data, name), engines, onQuery);
  }
  return all;
}
