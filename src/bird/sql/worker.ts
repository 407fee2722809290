/**
 * The process that runs statements for SqlExecutor, one at a time, on read-only connections. It holds nothing
 * worth saving: its parent or its own watchdog thread ends it with SIGKILL when a limit is passed. Known gaps:
 * printf() and format() give NULL for a text above an eighth of the memory; a LIKE never matches a blob (an
 * option this SQLite is compiled with); on Windows only an idle process notices that its parent was killed.
 *
 * Arguments: memory limit in MB, process id of the parent. This file is also the watchdog thread's program.
 */
import { type Stats, statSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import type { DatabaseSyncInstance, StatementSyncInstance } from "@photostructure/sqlite";
import { LseError } from "../../errors.js";
import { softF1 } from "../soft-f1.js";
import { exactRow, InvalidText, RowPreview, RowSet, type SqlValue } from "./rows.js";
import { actionRefusal, exactForm, mayMakeNul, preparedRefusal } from "./statement.js";

export interface Request {
  path: string;
  sql: string;
  maxRows: number;
  /** Compare it with this query instead of telling its rows. */
  against?: Against;
}

export interface Against {
  readonly gold: string;
  /** Whether Soft-F1 is asked for. */
  readonly softF1: boolean;
  /** How often both are timed; 0 for never. */
  readonly timings: number;
}

/** How a statement fails inside the process. */
export type Failure = "refused" | "syntax" | "runtime" | "memory" | "too-many-rows";

export type Reply =
  | { type: "ready" }
  | {
      type: "rows";
      digest: string;
      rows: number;
      preview: string;
      seconds: number;
      peakRssMb: number;
      rssMb: number;
    }
  | {
      type: "compared";
      /** Null where it was not asked for. */
      softF1: number | null;
      /** The gold query's time ÷ the other's, each with opening the database. */
      ratios: number[];
      rssMb: number;
    }
  | { type: "failure"; kind: Failure; error: string; rssMb: number }
  /** The database file itself cannot be used. */
  | { type: "database"; problem: string; nextStep: string };

/** Part of the memory limit at which the watchdog ends the process: the rest may fill between two looks. */
const KILL_SHARE = 0.75;
/** How often it looks, in milliseconds. */
const LOOK = { running: 5, idle: 250 };
const MAX_CONNECTIONS = 8;
const MB = 1024 * 1024;

/** Indexes into the memory shared with the watchdog. */
const RUNNING = 0;
const PEAK_KB = 1;

const memoryMb = Number(process.argv[2]);
const parentPid = Number(process.argv[3]);

class Failed extends Error {
  constructor(
    readonly kind: Failure,
    message: string,
  ) {
    super(message);
  }
}

interface Connection {
  db: DatabaseSyncInstance;
  file: string;
  utf8: boolean;
  /** What the authorizer denied last, in words; null when nothing. */
  denied: string | null;
}

/** The main thread may be inside SQLite for minutes, deaf to signals and messages: this thread is not. */
function watch(shared: Int32Array): void {
  for (let looks = 0; ; looks++) {
    // The executor has died: nobody is left to end this process.
    if (looks % 20 === 0 && process.ppid !== parentPid) process.kill(process.pid, "SIGKILL");
    if (Atomics.load(shared, RUNNING) === 1) {
      const rss = process.memoryUsage.rss();
      if (rss > memoryMb * MB * KILL_SHARE) process.kill(process.pid, "SIGKILL");
      if (rss / 1024 > Atomics.load(shared, PEAK_KB)) Atomics.store(shared, PEAK_KB, Math.ceil(rss / 1024));
      Atomics.wait(shared, RUNNING, 1, LOOK.running);
    } else {
      Atomics.wait(shared, RUNNING, 0, LOOK.idle);
      looks = -1;
    }
  }
}

async function serve(): Promise<void> {
  // Ctrl-C reaches the whole group of processes; the parent decides what ends.
  process.on("SIGINT", () => {});
  process.on("disconnect", () => process.exit());
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const watchdog = new Worker(new URL(import.meta.url), {
    argv: process.argv.slice(2),
    workerData: shared,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4 },
  });
  watchdog.on("exit", () => process.exit(1));
  await new Promise((resolve) => watchdog.once("online", resolve));
  const sqlite = await import("@photostructure/sqlite");
  const connections = new Map<string, Connection>();

  process.on("message", (request: Request) => {
    const start = performance.now();
    Atomics.store(shared, PEAK_KB, 0);
    Atomics.store(shared, RUNNING, 1);
    Atomics.notify(shared, RUNNING);
    let reply: Reply;
    try {
      const connection = connect(sqlite, connections, request.path);
      if (request.against !== undefined) {
        const compared = compare(sqlite, connection, request, request.against);
        reply = { type: "compared", ...compared, rssMb: process.memoryUsage.rss() / MB };
      } else {
        const result = runStatement(connection, request);
        const rssMb = process.memoryUsage.rss() / MB;
        const peakRssMb = Math.max(rssMb, Atomics.load(shared, PEAK_KB) / 1024);
        reply = { type: "rows", ...result, seconds: (performance.now() - start) / 1000, peakRssMb, rssMb };
      }
    } catch (error) {
      if (error instanceof LseError) {
        reply = { type: "database", problem: error.problem, nextStep: error.nextStep };
      } else {
        const { kind, message } = error instanceof Failed ? error : new Failed("runtime", String(error));
        reply = { type: "failure", kind, error: message, rssMb: process.memoryUsage.rss() / MB };
      }
    }
    Atomics.store(shared, RUNNING, 0);
    process.send?.(reply);
  });
  process.send?.({ type: "ready" } satisfies Reply);
}

