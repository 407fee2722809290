/** Copies a SQLite database into a DuckDB file, so that the same questions can be run in DuckDB. */
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type DuckDBConnection, StatementType } from "@duckdb/node-api";
import type { DatabaseSyncInstance } from "@photostructure/sqlite";
import { LseError } from "../../errors.js";
import { hashFileOnce } from "../../lib/hash.js";
import { isolated } from "../sql/isolated.js";
import { requireNoChanges } from "../sql/pending-changes.js";
import { newMark, type SqlValue, TextMark } from "../sql/rows.js";
import { openSqlite, type SqliteFile } from "../sql/sqlite-file.js";
import {
  columnsIn,
  moduleOf,
  type SqliteTable,
  tablesIn,
  viewsIn,
  whyUnreadable,
} from "../sql/sqlite-tables.js";
import { exactForm } from "../sql/statement.js";
import { openDuckDb } from "./duckdb-file.js";
import { asInSqlite, SQLITE_FUNCTIONS } from "./sqlite-dialect.js";

/** Changes when the content of copies (`SQLITE_FUNCTIONS` too) changes, so that older copies are not used any more. */
const COPY_FORMAT = "duckdb-3";

/** A schema of this name marks a file as a copy: its statements are in SQLite's dialect. */
export const COPY_MARK = "copied_from_sqlite";

/** Limits of a copy; a gigabyte takes minutes. */
const COPY_LIMITS = { memoryMb: 2048, timeoutMs: 3_600_000 };

/** Share of the process's memory that DuckDB may use. */
const DUCKDB_SHARE = 0.4;

/**
 * The copy of a SQLite file, made once for each content, in a process of its own.
 * @param folder where copies are kept
 * @throws LseError for a file that cannot be copied
 */
export async function copyOf(path: string, folder: string): Promise<string> {
  requireNoChanges(path);
  const copies = join(folder, COPY_FORMAT);
  const copy = join(copies, `${await hashFileOnce(path)}.duckdb`);
  if (existsSync(copy)) return copy;
  mkdirSync(copies, { recursive: true });
  const part = `${copy}.${process.pid}.part`;
  rmSync(part, { force: true });
  try {
    await isolated<typeof copyToDuckDb>(import.meta.url, "copyToDuckDb", [path, part], COPY_LIMITS);
    renameSync(part, copy);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LseError(`${path}: cannot be copied into DuckDB (${why})`, "Use SQLite, or check the file", {
      cause,
    });
  } finally {
    for (const left of [part, `${part}.wal`]) rmSync(left, { force: true });
  }
  return copy;
}

/** Copies all tables and views of a SQLite file into a new DuckDB file. Runs in the process of `copyOf`. */
export async function copyToDuckDb(from: string, to: string): Promise<void> {
  const source = openSqlite(from, COPY_LIMITS.memoryMb);
  try {
    const memoryMb = COPY_LIMITS.memoryMb * DUCKDB_SHARE;
    using target = await openDuckDb(to, { access: "AUTOMATIC", memoryMb });
    for (const macro of SQLITE_FUNCTIONS) await target.connection.run(macro);
    for (const table of readableTablesIn(source.db)) await copyTable(source, target.connection, table);
    for (const { sql } of viewsIn(source.db)) await copyView(target.connection, sql);
    await target.connection.run(`CREATE SCHEMA ${COPY_MARK}`);
  } finally {
    source.close();
  }
}

/**
 * Tables without those that SQLite cannot open (a module or function that it does not have) and full-text tables without
 * content; the queries that need these then fail with an error.
 */
function readableTablesIn(db: DatabaseSyncInstance): string[] {
  const isReadable = ({ name, sql }: SqliteTable) =>
    whyUnreadable(db, name) === null && (moduleOf(sql) === undefined || canCount(db, name));
  return tablesIn(db)
    .filter(isReadable)
    .map(({ name }) => name);
}

function canCount(db: DatabaseSyncInstance, table: string): boolean {
  try {
    const columns = columnsIn(db, table).map(({ name }) => `count(${quoted(name)})`);
    db.prepare(`SELECT ${columns.join(", ")} FROM ${quoted(table)}`).all();
    return true;
  } catch {
    return false;
  }
}

/**
 * A view that DuckDB does not understand is left out; then the queries that need it fail with an error. Its text is
 * whatever the file holds, so only one statement that creates a view is run.
 */
