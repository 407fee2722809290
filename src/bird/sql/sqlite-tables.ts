/** Lists the tables and columns of a SQLite file that queries can use. */
import type { DatabaseSyncInstance } from "@photostructure/sqlite";

export interface SqliteTable {
  readonly name: string;
  /** Its CREATE statement. */
  readonly sql: string;
}

export interface SqliteColumn {
  readonly name: string;
  /** As declared; "" if it is not. */
  readonly type: string;
  /** Position in the primary key from 1; 0 when not part of it. */
  readonly pk: number;
}

/**
 * Tables in the order in which they were made, without SQLite's own and those in which full-text and R-tree tables keep
 * their data.
 * @param db returns rows as arrays
 */
export const tablesIn = (db: DatabaseSyncInstance): SqliteTable[] => listed(db, "'table', 'virtual'");

/** Views in the order in which they were made, broken ones included. */
export const viewsIn = (db: DatabaseSyncInstance): SqliteTable[] => listed(db, "'view'");

function listed(db: DatabaseSyncInstance, types: string): SqliteTable[] {
  const rows = db
    .prepare(
      `SELECT m.name, m.sql FROM sqlite_master m JOIN pragma_table_list l ON l.schema = 'main' AND l.name = m.name
       WHERE l.type IN (${types}) AND m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
       ORDER BY m.rowid`,
    )
    .all() as unknown as [string, string | null][];
  return rows.map(([name, sql]) => ({ name, sql: sql ?? "" }));
}

/** What `table_xinfo` calls a hidden column of a virtual table; 2 and 3 are generated columns. */
const HIDDEN = 1;

/** The columns that `SELECT *` shows. @throws Error with SQLite's message for a broken view */
export function columnsIn(db: DatabaseSyncInstance, table: string): SqliteColumn[] {
  const rows = db
    .prepare("SELECT name, type, pk FROM pragma_table_xinfo(?) WHERE hidden <> ?")
    .all(table, HIDDEN) as unknown as [string, string, bigint][];
  return rows.map(([name, type, pk]) => ({ name, type, pk: Number(pk) }));
}