/** The cached connection of a file, opened anew when the file was changed or replaced. */
function connect(
  sqlite: typeof import("@photostructure/sqlite"),
  connections: Map<string, Connection>,
  path: string,
): Connection {
  const file = identity(path);
  const known = connections.get(path);
  connections.delete(path);
  if (known?.file === file) {
    connections.set(path, known);
    return known;
  }
  known?.db.close();
  for (const [oldest, { db }] of connections) {
    if (connections.size < MAX_CONNECTIONS) break;
    connections.delete(oldest);
    db.close();
  }
  const opened = open(sqlite, path, file);
  connections.set(path, opened);
  return opened;
}

function identity(path: string): string {
  let stats: Stats | undefined;
  try {
    stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) {
      throw new LseError(`The database ${path} does not exist`, "Check the path of the databases");
    }
    if (!stats.isFile()) {
      throw new LseError(`The database ${path} is not a file`, "Name the .sqlite file itself");
    }
    for (const suffix of ["-journal", "-wal"]) {
      if ((statSync(path + suffix, { throwIfNoEntry: false })?.size ?? 0) === 0) continue;
      throw new LseError(
        `The database ${path} has changes that are not yet in it (${path}${suffix})`,
        "Close the program that writes to it, or open and close it once with sqlite3",
      );
    }
  } catch (error) {
    if (error instanceof LseError) throw error;
    throw new LseError(`The database ${path} cannot be read: ${text(error)}`, "Check its permissions");
  }
  return `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeMs}`;
}

function open(sqlite: typeof import("@photostructure/sqlite"), path: string, file: string): Connection {
  try {
    // immutable: no lock, no -wal or -shm file appears, not even for a database in WAL mode.
    const db = new sqlite.DatabaseSync(`${pathToFileURL(path).href}?immutable=1`, {
      readOnly: true,
      allowExtension: false,
      defensive: true,
      // Python's sqlite3 takes "text" as a string where no column has that name, and predictions rely on it.
      enableDoubleQuotedStringLiterals: true,
      readBigInts: true,
      returnArrays: true,
      limits: { length: Math.floor((memoryMb * MB) / 8), attach: 0 },
    });
    // Temporary data in memory: the watchdog then bounds it, and no statement can fill the disk.
    db.exec("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;");
    db.prepare("SELECT count(*) FROM sqlite_master").get();
    const connection: Connection = {
      db,
      file,
      utf8: String(db.prepare("PRAGMA encoding").get()) === "UTF-8",
      denied: null,
    };
    db.setAuthorizer((action, first, second) => {
      const denied = actionRefusal(sqlite.constants, action, first, second);
      if (denied === null) return sqlite.constants.SQLITE_OK;
      connection.denied = denied;
      return sqlite.constants.SQLITE_DENY;
    });
    return connection;
  } catch (error) {
    throw new LseError(
      `The database ${path} cannot be opened: ${text(error)}`,
      "Check that it is a SQLite database and may be read",
    );
  }
}

type Rows = Pick<Extract<Reply, { type: "rows" }>, "digest" | "rows" | "preview">;

