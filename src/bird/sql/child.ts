/** What every SQL child process does, whichever engine it runs: messages, measurements, a watchdog. */
/*
 * It holds nothing worth saving: its parent or its watchdog ends it with SIGKILL when a limit is passed.
 * Arguments: memory limit in MB, process id of the parent.
 */
import { type Stats, statSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { LseError } from "../../errors.js";
import { fileIdentity } from "../../lib/hash.js";
import { softF1 } from "../soft-f1.js";
import {
  type Against,
  Failed,
  type RowSummary,
  type Rows,
  type SqlReply,
  type SqlRequest,
} from "./messages.js";
import { requireNoChanges } from "./pending-changes.js";
import { RowPreview, RowSet, type SqlValue } from "./rows.js";
import { MB, PEAK_KB, RUNNING, type Watch } from "./watchdog.js";

/** Runs one statement at a time, on the database file that each request names. */
export interface ChildEngine {
  /**
   * @param kept is filled with rows and the names of their columns
   * @throws {Failed} for the statement, {LseError} for the database
   */
  run(request: SqlRequest, kept?: KeptRows): Rows | Promise<Rows>;
  /** How long a statement takes, in milliseconds, including opening its database. @throws as `run` */
  time(request: SqlRequest): number | Promise<number>;
}

export const memoryMb = Number(process.argv[2]);

/** Answers requests until the parent disconnects. @param openEngine opens the engine, which reads `memoryMb` */
export async function serve(openEngine: () => Promise<ChildEngine>): Promise<void> {
  // Ctrl-C reaches the whole group of processes; the parent decides what ends.
  process.on("SIGINT", () => {});
  process.on("disconnect", () => process.exit());
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const [engine] = await Promise.all([openEngine(), startWatchdog(shared)]);

  process.on("message", async (request: SqlRequest) => {
    const start = performance.now();
    Atomics.store(shared, PEAK_KB, 0);
    Atomics.store(shared, RUNNING, 1);
    Atomics.notify(shared, RUNNING);
    let reply: SqlReply;
    try {
      if (request.against !== undefined) {
        const compared = await compare(engine, request, request.against);
        reply = { type: "compared", ...compared, rssMb: process.memoryUsage.rss() / MB };
      } else {
        const kept =
          request.keep === undefined ? undefined : new KeptRows({ rows: request.keep, bytes: MOST_SENT });
        const result = await engine.run(request, kept);
        const table = kept === undefined ? {} : { table: { columns: kept.columns, rows: kept.rows } };
        const rssMb = process.memoryUsage.rss() / MB;
        const peakRssMb = Math.max(rssMb, Atomics.load(shared, PEAK_KB) / 1024);
        const seconds = (performance.now() - start) / 1000;
        reply = { type: "rows", ...result, ...table, seconds, peakRssMb, rssMb };
      }
    } catch (error) {
      if (error instanceof LseError) {
        reply = { type: "database", problem: error.problem, nextStep: error.nextStep };
      } else {
        const { kind, message } = error instanceof Failed ? error : new Failed("runtime", String(error));
        reply = { type: "failure", kind, error: message, rssMb: process.memoryUsage.rss() / MB };
      }
    }
    // A large reply takes memory too, until it is gone.
    process.send?.(reply, () => Atomics.store(shared, RUNNING, 0));
  });
  process.send?.({ type: "ready" } satisfies SqlReply);
}

/** Starts the thread that ends this process at its memory limit. */
export async function startWatchdog(shared: Int32Array): Promise<void> {
  const watch: Watch = { shared, memoryMb, parentPid: Number(process.argv[3]) };
  const watchdog = new Worker(new URL("./watchdog.js", import.meta.url), {
    workerData: watch,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4 },
  });
  watchdog.on("exit", () => process.exit(1));
  await new Promise((resolve) => watchdog.once("online", resolve));
}

