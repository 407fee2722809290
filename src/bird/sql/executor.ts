/** Runs untrusted SQL in child processes: a queue, time and memory limits, new processes for killed ones. */
import type { ChildProcess } from "node:child_process";
import { availableParallelism } from "node:os";
import { resolve as resolvePath } from "node:path";
import { LseError } from "../../errors.js";
import { LONGEST_MS } from "../../lib/time-limit.js";
import { forkLimited, MEMORY_ABORT } from "./fork.js";
import type { Against, Failure, SqlReply, SqlRequest, TableReply } from "./messages.js";
import { refusal } from "./statement.js";

/** Limits of one statement. */
export interface SqlLimits {
  /** Longest run of one statement, in milliseconds, counted from its start; null for none. */
  timeoutMs: number | null;
  /** Most memory (resident set) of the process that runs the statement, in MB of 2^20 bytes; at least 128. */
  memoryMb: number;
  /** Most rows fetched. */
  maxRows: number;
}

export const DEFAULT_SQL_LIMITS: SqlLimits = { timeoutMs: 30_000, memoryMb: 512, maxRows: 1_000_000 };

/** What runs the statements. DuckDB opens its own files and copies of SQLite's (`duckdb/copy.ts`). */
export type SqlEngine = "sqlite" | "duckdb";

export type SqlFailureKind = Failure | "crashed";

/** What a statement returned. */
export interface SqlRows {
  ok: true;
  /** sha256 of the set of rows; equal for two results exactly when BIRD's EX calls them equal. */
  digest: string;
  /** Rows fetched, repeated ones counted. */
  rows: number;
  /** The first rows as Python prints them, about 200 characters. */
  preview: string;
  /** What makes the result depend on the date or on chance, in the statement, or in views and macros that it uses. */
  volatile: readonly string[];
  /** From opening the database (a cached connection costs nothing) to the last row. */
  seconds: number;
  /** Highest resident set seen while the statement ran. */
  peakRssMb: number;
}

/** A result with its first rows. */
export interface SqlTable extends SqlRows {
  table: TableReply;
}

/** A statement that did not run to its end, or was not allowed to begin. */
export interface SqlFailure {
  ok: false;
  kind: SqlFailureKind;
  /** One sentence. */
  error: string;
  seconds: number;
}

export type SqlResult = SqlRows | SqlFailure;

/** A statement beside the gold one. */
export interface SqlComparison {
  ok: true;
  /** Null where it was not asked for. */
  softF1: number | null;
  /** The gold statement's time ÷ the other's. */
  ratios: number[];
}

/** BIRD's EX of two results: both ran, and Python's `set(rows)` of both are equal. */
export function sameRows(a: SqlResult, b: SqlResult): boolean {
  return a.ok && b.ok && a.digest === b.digest;
}

/** How an engine's processes are started, and how long after the time limit a statement may still end by itself, which
 * saves a new process. */
const ENGINES: { readonly [engine in SqlEngine]: { readonly program: string; readonly graceMs: number } } = {
  sqlite: { program: "./worker.js", graceMs: 0 },
  duckdb: { program: "../duckdb/worker.js", graceMs: 100 },
};

/** A process that still uses this share of its memory limit after a statement is replaced before the next one. */
const STALE_SHARE = 0.35;
const MIN_MEMORY_MB = 128;
const STDERR_KEPT = 4096;

interface Job {
  readonly request: SqlRequest;
  readonly limits: SqlLimits;
  readonly resolve: (result: SqlResult | SqlComparison) => void;
  readonly reject: (error: Error) => void;
}

/** One child process. It runs one job at a time and ends its job, whatever happens, exactly once. */
class SqlProcess {
  readonly exited: Promise<void>;
  job: Job | null = null;
  readonly #child: ChildProcess;
  #ready = false;
  #startedAt = performance.now();
  #timer: NodeJS.Timeout | undefined;
  /** Why the parent has killed the child; null when it has not. */
  #killed: "timeout" | "closed" | null = null;
  #stderr = "";

