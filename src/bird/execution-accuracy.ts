/** Grades one query by execution accuracy (EX): does it return the rows of the gold query? */
import { closeSync, openSync, readSync } from "node:fs";
import { LseError } from "../errors.js";
import { defaultCacheFolder } from "../lib/cache-folder.js";
import { fileIdentity } from "../lib/hash.js";
import type { BirdData, BirdQuestion } from "./dataset.js";
import { GoldResults } from "./gold.js";
import {
  type SqlComparison,
  type SqlEngine,
  SqlExecutor,
  type SqlFailure,
  type SqlResult,
  sameRows,
} from "./sql/executor.js";
import type { Against } from "./sql/messages.js";

/** Execution accuracy of one prediction: 1 when it returns the gold query's set of rows, else 0. */
export interface Verdict {
  readonly ex: 0 | 1;
  /** Why it is 0; null when it is 1. */
  readonly error: string | null;
}

/**
 * Grades SQL by EX as the official evaluator does (bird-bench/mini_dev, evaluation_ex.py:18-22), with these
 * differences: the gold query has ten minutes and runs once, so that 30 s (or `timeoutMs`) are the prediction's
 * own; and SQL that is empty or writes is wrong rather than run. Scores in DuckDB
 * are not BIRD's scores, because its dialect and types differ.
 */
export class ExecutionAccuracy implements AsyncDisposable {
  readonly #executor: SqlExecutor;
  readonly #gold: GoldResults;
  readonly #copies = new Map<string, Promise<string>>();

  /**
   * @param data says where the databases are
   * @param timeoutMs time limit of a prediction
   * @param cacheFolder where gold results and copies of databases are kept; defaults to the user's cache folder
   * @param engine runs the queries; DuckDB takes its own files, and copies of SQLite's
   */
  constructor(
    private readonly data: Pick<BirdData, "databasePath">,
    private readonly timeoutMs: number,
    private readonly cacheFolder: string = defaultCacheFolder(),
    private readonly engine: SqlEngine = "sqlite",
  ) {
    const limits = { timeoutMs, ...(engine === "duckdb" ? { memoryMb: DUCKDB_MEMORY_MB } : {}) };
    this.#executor = new SqlExecutor({ engine, limits });
    this.#gold = new GoldResults(this.#executor, engine, cacheFolder);
  }

  /** SHA-256 of a database's file. @throws LseError when it is missing, or no database */
  async databaseHash(dbId: string): Promise<string> {
    const path = this.data.databasePath(dbId);
    await this.#executor.execute(await this.#fileOf(dbId), "SELECT count(*) FROM sqlite_master");
    return this.#gold.databaseHash(path);
  }

  /** @throws LseError when the database is missing or damaged, or keeps changing */
  async grade(question: BirdQuestion, sql: string): Promise<Verdict> {
    const source = this.data.databasePath(question.dbId);
    for (let i = 0; i < TRIES; i++) {
      const before = identityOrNone(source);
      const verdict = await this.#gradeOnce(question, sql);
      // Otherwise one of the two queries may have run on the file as it was before.
      if (identityOrNone(source) === before) return verdict;
    }
    throw new LseError(
      `The database ${source} changes while queries run on it`,
      "Stop what writes to it, or use a copy",
    );
  }

  /** Runs a query as a prediction, without the gold one. @throws LseError as `grade` */
  async run(dbId: string, sql: string): Promise<SqlResult> {
    return await this.#executor.execute(await this.#fileOf(dbId), sql);
  }

  async #gradeOnce(question: BirdQuestion, sql: string): Promise<Verdict> {
    const path = await this.#fileOf(question.dbId);
    const [predicted, gold] = await Promise.all([
      this.#executor.execute(path, sql),
      this.#gold.get(path, question.sql),
    ]);
    if (!predicted.ok) return wrong(predicted.error);
    if (!gold.ok) return wrong(`the gold SQL fails: ${gold.error}`);
    if (sameRows(predicted, gold)) return { ex: 1, error: null };
    return wrong(`result mismatch | predicted: ${predicted.preview} | gold: ${gold.preview}`);
  }

  /** Soft-F1 and time beside the gold query's, of a prediction that ran. @throws LseError as `grade` */
  async compare(
    question: BirdQuestion,
    sql: string,
    metrics: Omit<Against, "gold">,
  ): Promise<SqlComparison | SqlFailure> {
    const path = await this.#fileOf(question.dbId);
    const gold = await this.#gold.get(path, question.sql);
    if (!gold.ok) return gold;
    // Each of the two once for their rows, and as often as they are timed.
    const once = this.timeoutMs + 1000 * gold.seconds;
    const timeoutMs = once * (Number(metrics.softF1) + metrics.timings);
    return await this.#executor.compare(path, sql, { gold: question.sql, ...metrics }, { timeoutMs });
  }

  /** The file that the engine opens for a database. */
  async #fileOf(dbId: string): Promise<string> {
    const path = this.data.databasePath(dbId);
    if (this.engine !== "duckdb" || !isSqlite(path)) return path;
    const key = `${path}:${fileIdentity(path)}`;
    let copy = this.#copies.get(key);
    if (copy === undefined) {
      copy = import("./duckdb/copy.js").then(({ copyOf }) => copyOf(path, this.cacheFolder));
      this.#copies.set(key, copy);
    }
    return copy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#executor[Symbol.asyncDispose](), this.#gold[Symbol.asyncDispose]()]);
  }
}

/** How often a question is graded whose database changes meanwhile. */
const TRIES = 3;

function identityOrNone(path: string): string {
  try {
    return fileIdentity(path);
  } catch {
    return "";
  }
}

/** DuckDB and the translation of queries take about 250 MB before the first row. */
export const DUCKDB_MEMORY_MB = 1024;

/** Whether a file is a SQLite database; false if it cannot be read. */
function isSqlite(path: string): boolean {
  const head = Buffer.alloc(SQLITE_HEADER.length);
  try {
    const file = openSync(path, "r");
    try {
      readSync(file, head, 0, head.length, 0);
    } finally {
      closeSync(file);
    }
  } catch {
    return false;
  }
  return head.toString("latin1") === SQLITE_HEADER;
}

const SQLITE_HEADER = "SQLite format 3\0";

const wrong = (error: string): Verdict => ({ ex: 0, error });