async function copyView(connection: DuckDBConnection, sql: string): Promise<void> {
  if (!/^\s*CREATE\s+VIEW\b/i.test(sql)) return;
  try {
    const statements = await connection.extractStatements(asInSqlite(sql));
    if (statements.count !== 1) return;
    const statement = await statements.prepare(0);
    if (statement.statementType === StatementType.CREATE) await statement.run();
  } catch {
    // Its dialect is SQLite's.
  }
}

const SCHEMA_TYPES = [
  [/INT/i, "BIGINT"],
  [/CHAR|CLOB|TEXT|DATE|TIME/i, "VARCHAR"],
  [/REAL|FLOA|DOUB|NUM|DEC/i, "DOUBLE"],
] as const;

const MARK = newMark();

/** What is appended between two flushes at most. */
const AT_ONCE = { rows: 50_000, bytes: 2 ** 26 };

/**
 * Creates a table with the types that its columns are declared with, and wider ones where a value does not fit: SQLite
 * stores any value in any column. Dates stay texts, as they are in SQLite.
 */
async function copyTable(
  { db: source, encoding }: SqliteFile,
  connection: DuckDBConnection,
  table: string,
): Promise<void> {
  const columns = columnsIn(source, table);
  const names = columns.map(({ name }) => name);
  const kinds = kindsOf(source, table, names);
  const types = columns.map(({ type }, i) => typeOf(type, kinds[i] as Kinds));
  const list = names.map((name, i) => `${quoted(name)} ${types[i]}`);
  await connection.run(`CREATE TABLE ${quoted(table)} (${list.join(", ")})`);
  const appender = await connection.createAppender(table);
  const all = `SELECT ${names.map(quoted).join(", ")} FROM ${quoted(table)}`;
  // The binding ends a text at its first NUL.
  const rows = source.prepare(exactForm(all, names.length, { mark: MARK, texts: "with NUL" })).iterate();
  const mark = new TextMark(MARK, encoding);
  let waiting = { rows: 0, bytes: 0 };
  for (const marked of rows as unknown as Iterable<SqlValue[]>) {
    const row = mark.remove(marked);
    for (const [i, value] of row.entries()) {
      if (value === null) appender.appendNull();
      else if (types[i] === "BIGINT") appender.appendBigInt(value as bigint);
      else if (types[i] === "DOUBLE") appender.appendDouble(Number(value));
      else if (types[i] === "BLOB") appender.appendBlob(bytesOf(value));
      else appender.appendVarchar(String(value));
    }
    appender.endRow();
    waiting.rows++;
    for (const value of row) waiting.bytes += sizeOf(value);
    if (waiting.rows < AT_ONCE.rows && waiting.bytes < AT_ONCE.bytes) continue;
    appender.flushSync();
    waiting = { rows: 0, bytes: 0 };
  }
  appender.closeSync();
}

interface Kinds {
  readonly blob: boolean;
  readonly text: boolean;
  readonly real: boolean;
  readonly integer: boolean;
}

/** The kinds of values in each column. */
function kindsOf(source: DatabaseSyncInstance, table: string, names: readonly string[]): Kinds[] {
  return names.map((name) => {
    const found = source
      .prepare(`SELECT DISTINCT typeof(${quoted(name)}) FROM ${quoted(table)}`)
      .all() as unknown as [string][];
    const has = (kind: string) => found.some(([own]) => own === kind);
    return { blob: has("blob"), text: has("text"), real: has("real"), integer: has("integer") };
  });
}

function typeOf(declared: string, { blob, text, real, integer }: Kinds): string {
  if (blob) return "BLOB";
  if (text) return "VARCHAR";
  const wanted = SCHEMA_TYPES.find(([name]) => name.test(declared))?.[1];
  if (!real && !integer) return wanted ?? "VARCHAR";
  // Numbers in a column that is declared as text or date, or without a type, stay numbers.
  return real || wanted === "DOUBLE" ? "DOUBLE" : "BIGINT";
}

const sizeOf = (value: SqlValue): number =>
  typeof value === "string" ? 2 * value.length : value instanceof Uint8Array ? value.length : 8;

const bytesOf = (value: SqlValue): Uint8Array =>
  value instanceof Uint8Array ? value : new TextEncoder().encode(String(value));

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;
