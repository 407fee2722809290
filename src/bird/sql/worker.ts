/** The child process that runs statements in SQLite, on read-only connections. */
/*
 * Known gaps: printf() and format() give NULL for a text above an eighth of the memory; a LIKE never matches a blob (an
 * option this SQLite is compiled with); on Windows only an idle process notices that its parent was killed.
 */
import { pathToFileURL } from "node:url";
import type { DatabaseSyncInstance, StatementSyncInstance } from "@photostructure/sqlite";
import { LseError } from "../../errors.js";
import { Connections, type KeptRows, memoryMb, RowCounter, serve, text } from "./child.js";
import { Failed, type Rows, type SqlRequest } from "./messages.js";
import { exactRow, InvalidText, type SqlValue } from "./rows.js";
import { actionRefusal, exactForm, mayMakeNul, preparedRefusal } from "./statement.js";
import { MB } from "./watchdog.js";

type Sqlite = typeof import("@photostructure/sqlite");

interface Connection {
  db: DatabaseSyncInstance;
  close(): void;
  utf8: boolean;
  /** What the authorizer denied last, in words; null if nothing. */
  denied: string | null;
}

await serve(async () => {
  const sqlite = await import("@photostructure/sqlite");
  const connections = new Connections((path) => open(sqlite, path));
  return {
    run: async (request, kept) => runStatement(await connections.get(request.path), request, kept),
    time: ({ path, sql }) => time(sqlite, path, sql),
  };
});

function open(sqlite: Sqlite, path: string): Connection {
  try {
    // immutable: no lock, no -wal or -shm file appears, not even for a database in WAL mode.
    const db = new sqlite.DatabaseSync(`${pathToFileURL(path).href}?immutable=1`, {
      readOnly: true,
      allowExtension: false,
      defensive: true,
      // Python's sqlite3 takes "text" as a string where no column has that name, and predictions rely on it.
      enableDoubleQuotedStringLiterals: true,
      readBigInts: true,
      returnArrays: true,
      limits: { length: Math.floor((memoryMb * MB) / 8), attach: 0 },
    });
    // Temporary data in memory: the watchdog then bounds it, and no statement can fill the disk.
    db.exec("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;");
    db.prepare("SELECT count(*) FROM sqlite_master").get();
    const connection: Connection = {
      db,
      close: () => db.close(),
      utf8: String(db.prepare("PRAGMA encoding").get()) === "UTF-8",
      denied: null,
    };
    db.setAuthorizer((action, first, second) => {
      const denied = actionRefusal(sqlite.constants, action, first, second);
      if (denied === null) return sqlite.constants.SQLITE_OK;
      connection.denied = denied;
      return sqlite.constants.SQLITE_DENY;
    });
    return connection;
  } catch (error) {
    throw new LseError(
      `The database ${path} cannot be opened: ${text(error)}`,
      "Check that it is a SQLite database and may be read",
    );
  }
}

/** @throws {Failed} */
function time(sqlite: Sqlite, path: string, sql: string): number {
  const start = performance.now();
  const own = open(sqlite, path);
  try {
    prepare(own, sql).all();
    return performance.now() - start;
  } catch (error) {
    throw error instanceof Failed ? error : failure(own, "runtime", error);
  } finally {
    own.close();
  }
}

/** @throws {Failed} */
function runStatement(connection: Connection, { sql, maxRows }: SqlRequest, kept?: KeptRows): Rows {
  const statement = prepare(connection, sql);
  if (kept !== undefined) kept.columns = statement.columns().map(({ name }) => name);
  const first = statement.expandedSQL;
  const columns = statement.columns().length;
  const refused = preparedRefusal(sql, first, columns);
  if (refused !== null || first === undefined) throw new Failed("refused", refused ?? "");
  const exact = () => (connection.utf8 ? prepareExact(connection, first, columns) : null);
  const exactFirst = mayMakeNul(sql) ? exact() : null;
  if (exactFirst !== null) return readRows(connection, exactFirst, { maxRows, kept, exact: true }).result;
  const { result, suspicious } = readRows(connection, statement, { maxRows, kept, exact: false });
  const exactAgain = suspicious ? exact() : null;
  return exactAgain === null
    ? result
    : readRows(connection, exactAgain, { maxRows, kept, exact: true }).result;
}

function prepare(connection: Connection, sql: string): StatementSyncInstance {
  connection.denied = null;
  try {
    return connection.db.prepare(sql);
  } catch (error) {
    throw failure(connection, "syntax", error);
  }
}

/** Null when SQLite does not accept it (over 1000 columns); then the lenient reading is used. */
function prepareExact(connection: Connection, first: string, columns: number): StatementSyncInstance | null {
  try {
    return connection.db.prepare(exactForm(first, columns));
  } catch {
    return null;
  }
}

/** Reads every row once. `suspicious`: a text holds U+FFFD, which may stand for broken bytes. */
function readRows(
  connection: Connection,
  statement: StatementSyncInstance,
  { maxRows, kept, exact }: { maxRows: number; kept: KeptRows | undefined; exact: boolean },
): { result: Rows; suspicious: boolean } {
  const counter = new RowCounter(maxRows, kept);
  let suspicious = false;
  const iterator: Iterator<SqlValue[]> = statement.iterate();
  try {
    for (let step = iterator.next(); step.done !== true; step = iterator.next()) {
      const row = exact ? exactRow(step.value) : step.value;
      if (!exact && !suspicious) {
        suspicious = row.some((value) => typeof value === "string" && value.includes("\uFFFD"));
      }
      counter.add(row);
    }
  } catch (error) {
    throw error instanceof Failed ? error : failure(connection, "runtime", error);
  } finally {
    // Resets the statement, which frees what it sorted and materialized.
    iterator.return?.();
  }
  return { result: counter.result(), suspicious };
}

function failure({ denied }: Connection, kind: "syntax" | "runtime", error: unknown): Failed {
  const message = text(error);
  if (error instanceof InvalidText) return new Failed(kind, message);
  if (denied !== null)
    return new Failed("refused", `The statement may not use ${denied} (SQLite: ${message})`);
  if (/^unsafe use of |^attempt to write a readonly database$/.test(message)) {
    return new Failed("refused", `The statement is not allowed here (SQLite: ${message})`);
  }
  if (message === "string or blob too big") {
    return new Failed("memory", `A value is larger than ${memoryMb / 8} MB (SQLite: ${message})`);
  }
  if (/^out of memory$|^Array buffer allocation failed$|^Cannot create a string longer/.test(message)) {
    return new Failed("memory", `The statement ran out of memory (${message})`);
  }
  return new Failed(kind, `SQLite: ${message}`);
}
