/** Copies a SQLite database into a DuckDB file, so that the same questions can be run in DuckDB. */
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { DatabaseSync, type DatabaseSyncInstance } from "@photostructure/sqlite";
import { hashFile } from "../../lib/hash.js";
import type { SqlValue } from "../sql/rows.js";

/** Changes when the content of copies changes, so that older copies are not used any more. */
const COPY_FORMAT = "duckdb-1";

/** A schema of this name marks a file as a copy: its statements are in SQLite's dialect. */
export const COPY_MARK = "copied_from_sqlite";

/**
 * The copy of a SQLite file, made once for each content.
 * @param folder where copies are kept
 * @throws Error for a file that SQLite cannot open
 */
export async function copyOf(path: string, folder: string): Promise<string> {
  const copies = join(folder, COPY_FORMAT);
  const copy = join(copies, `${await hashFile(path)}.duckdb`);
  if (existsSync(copy)) return copy;
  mkdirSync(copies, { recursive: true });
  const part = `${copy}.${process.pid}.part`;
  rmSync(part, { force: true });
  try {
    await copyToDuckDb(path, part);
    renameSync(part, copy);
  } finally {
    for (const left of [part, `${part}.wal`]) rmSync(left, { force: true });
  }
  return copy;
}

/** Copies all tables and views of a SQLite file into a new DuckDB file. */
async function copyToDuckDb(from: string, to: string): Promise<void> {
  const source = new DatabaseSync(from, { readOnly: true, readBigInts: true, returnArrays: true });
  try {
    const objects = source
      .prepare(
        "SELECT type, name, sql FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'",
      )
      .all() as unknown as [string, string, string][];
    const instance = await DuckDBInstance.create(to);
    const connection = await instance.connect();
    try {
      for (const [type, name] of objects) if (type === "table") await copyTable(source, connection, name);
      // A view in SQLite's dialect may not work in DuckDB; then the queries that need it fail with an error.
      for (const [type, , sql] of objects)
        if (type === "view") await connection.run(sql).catch(() => undefined);
      await connection.run(`CREATE SCHEMA ${COPY_MARK}`);
    } finally {
      connection.closeSync();
      instance.closeSync();
    }
  } finally {
    source.close();
  }
}

const SCHEMA_TYPES = [
  [/INT/i, "BIGINT"],
  [/CHAR|CLOB|TEXT|DATE|TIME/i, "VARCHAR"],
  [/REAL|FLOA|DOUB|NUM|DEC/i, "DOUBLE"],
] as const;

/** Rows that are appended between two flushes. */
const ROWS_AT_ONCE = 50_000;

/**
 * Creates a table with the types that its columns are declared with, and wider ones where a value does not fit: SQLite
 * stores any value in any column. Dates stay texts, as they are in SQLite.
 */
async function copyTable(
  source: DatabaseSyncInstance,
  connection: DuckDBConnection,
  table: string,
): Promise<void> {
  const columns = source.prepare(`PRAGMA table_info(${quoted(table)})`).all() as unknown as unknown[][];
  const names = columns.map(([, name]) => String(name));
  const kinds = kindsOf(source, table, names);
  const types = columns.map(([, , declared], i) => typeOf(String(declared), kinds[i] as Kinds));
  const list = names.map((name, i) => `${quoted(name)} ${types[i]}`);
  await connection.run(`CREATE TABLE ${quoted(table)} (${list.join(", ")})`);
  const appender = await connection.createAppender(table);
  const rows = source.prepare(`SELECT ${names.map(quoted).join(", ")} FROM ${quoted(table)}`).iterate();
  let waiting = 0;
  for (const row of rows as unknown as Iterable<SqlValue[]>) {
    for (const [i, value] of row.entries()) {
      if (value === null) appender.appendNull();
      else if (types[i] === "BIGINT") appender.appendBigInt(value as bigint);
      else if (types[i] === "DOUBLE") appender.appendDouble(Number(value));
      else if (types[i] === "BLOB") appender.appendBlob(bytesOf(value));
      else appender.appendVarchar(String(value));
    }
    appender.endRow();
    if (++waiting % ROWS_AT_ONCE === 0) appender.flushSync();
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

const bytesOf = (value: SqlValue): Uint8Array =>
  value instanceof Uint8Array ? value : new TextEncoder().encode(String(value));

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;