  /** @param onIdle called when the process may take a job, @param onEnd when it is gone or about to be */
  constructor(
    private readonly engine: SqlEngine,
    readonly memoryMb: number,
    private readonly onIdle: () => void,
    private readonly onEnd: (ended: SqlProcess) => void,
  ) {
    this.#child = forkLimited(new URL(ENGINES[engine].program, import.meta.url), memoryMb);
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT);
    });
    this.#child.on("message", (reply: SqlReply) => this.#receive(reply));
    this.exited = new Promise((resolve) => {
      const end = (code: number | null, signal: string | null) => {
        this.#end(code, signal);
        resolve();
      };
      this.#child.once("close", end);
      // A child that could not be started at all never closes.
      this.#child.once("error", (error) => {
        this.#stderr ||= error.message;
        if (this.#child.pid === undefined) end(null, null);
      });
    });
    this.#hold(false);
  }

  run(job: Job): void {
    this.job = job;
    this.#hold(true);
    if (this.#ready) this.#start(job);
  }

  close(): void {
    this.#killed ??= "closed";
    // Keeps the parent running until the child has ended.
    this.#hold(true);
    this.#child.kill("SIGKILL");
  }

  #start(job: Job): void {
    this.#startedAt = performance.now();
    if (job.limits.timeoutMs !== null) {
      this.#timer = setTimeout(
        () => {
          this.#killed = "timeout";
          this.#child.kill("SIGKILL");
        },
        Math.min(job.limits.timeoutMs + ENGINES[this.engine].graceMs, LONGEST_MS),
      );
    }
    // When the child is already gone this fails, and its end follows.
    this.#child.send(job.request, () => {});
  }

  #receive(reply: SqlReply): void {
    const job = this.job;
    if (reply.type === "ready") {
      this.#ready = true;
      if (job !== null) this.#start(job);
      return;
    }
    // The answer of a child that the timer has just killed comes too late.
    if (job === null || this.#killed !== null) return;
    clearTimeout(this.#timer);
    this.job = null;
    this.#hold(false);
    if (reply.type === "database") {
      job.reject(new LseError(reply.problem, reply.nextStep));
    } else {
      const { type, rssMb, ...result } = reply;
      if ("kind" in result) job.resolve({ ok: false, ...result, seconds: this.#seconds() });
      else job.resolve({ ok: true, ...result });
      if (rssMb > this.memoryMb * STALE_SHARE) {
        this.close();
        this.onEnd(this);
      }
    }
    this.onIdle();
  }

  #end(code: number | null, signal: string | null): void {
    clearTimeout(this.#timer);
    const job = this.job;
    this.job = null;
    this.onEnd(this);
    if (job === null) return;
    if (!this.#ready && this.#killed === null) {
      const reason = this.#stderr.trim().split("\n").at(-1) || signal || `exit code ${code}`;
      job.reject(new LseError(`The SQL process could not start (${reason})`, "Reinstall the package"));
      return;
    }
    const fail = (kind: SqlFailureKind, error: string) =>
      job.resolve({ ok: false, kind, error, seconds: this.#seconds() });
    if (this.#killed === "timeout") {
      fail(
        "timeout",
        `The statement ran longer than ${(job.limits.timeoutMs ?? 0) / 1000} s and was stopped`,
      );
    } else if (this.#killed === "closed") {
      fail("crashed", "The SQL executor was closed while the statement was running");
    } else if (signal === "SIGKILL" || MEMORY_ABORT.test(this.#stderr)) {
      fail("memory", `The statement needed more than ${this.memoryMb} MB of memory and was stopped`);
    } else {
      fail("crashed", `The SQL process ended unexpectedly (${signal ?? `exit code ${code}`})`);
    }
  }

  #seconds(): number {
    return (performance.now() - this.#startedAt) / 1000;
  }

  /** Whether this child keeps the parent running: only while it has a job. */
  #hold(hold: boolean): void {
    const act = hold ? "ref" : "unref";
    this.#child[act]();
    this.#child.channel?.[act]();
    // The type of a child's stderr hides that it is a socket.
    (this.#child.stderr as Partial<NodeJS.RefCounted> | null)?.[act]?.();
  }
}

/**
 * Runs statements nobody has vetted on database files, in child processes that can only read. Statements wait
 * for a free process; a process that a statement brought down is replaced for the next one.
 */
export class SqlExecutor implements AsyncDisposable {
  readonly #engine: SqlEngine;
  readonly #size: number;
  readonly #limits: SqlLimits;
  readonly #queue: Job[] = [];
  readonly #processes = new Set<SqlProcess>();
  /** Killed and not yet gone. */
  readonly #ending = new Set<Promise<void>>();
  #disposed = false;

  /**
   * @param options.engine defaults to SQLite
   * @param options.processes statements that run at the same time; default: the processors, at most 4
   * @param options.limits what differs from DEFAULT_SQL_LIMITS
   */
  constructor(options: { engine?: SqlEngine; processes?: number; limits?: Partial<SqlLimits> } = {}) {
    this.#engine = options.engine ?? "sqlite";
    this.#size = Math.max(1, options.processes ?? Math.min(4, availableParallelism()));
    this.#limits = { ...DEFAULT_SQL_LIMITS, ...options.limits };
  }

  /**
   * Runs one statement. Whatever the statement does, the promise resolves.
   *
   * @param limits what differs from the limits of the executor, for this statement; another `memoryMb` than that
   *   of the statement before costs a new process
   * @throws {LseError} when the file is missing, unreadable or not a database, or no process can be started
   * @throws {RangeError} when `memoryMb` is below 128
   * @throws {Error} after disposal
   */
  async execute(databasePath: string, sql: string, limits: Partial<SqlLimits> = {}): Promise<SqlResult> {
    return (await this.#run(databasePath, sql, {}, limits)) as SqlResult;
  }

  /** Like `execute`, and returns the first rows of the result, at most `most`. */
  async fetch(
    databasePath: string,
    sql: string,
    most: number,
    limits: Partial<SqlLimits> = {},
  ): Promise<SqlTable | SqlFailure> {
    return (await this.#run(databasePath, sql, { keep: most }, limits)) as SqlTable | SqlFailure;
  }

  /** Runs a statement and the gold one in one process, as often as `against` says; otherwise like `execute`. */
  async compare(
    databasePath: string,
    sql: string,
    against: Against,
    limits: Partial<SqlLimits> = {},
  ): Promise<SqlComparison | SqlFailure> {
    return (await this.#run(databasePath, sql, { against }, limits)) as SqlComparison | SqlFailure;
  }

  async #run(
    databasePath: string,
    sql: string,
    wanted: Pick<SqlRequest, "keep" | "against">,
    limits: Partial<SqlLimits>,
  ): Promise<SqlResult | SqlComparison> {
    if (this.#disposed) throw new Error("The SQL executor is closed");
    const own = { ...this.#limits, ...limits };
    if (!(own.memoryMb >= MIN_MEMORY_MB)) throw new RangeError(`memoryMb must be at least ${MIN_MEMORY_MB}`);
    const error = refusal(sql);
    if (error !== null) return { ok: false, kind: "refused", error, seconds: 0 };
    const path = resolvePath(databasePath);
    const { maxRows, timeoutMs } = own;
    const request = { path, sql, maxRows, timeoutMs, ...wanted };
    return await new Promise((resolve, reject) => {
      this.#queue.push({ request, limits: own, resolve, reject });
      this.#dispatch();
    });
  }

  /** Ends all processes and waits until they are gone; what still waits or runs fails as "crashed". */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    for (const { resolve } of this.#queue.splice(0)) {
      resolve({
        ok: false,
        kind: "crashed",
        error: "The SQL executor was closed before the statement ran",
        seconds: 0,
      });
    }
    for (const process of this.#processes) {
      this.#ending.add(process.exited);
      process.close();
    }
    await Promise.all(this.#ending);
  }

  #dispatch(): void {
    for (let job = this.#queue[0]; job !== undefined; job = this.#queue[0]) {
      const { memoryMb } = job.limits;
      const idle = [...this.#processes].filter((process) => process.job === null);
      let process = idle.find((candidate) => candidate.memoryMb === memoryMb);
      if (process === undefined) {
        if (this.#processes.size >= this.#size) {
          const other = idle[0];
          if (other === undefined) return;
          other.close();
          this.#remove(other);
        }
        process = new SqlProcess(
          this.#engine,
          memoryMb,
          () => this.#dispatch(),
          (ended) => this.#remove(ended),
        );
        this.#processes.add(process);
      }
      this.#queue.shift();
      process.run(job);
    }
  }

  #remove(process: SqlProcess): void {
    if (!this.#processes.delete(process)) return;
    this.#ending.add(process.exited);
    process.exited.then(() => {
      this.#ending.delete(process.exited);
      this.#dispatch();
    });
  }
}