/** @throws {Failed} */
function compare(
  sqlite: typeof import("@photostructure/sqlite"),
  connection: Connection,
  request: Request,
  { gold, softF1: isWanted, timings }: Against,
) {
  const rowsOf = (sql: string) => {
    const rows: SqlValue[][] = [];
    runStatement(connection, { ...request, sql }, rows);
    return rows;
  };
  const secondsOf = (sql: string) => {
    const start = performance.now();
    const own = open(sqlite, request.path, connection.file);
    try {
      prepare(own, sql).all();
      return performance.now() - start;
    } catch (error) {
      throw error instanceof Failed ? error : failure(own, "runtime", error);
    } finally {
      own.db.close();
    }
  };
  const softF1Score = isWanted ? softF1(rowsOf(request.sql), rowsOf(gold)) : null;
  const ratios = Array.from({ length: timings }, () => {
    const own = secondsOf(request.sql);
    return secondsOf(gold) / own;
  });
  return { softF1: softF1Score, ratios };
}

/**
 * @param kept gets the rows
 * @throws {Failed}
 */
function runStatement(connection: Connection, { sql, maxRows }: Request, kept?: SqlValue[][]): Rows {
  const statement = prepare(connection, sql);
  const first = statement.expandedSQL;
  const columns = statement.columns().length;
  const refused = preparedRefusal(sql, first, columns);
  if (refused !== null || first === undefined) throw new Failed("refused", refused ?? "");
  const exact = () => (connection.utf8 ? prepareExact(connection, first, columns) : null);
  const exactFirst = mayMakeNul(sql) ? exact() : null;
  if (exactFirst !== null) return readRows(connection, exactFirst, maxRows, true, kept).result;
  const { result, suspicious } = readRows(connection, statement, maxRows, false, kept);
  const exactAgain = suspicious ? exact() : null;
  return exactAgain === null ? result : readRows(connection, exactAgain, maxRows, true, kept).result;
}

function prepare(connection: Connection, sql: string): StatementSyncInstance {
  connection.denied = null;
  try {
    return connection.db.prepare(sql);
  } catch (error) {
    throw failure(connection, "syntax", error);
  }
}

/** Null when SQLite does not take it (over 1000 columns): the lenient reading must do then. */
function prepareExact(connection: Connection, first: string, columns: number): StatementSyncInstance | null {
  try {
    return connection.db.prepare(exactForm(first, columns));
  } catch {
    return null;
  }
}

/** Reads every row once. `suspicious`: a text holds U+FFFD, which may stand for broken bytes. */
function readRows(
  connection: Connection,
  statement: StatementSyncInstance,
  maxRows: number,
  exact: boolean,
  kept: SqlValue[][] | undefined,
): { result: Rows; suspicious: boolean } {
  const set = new RowSet();
  const preview = new RowPreview();
  let rows = 0;
  let suspicious = false;
  if (kept !== undefined) kept.length = 0;
  const iterator: Iterator<SqlValue[]> = statement.iterate();
  try {
    for (let step = iterator.next(); step.done !== true; step = iterator.next()) {
      if (++rows > maxRows) throw new Failed("too-many-rows", `The result has more than ${maxRows} rows`);
      const row = exact ? exactRow(step.value) : step.value;
      if (!exact && !suspicious) {
        suspicious = row.some((value) => typeof value === "string" && value.includes("\uFFFD"));
      }
      set.add(row);
      preview.add(row);
      kept?.push(row);
    }
  } catch (error) {
    throw error instanceof Failed ? error : failure(connection, "runtime", error);
  } finally {
    // Resets the statement, which frees what it sorted and materialized.
    iterator.return?.();
  }
  return { result: { digest: set.digest(), rows, preview: preview.toString(rows) }, suspicious };
}

function failure({ denied }: Connection, kind: "syntax" | "runtime", error: unknown): Failed {
  const message = text(error);
  if (error instanceof InvalidText) return new Failed(kind, message);
  if (denied !== null)
    return new Failed("refused", `The statement may not use ${denied} (SQLite: ${message})`);
  if (/^unsafe use of |^attempt to write a readonly database$/.test(message)) {
    return new Failed("refused", `The statement is not allowed here (SQLite: ${message})`);
  }
  if (message === "string or blob too big") {
    return new Failed("memory", `A value is larger than ${memoryMb / 8} MB (SQLite: ${message})`);
  }
  if (/^out of memory$|^Array buffer allocation failed$|^Cannot create a string longer/.test(message)) {
    return new Failed("memory", `The statement ran out of memory (${message})`);
  }
  return new Failed(kind, `SQLite: ${message}`);
}

const text = (error: unknown): string => (error instanceof Error ? error.message : String(error));

if (isMainThread) await serve();
else watch(workerData as Int32Array);
