/** Reads the tables of a database and writes its schema text; runs in a process of its own. */
import { describeSchema } from "../bird/schema.js";
import type { SqlEngine } from "../bird/sql/executor.js";
import { openSqlite } from "../bird/sql/sqlite-file.js";
import { columnsIn, tablesIn, viewsIn } from "../bird/sql/sqlite-tables.js";
import { describeDuckDb } from "./duckdb-schema.js";

/** How example values are found. */
export interface DescribeOptions {
  /** Rows of a table that are searched. */
  readonly scannedRows: number;
  /** Whether to show none at all. */
  readonly none: boolean;
  /** Memory of the process. */
  readonly memoryMb: number;
}

/** What was found in a database. */
export interface Described {
  /** Tables and views that can be read, each with its columns. */
  readonly tables: readonly { readonly name: string; readonly columns: readonly string[] }[];
  readonly text: string;
  /** Views that cannot be read, and why; they are left out. */
  readonly broken: readonly { readonly name: string; readonly why: string }[];
}

/** @throws Error with the engine's message */
export const describeFile = (
  path: string,
  engine: SqlEngine,
  options: DescribeOptions,
): Promise<Described> =>
  engine === "duckdb" ? describeDuckDb(path, options) : describeSqlite(path, options);

async function describeSqlite(path: string, options: DescribeOptions): Promise<Described> {
  const tables: { name: string; columns: string[] }[] = [];
  const broken: { name: string; why: string }[] = [];
  const texts = [describeSchema(path, new Map(), options)];
  const { db, close } = openSqlite(path, options.memoryMb);
  try {
    const columnsOf = (name: string) => columnsIn(db, name).map((column) => column.name);
    for (const { name } of tablesIn(db)) tables.push({ name, columns: columnsOf(name) });
    for (const { name, sql } of viewsIn(db)) {
      try {
        db.prepare(`SELECT * FROM "${name.replaceAll('"', '""')}" LIMIT 0`).all();
        tables.push({ name, columns: columnsOf(name) });
        texts.push(`${sql};`);
      } catch (error) {
        broken.push({ name, why: String(error instanceof Error ? error.message : error) });
      }
    }
  } finally {
    close();
  }
  return { tables, text: texts.filter((text) => text !== "").join("\n\n"), broken };
}
