/** A SQLite database inside DuckDB: another engine for the same questions, with results of its own. */
import { type DuckDBConnection, DuckDBInstance, type JS } from "@duckdb/node-api";
import { DatabaseSync, type DatabaseSyncInstance } from "@photostructure/sqlite";
import type { SqlValue } from "../sql/rows.js";

export type DuckDbResult =
  | { readonly ok: true; readonly rows: SqlValue[][] }
  | {
      readonly ok: false;
      /** DuckDB's kind of error, such as "Binder" or "Conversion"; "Timeout" where it was stopped. */
      readonly kind: string;
      readonly error: string;
    };

export interface DuckDbLimits {
  readonly timeoutMs: number;
  readonly memoryMb: number;
}

/** For trusted queries: it runs in this process, reaches no file or network, and keeps to limits of time and memory. */
export class DuckDbDatabase implements AsyncDisposable {
  /** Copies all tables and views of a SQLite file. @throws Error for a file that SQLite cannot open */
  static async load(path: string, limits: DuckDbLimits): Promise<DuckDbDatabase> {
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    const source = new DatabaseSync(path, { readOnly: true, readBigInts: true, returnArrays: true });
    try {
      await connection.run(`SET memory_limit = '${limits.memoryMb}MB'`);
      // As SQLite has it: NULL is the least, and integers divide into integers.
      await connection.run("SET default_null_order = 'sqlite'");
      await connection.run("SET integer_division = true");
      await connection.run("SET autoinstall_known_extensions = false");
      await connection.run("SET autoload_known_extensions = false");
      const objects = source
        .prepare(
          "SELECT type, name, sql FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'",
        )
        .all() as unknown as [string, string, string][];
      for (const [type, name] of objects) if (type === "table") await copyTable(source, connection, name);
      // A view in SQLite's words may be none in DuckDB's: queries that need it fail then, and say so.
      for (const [type, , sql] of objects)
        if (type === "view") await connection.run(sql).catch(() => undefined);
      await connection.run("SET enable_external_access = false");
      await connection.run("SET lock_configuration = true");
      return new DuckDbDatabase(instance, connection, limits);
    } catch (error) {
      connection.closeSync();
      instance.closeSync();
      throw error;
    } finally {
      source.close();
    }
  }

  private constructor(
    private readonly instance: DuckDBInstance,
    private readonly connection: DuckDBConnection,
    private readonly limits: DuckDbLimits,
  ) {}

  /** Runs one query as it is, but for REAL: 64 bits in SQLite, 32 in DuckDB. */
  async run(sql: string): Promise<DuckDbResult> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.connection.interrupt();
    }, this.limits.timeoutMs);
    try {
      const reader = await this.connection.runAndReadAll(sql.replace(/\bAS\s+REAL\b/gi, "AS DOUBLE"));
      return { ok: true, rows: reader.getRowsJS().map((row) => row.map(plain)) };
    } catch (error) {
      const text = (error instanceof Error ? error.message : String(error)).replace(/\s+/g, " ").trim();
      const kind = isLate ? "Timeout" : (/^(\w+)(?: \w+)? Error:/.exec(text)?.[1] ?? "Other");
      return { ok: false, kind, error: text };
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.connection.closeSync();
    this.instance.closeSync();
  }
}

const SCHEMA_TYPES = [
  [/INT/i, "BIGINT"],
  [/CHAR|CLOB|TEXT|DATE|TIME/i, "VARCHAR"],
  [/REAL|FLOA|DOUB|NUM|DEC/i, "DOUBLE"],
] as const;

/**
 * Creates a table with the types that its columns are declared with, and wider ones where a value does not fit: SQLite
 * keeps what it is given. Dates stay the text that they are there.
 */
async function copyTable(
  source: DatabaseSyncInstance,
  connection: DuckDBConnection,
  table: string,
): Promise<void> {
  const columns = source.prepare(`PRAGMA table_info(${quoted(table)})`).all() as unknown as unknown[][];
  const rows = source.prepare(`SELECT * FROM ${quoted(table)}`).all() as unknown as SqlValue[][];
  const types = columns.map(([, , declared], i) => typeOf(String(declared), rows, i));
  const list = columns.map(([, name], i) => `${quoted(String(name))} ${types[i]}`);
  await connection.run(`CREATE TABLE ${quoted(table)} (${list.join(", ")})`);
  const appender = await connection.createAppender(table);
  for (const row of rows) {
    for (const [i, value] of row.entries()) {
      if (value === null) appender.appendNull();
      else if (types[i] === "BIGINT") appender.appendBigInt(value as bigint);
      else if (types[i] === "DOUBLE") appender.appendDouble(Number(value));
      else if (types[i] === "BLOB") appender.appendBlob(bytesOf(value));
      else appender.appendVarchar(String(value));
    }
    appender.endRow();
  }
  appender.closeSync();
}

function typeOf(declared: string, rows: readonly SqlValue[][], column: number): string {
  const kinds = new Set(rows.map((row) => kindOf(row[column] as SqlValue)));
  kinds.delete("null");
  if (kinds.has("blob")) return "BLOB";
  if (kinds.has("text")) return "VARCHAR";
  const wanted = SCHEMA_TYPES.find(([name]) => name.test(declared))?.[1];
  if (kinds.size === 0) return wanted ?? "VARCHAR";
  // Numbers in a column of texts or dates, or of no type: as they are.
  if (kinds.has("real")) return "DOUBLE";
  return wanted === "DOUBLE" ? "DOUBLE" : "BIGINT";
}

function kindOf(value: SqlValue): "null" | "integer" | "real" | "text" | "blob" {
  if (value === null) return "null";
  if (typeof value === "bigint") return "integer";
  if (typeof value === "number") return "real";
  return typeof value === "string" ? "text" : "blob";
}

const bytesOf = (value: SqlValue): Uint8Array =>
  value instanceof Uint8Array ? value : new TextEncoder().encode(String(value));

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

/** DuckDB's values as SQLite has them. */
function plain(value: JS): SqlValue {
  if (value === null || value === undefined) return null;
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (typeof value === "bigint" || typeof value === "number" || typeof value === "string") return value;
  if (value instanceof Uint8Array) return value;
  if (value instanceof Date) return value.toISOString().replace("T", " ").replace(".000Z", "");
  return String(value);
}