/** @throws as ChildEngine.run */
async function compare(
  engine: ChildEngine,
  request: SqlRequest,
  { gold, softF1: isWanted, timings }: Against,
) {
  const rowsOf = async (sql: string) => {
    const kept = new KeptRows({ rows: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY });
    await engine.run({ ...request, sql }, kept);
    return kept.rows;
  };
  const softF1Score = isWanted ? softF1(await rowsOf(request.sql), await rowsOf(gold)) : null;
  const ratios: number[] = [];
  for (let i = 0; i < timings; i++) {
    const own = await engine.time(request);
    ratios.push((await engine.time({ ...request, sql: gold })) / own);
  }
  return { softF1: softF1Score, ratios };
}

/** The first rows of a result, kept as they are. */
export class KeptRows {
  rows: SqlValue[][] = [];
  columns: string[] = [];
  #bytes = 0;

  /** @param most rows, and bytes of texts and blobs in them */
  constructor(private readonly most: { readonly rows: number; readonly bytes: number }) {}

  clear(): void {
    this.rows = [];
    this.#bytes = 0;
  }

  add(row: SqlValue[]): void {
    if (this.rows.length >= this.most.rows || this.#bytes > this.most.bytes) return;
    for (const value of row)
      if (typeof value === "string" || value instanceof Uint8Array) this.#bytes += value.length;
    if (this.#bytes <= this.most.bytes) this.rows.push(row);
  }
}

/** Most bytes of rows that are sent to the parent, whose memory nothing bounds. */
const MOST_SENT = 2 ** 25;

/** Counts and digests the rows of a result as they arrive. */
export class RowCounter {
  readonly #set = new RowSet();
  readonly #preview = new RowPreview();
  #rows = 0;

  /** @param kept is emptied and then filled with rows */
  constructor(
    private readonly maxRows: number,
    private readonly kept?: KeptRows,
  ) {
    kept?.clear();
  }

  /** @throws {Failed} when there are too many */
  add(row: SqlValue[]): void {
    if (++this.#rows > this.maxRows)
      throw new Failed("too-many-rows", `The result has more than ${this.maxRows} rows`);
    this.#set.add(row);
    this.#preview.add(row);
    this.kept?.add(row);
  }

  result(): RowSummary {
    const preview = this.#preview.toString(this.#rows);
    return { digest: this.#set.digest(), rows: this.#rows, preview };
  }
}

const MAX_CONNECTIONS = 8;

/** The databases opened last. Each is opened again when its file was changed or replaced. */
export class Connections<T extends { close(): void }> {
  readonly #open = new Map<string, { readonly connection: T; readonly file: string }>();

  /** @param open gets the path, and a text that differs when the file was changed or replaced */
  constructor(private readonly open: (path: string, file: string) => T | Promise<T>) {}

  /** @throws {LseError} when there is no such file, or it cannot be opened */
  async get(path: string): Promise<T> {
    const file = identity(path);
    const known = this.#open.get(path);
    this.#open.delete(path);
    if (known?.file === file) {
      this.#open.set(path, known);
      return known.connection;
    }
    known?.connection.close();
    for (const [oldest, { connection }] of this.#open) {
      if (this.#open.size < MAX_CONNECTIONS) break;
      this.#open.delete(oldest);
      connection.close();
    }
    const connection = await this.open(path, file);
    this.#open.set(path, { connection, file });
    return connection;
  }
}

/** @throws {LseError} when there is no such file */
function identity(path: string): string {
  let stats: Stats | undefined;
  try {
    stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined)
      throw new LseError(`The database ${path} does not exist`, "Check the path of the databases");
    if (!stats.isFile())
      throw new LseError(`The database ${path} is not a file`, "Name the database file itself");
    requireNoChanges(path);
  } catch (error) {
    if (error instanceof LseError) throw error;
    throw new LseError(`The database ${path} cannot be read: ${text(error)}`, "Check its permissions");
  }
  return fileIdentity(path);
}

export const text = (error: unknown): string => (error instanceof Error ? error.message : String(error));
