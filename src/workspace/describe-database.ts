/** Reads the tables of a database and writes its schema text; runs in a process of its own. */
import { describeSchema } from "../bird/schema.js";
import type { SqlEngine } from "../bird/sql/executor.js";
import { openSqlite } from "../bird/sql/sqlite-file.js";
import {
  columnsIn,
  tablesIn,
  unreadableTablesIn,
  viewsIn,
  whyUnreadable,
} from "../bird/sql/sqlite-tables.js";
import type { Described, DescribeOptions } from "./described.js";
import { describeDuckDb } from "./duckdb-schema.js";

/** @throws Error with the engine's message */
export const describeFile = (
  path: string,
  engine: SqlEngine,
  options: DescribeOptions,
): Promise<Described> =>
  engine === "duckdb" ? describeDuckDb(path, options) : describeSqlite(path, options);

async function describeSqlite(path: string, options: DescribeOptions): Promise<Described> {
  const tables: { name: string; columns: string[] }[] = [];
  const texts = [describeSchema(path, new Map(), options)];
  const { db, close } = openSqlite(path, options.memoryMb);
  try {
    const columnsOf = (name: string) => columnsIn(db, name).map((column) => column.name);
    const broken = unreadableTablesIn(db);
    for (const { name } of tablesIn(db))
      if (!broken.some((table) => table.name === name)) tables.push({ name, columns: columnsOf(name) });
    for (const { name, sql } of viewsIn(db)) {
      const why = whyUnreadable(db, name);
      if (why !== null) broken.push({ name, why });
      else {
        tables.push({ name, columns: columnsOf(name) });
        texts.push(`${sql};`);
      }
    }
    return { tables, text: texts.filter((text) => text !== "").join("\n\n"), broken };
  } finally {
    close();
  }
}
