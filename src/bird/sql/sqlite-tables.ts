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
export function tablesIn(db: DatabaseSyncInstance): SqliteTable[] {
  const shadows = shadowTables(db);
  return listed(db, "table").filter(({ name }) => !shadows.has(name.toLowerCase()));
}

/** Views in the order in which they were made, broken ones included. */
export const viewsIn = (db: DatabaseSyncInstance): SqliteTable[] => listed(db, "view");

/*
 * Read from `sqlite_master` and by PRAGMA statements: a table or view may be named like `pragma_table_list`, which would
 * then be it, and that list computes the columns of all views, which can take for ever.
 */
function listed(db: DatabaseSyncInstance, type: "table" | "view"): SqliteTable[] {
  const rows = db
    .prepare(
      `SELECT name, sql FROM sqlite_master
       WHERE type = ? AND name IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid`,
    )
    .all(type) as unknown as [string, string | null][];
  return rows.map(([name, sql]) => ({ name, sql: String(sql ?? "") }));
}

const RTREE = ["node", "rowid", "parent"];
const FTS3 = ["content", "segments", "segdir", "docsize", "stat"];

/** Ends of the names of the tables in which a module keeps the data of a virtual table. */
const SHADOWS: Readonly<Record<string, readonly string[]>> = {
  fts3: FTS3,
  fts4: FTS3,
  fts5: ["data", "idx", "content", "docsize", "config"],
  rtree: RTREE,
  rtree_i32: RTREE,
  geopoly: RTREE,
};

const VIRTUAL =
  /^\s*CREATE\s+VIRTUAL\s+TABLE\s+(?:"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|'(?:[^']|'')*'|[^\s"'`[]+)\s*USING\s+["`[]?(\w+)/i;

/** The tables in which full-text and R-tree tables keep their data, in lower case. */
export function shadowTables(db: DatabaseSyncInstance): ReadonlySet<string> {
  const names = listed(db, "table").flatMap(({ name, sql }) => {
    const ends = SHADOWS[moduleOf(sql)?.toLowerCase() ?? ""] ?? [];
    return ends.map((end) => `${name}_${end}`.toLowerCase());
  });
  return new Set(names);
}

/** The module of a virtual table; undefined for any other table. @param sql as `sqlite_master` has it */
export const moduleOf = (sql: string): string | undefined => VIRTUAL.exec(sql)?.[1];

/** What `table_xinfo` calls a hidden column of a virtual table; 2 and 3 are generated columns. */
const HIDDEN = 1;

/**
 * The columns that `SELECT *` shows.
 * @throws Error with SQLite's message for a broken view, or a virtual table of a module that SQLite does not have
 */
export function columnsIn(db: DatabaseSyncInstance, table: string): SqliteColumn[] {
  const rows = pragma<[bigint, string, string, bigint, unknown, bigint, bigint]>(db, "table_xinfo", table);
  return rows.flatMap(([, name, type, , , pk, hidden]) =>
    Number(hidden) === HIDDEN ? [] : [{ name, type, pk: Number(pk) }],
  );
}

/** Why a table or view cannot be read at all; null if it can. */
export function whyUnreadable(db: DatabaseSyncInstance, name: string): string | null {
  try {
    db.prepare(`SELECT * FROM main."${name.replaceAll('"', '""')}" LIMIT 0`).all();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Virtual tables whose module SQLite does not have, or cannot open, and why. */
export function unreadableTablesIn(db: DatabaseSyncInstance): { name: string; why: string }[] {
  return tablesIn(db).flatMap(({ name, sql }) => {
    const why = moduleOf(sql) === undefined ? null : whyUnreadable(db, name);
    return why === null ? [] : [{ name, why }];
  });
}

/** A reference to another table. */
export interface ForeignKey {
  readonly table: string;
  readonly from: string;
  /** Null refers to the other table's primary key. */
  readonly to: string | null;
}

/** Foreign keys, the last one declared first; a key of several columns has an entry for each. */
export function foreignKeysIn(db: DatabaseSyncInstance, table: string): ForeignKey[] {
  const rows = pragma<[bigint, bigint, string, string, string | null]>(db, "foreign_key_list", table);
  return rows.map(([, , other, from, to]) => ({ table: other, from, to }));
}

const pragma = <Row>(db: DatabaseSyncInstance, name: string, table: string): Row[] =>
  db.prepare(`PRAGMA main.${name}("${table.replaceAll('"', '""')}")`).all() as unknown as Row[];
