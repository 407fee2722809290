/** Runs each gold query once and keeps its result on disk, by database content and SQL. */
import { mkdirSync } from "node:fs";
import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileIdentity, hashFileOnce } from "../lib/hash.js";
import {
  type SqlEngine,
  SqlExecutor,
  type SqlFailureKind,
  type SqlLimits,
  type SqlResult,
} from "./sql/executor.js";

/**
 * Some gold queries are slow (two of BIRD dev take over 30 s): they run once, with much time and memory where they need
 * it, and their results are kept.
 */
const GOLD_LIMITS: SqlLimits = { timeoutMs: 600_000, memoryMb: 4096, maxRows: 20_000_000 };

/** Most gold queries finish within this time, in milliseconds, and then need no process of their own. */
const LIGHT_MS = 5000;

const OUT_OF_LIMITS: ReadonlySet<SqlFailureKind> = new Set(["timeout", "memory", "too-many-rows", "crashed"]);

/** Changes when the form of a result or of its digest changes, so that older files are not used any more. */
const RESULT_FORMAT = "gold-2";

/**
 * Results of gold queries, by content of the database and exact SQL. Those of queries that depend on the date or on
 * chance are not kept.
 */
export class GoldResults implements AsyncDisposable {
  readonly #databases = new Map<string, Promise<DatabaseResults>>();
  // Has its own processes: one that alternated between two memory limits would be restarted each time.
  readonly #patient: SqlExecutor;

  /**
   * @param executor runs the quick ones
   * @param engine the engine of both
   */
  constructor(
    private readonly executor: SqlExecutor,
    engine: SqlEngine,
    private readonly cacheFolder: string,
  ) {
    this.#patient = new SqlExecutor({ engine, limits: GOLD_LIMITS });
  }

  /** The result of a gold query on the file as it is now; runs it when no earlier run has. */
  async get(databasePath: string, sql: string): Promise<SqlResult> {
    const { results, path, file } = await this.#open(databasePath);
    const run = async () => {
      const result = await this.#execute(databasePath, sql);
      // A failure may have to do with this machine (memory, a crash), so the next run tries again.
      if (!result.ok) return result;
      const isLasting = result.volatile.length === 0 && fileIdentity(databasePath) === file;
      if (isLasting) await appendFile(path, `${JSON.stringify({ sql, result })}\n`);
      else results.delete(sql);
      return result;
    };
    let result = results.get(sql);
    if (result === undefined) {
      result = run();
      results.set(sql, result);
    }
    return await result;
  }

  /** SHA-256 of a database file, read once for each state that it is in. */
  async databaseHash(databasePath: string): Promise<string> {
    return (await this.#open(databasePath)).hash;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#patient[Symbol.asyncDispose]();
  }

  async #execute(databasePath: string, sql: string): Promise<SqlResult> {
    const result = await this.executor.execute(databasePath, sql, { timeoutMs: LIGHT_MS });
    return result.ok || !OUT_OF_LIMITS.has(result.kind)
      ? result
      : await this.#patient.execute(databasePath, sql);
  }

  #open(databasePath: string): Promise<DatabaseResults> {
    const file = fileIdentity(databasePath);
    const key = `${databasePath}\0${file}`;
    let opened = this.#databases.get(key);
    if (opened === undefined) {
      opened = this.#load(databasePath, file);
      this.#databases.set(key, opened);
      // The next call tries again.
      opened.catch(() => this.#databases.delete(key));
    }
    return opened;
  }

  async #load(databasePath: string, file: string): Promise<DatabaseResults> {
    const hash = await hashFileOnce(databasePath);
    const folder = join(this.cacheFolder, RESULT_FORMAT);
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `${hash}.jsonl`);
    const results = new Map<string, Promise<SqlResult>>();
    const text = await readFile(path, "utf8").catch(() => "");
    for (const line of text.split("\n")) {
      const entry = parseEntry(line);
      if (entry !== null) results.set(entry.sql, Promise.resolve(entry.result));
    }
    return { hash, path, results, file };
  }
}

interface DatabaseResults {
  readonly hash: string;
  readonly path: string;
  /** Identity of the file that they belong to. */
  readonly file: string;
  readonly results: Map<string, Promise<SqlResult>>;
}

/** Null for a line that a killed process left half written: that query runs again. */
function parseEntry(line: string): { sql: string; result: SqlResult } | null {
  try {
    const { sql, result } = JSON.parse(line);
    return typeof sql === "string" && result?.ok === true ? { sql, result } : null;
  } catch {
    return null;
  }
}
