/** Opens a SQLite file so that whoever made it, and whatever is asked of it, can only read it. */
import { pathToFileURL } from "node:url";
import { constants, DatabaseSync, type DatabaseSyncInstance } from "@photostructure/sqlite";
import { shadowTables, viewsIn } from "./sqlite-tables.js";
import { actionRefusal } from "./statement.js";
import type { Definition } from "./volatile.js";
import { MB } from "./watchdog.js";

/** A SQLite file that is only read. */
export interface SqliteFile {
  readonly db: DatabaseSyncInstance;
  /** How its texts are stored. */
  readonly encoding: "utf-8" | "utf-16le" | "utf-16be";
  readonly views: readonly Definition[];
  /** What a statement was refused last, in words; null if nothing. */
  denied: string | null;
  close(): void;
}

/**
 * Opens a file without locks and without creating files beside it. Rows come as arrays, integers as bigint.
 *
 * @param memoryMb a value may take an eighth of it
 * @throws Error with SQLite's message
 */
export function openSqlite(path: string, memoryMb: number): SqliteFile {
  // immutable: no lock, no -wal or -shm file appears, not even for a database in WAL mode.
  const db = new DatabaseSync(`${pathToFileURL(path).href}?immutable=1`, {
    readOnly: true,
    allowExtension: false,
    defensive: true,
    // Python's sqlite3 takes "text" as a string where no column has that name, and predictions rely on it.
    enableDoubleQuotedStringLiterals: true,
    readBigInts: true,
    returnArrays: true,
    limits: { length: Math.floor((memoryMb * MB) / 8), attach: 0 },
  });
  try {
    // Temporary data in memory: the watchdog then bounds it, and no statement can fill the disk.
    db.exec("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;");
    db.prepare("SELECT count(*) FROM sqlite_master").get();
    const encoding = String(db.prepare("PRAGMA encoding").get()).toLowerCase() as SqliteFile["encoding"];
    const file: SqliteFile = { db, encoding, views: viewsIn(db), denied: null, close: () => db.close() };
    const shadows = shadowTables(db);
    db.setAuthorizer((action, first, second) => {
      const denied = actionRefusal(constants, { action, first, second }, shadows);
      if (denied === null) return constants.SQLITE_OK;
      file.denied = denied;
      return constants.SQLITE_DENY;
    });
    return file;
  } catch (error) {
    db.close();
    throw error;
  }
}
