/** Imports CSV, JSON-lines and Parquet files as tables of a DuckDB file; values keep their texts. */
import { existsSync, rmSync } from "node:fs";
import { basename } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { LseError } from "../errors.js";
import { columnType } from "./column-types.js";
import { readCsv } from "./csv-table.js";
import { readJsonLines } from "./json-lines.js";
import { TextTable } from "./text-table.js";

/** Puts a file into a table. */
type Reader = (connection: DuckDBConnection, path: string, table: string) => Promise<void>;

const csv: Reader = (connection, path, table) => importText(connection, table, (to) => readCsv(path, to));
const json: Reader = (connection, path, table) =>
  importText(connection, table, (to) => readJsonLines(path, to));

/** The reader for each kind of file, by the end of its name. */
const READERS: Readonly<Record<string, Reader>> = {
  ".csv": csv,
  ".tsv": csv,
  ".csv.gz": csv,
  ".tsv.gz": csv,
  ".jsonl": json,
  ".ndjson": json,
  ".jsonl.gz": json,
  ".ndjson.gz": json,
  ".parquet": importParquet,
};

/** The ends of the names of files that can be imported, in words. */
export const TABLE_FILES = Object.keys(READERS)
  .join(", ")
  .replace(/, (?=[^,]*$)/, " or ");

/** The end of a file's name by which it is read; undefined for other files. */
const kindOf = (path: string) => Object.keys(READERS).find((end) => path.toLowerCase().endsWith(end));

export const isTableFile = (path: string): boolean => kindOf(path) !== undefined;

/**
 * Writes a DuckDB file with a table for each file, named like it.
 * @param target does not exist
 * @throws LseError naming the file that cannot be read, with line and column, or two with the same name
 */
export async function importTables(files: readonly string[], target: string): Promise<void> {
  const names = files.map((file) => basename(file).slice(0, -(kindOf(file) ?? "").length || undefined));
  const twice = names.find((name, i) => names.some((other, j) => j < i && same(other, name)));
  if (twice !== undefined)
    throw new LseError(`two of the files would become the table "${twice}"`, "Rename one of them");
  const instance = await DuckDBInstance.create(target);
  const connection = await instance.connect();
  try {
    for (const [i, file] of files.entries()) {
      if (!existsSync(file)) throw new LseError(`${file}: no such file`, "Check the path");
      try {
        await READERS[kindOf(file) ?? ""]?.(connection, file, quoted(names[i] as string));
      } catch (cause) {
        if (cause instanceof LseError) throw cause;
        throw new LseError(
          `${file}: cannot be imported (${reasonOf(cause)})`,
          "Correct the file, or import it with DuckDB itself",
          { cause },
        );
      }
    }
  } catch (error) {
    connection.closeSync();
    instance.closeSync();
    removeDatabase(target);
    throw error;
  }
  connection.closeSync();
  instance.closeSync();
}

/** Reads texts into a temporary table first, because a type is decided by all values of its column. */
async function importText(
  connection: DuckDBConnection,
  table: string,
  read: (to: TextTable) => Promise<void>,
): Promise<void> {
  const texts = new TextTable(connection);
  try {
    await read(texts);
    const columns: string[] = [];
    for (const { name, isText } of texts.finish()) {
      const column = quoted(name);
      const type = await columnType(connection, texts.name, column, isText);
      columns.push(`CAST(${column} AS ${type}) AS ${column}`);
    }
    await connection.run(`CREATE TABLE ${table} AS SELECT ${columns.join(", ")} FROM ${texts.name}`);
  } finally {
    await texts.drop();
  }
}

async function importParquet(connection: DuckDBConnection, path: string, table: string): Promise<void> {
  // In brackets these stand for themselves, not for other files.
  const literal = path.replace(/[*?[]/g, "[$&]").replaceAll("'", "''");
  await connection.run(`CREATE TABLE ${table} AS SELECT * FROM read_parquet('${literal}')`);
}

/** What DuckDB says, in one line and without its advice and the statement. */
const reasonOf = (cause: unknown) =>
  (cause instanceof Error ? cause.message : String(cause))
    .replace(/\n\s*(LINE \d+:|Possible (fixes|Solution)|\s*file = )[\s\S]*$/, "")
    .replace(/\s+/g, " ")
    .trim();

/** Removes a DuckDB file with what DuckDB writes beside it. */
export function removeDatabase(path: string): void {
  for (const file of [path, `${path}.wal`]) rmSync(file, { force: true });
  rmSync(`${path}.tmp`, { force: true, recursive: true });
}

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;
const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();
