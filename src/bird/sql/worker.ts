/** The child process that runs statements in SQLite, on read-only connections. */
/*
 * Known gaps: printf() and format() give NULL for a text above an eighth of the memory; a LIKE never matches a blob (an
 * option this SQLite is compiled with); on Windows only an idle process notices that its parent was killed.
 */
import type { StatementSyncInstance } from "@photostructure/sqlite";
import { LseError } from "../../errors.js";
import { Connections, type KeptRows, memoryMb, RowCounter, serve, text } from "./child.js";
import { Failed, type RowSummary, type Rows, type SqlRequest } from "./messages.js";
import { InvalidText, newMark, type SqlValue, TextMark } from "./rows.js";
import { openSqlite, type SqliteFile } from "./sqlite-file.js";
import { exactForm, preparedRefusal } from "./statement.js";
import { volatilePartsWith } from "./volatile.js";

const MARK = newMark();

await serve(async () => {
  const connections = new Connections(open);
  return {
    run: async (request, kept) => runStatement(await connections.get(request.path), request, kept),
    time,
  };
});

/** @throws {LseError} */
function open(path: string): SqliteFile {
  try {
    return openSqlite(path, memoryMb);
  } catch (error) {
    throw new LseError(
      `The database ${path} cannot be opened: ${text(error)}`,
      "Check that it is a SQLite database and may be read",
    );
  }
}

/** @throws {Failed} */
function time({ path, sql }: SqlRequest): number {
  const start = performance.now();
  const own = open(path);
  try {
    prepare(own, sql).all();
    return performance.now() - start;
  } catch (error) {
    throw error instanceof Failed ? error : failure(own, "runtime", error);
  } finally {
    own.close();
  }
}

/**
 * The binding ends a text at its first NUL and replaces what is not valid, so such texts are read as bytes: the
 * former in the same pass, the latter in a second one, when U+FFFD was seen.
 * @throws {Failed}
 */
function runStatement(file: SqliteFile, { sql, maxRows }: SqlRequest, kept?: KeptRows): Rows {
  const statement = prepare(file, sql);
  if (kept !== undefined) kept.columns = statement.columns().map(({ name }) => name);
  const first = statement.expandedSQL;
  const columns = statement.columns().length;
  const refused = preparedRefusal(sql, first, columns);
  if (refused !== null || first === undefined) throw new Failed("refused", refused ?? "");
  // A comment at the end may be open.
  const form = (texts: "with NUL" | "all") =>
    prepareOrNull(file, exactForm(first, columns, { mark: MARK, texts })) ??
    prepareOrNull(file, exactForm(`${first}*/`, columns, { mark: MARK, texts }));
  const mark = new TextMark(MARK, file.encoding);
  const read = (prepared: StatementSyncInstance) => readRows(file, prepared, { maxRows, kept, mark });
  const { result, suspicious } = read(form("with NUL") ?? statement);
  const again = suspicious ? form("all") : null;
  return {
    ...(again === null ? result : read(again).result),
    volatile: volatilePartsWith(sql, file.views),
  };
}

function prepare(file: SqliteFile, sql: string): StatementSyncInstance {
  file.denied = null;
  try {
    return file.db.prepare(sql);
  } catch (error) {
    throw failure(file, "syntax", error);
  }
}

/** Null when SQLite does not accept it (over 1000 columns); then texts are read as the binding reads them. */
function prepareOrNull({ db }: SqliteFile, sql: string): StatementSyncInstance | null {
  try {
    return db.prepare(sql);
  } catch {
    return null;
  }
}

/** Reads every row once. `suspicious`: a text holds U+FFFD, which may stand for broken bytes. */
function readRows(
  file: SqliteFile,
  statement: StatementSyncInstance,
  { maxRows, kept, mark }: { maxRows: number; kept: KeptRows | undefined; mark: TextMark },
): { result: RowSummary; suspicious: boolean } {
  const counter = new RowCounter(maxRows, kept);
  let suspicious = false;
  const iterator: Iterator<SqlValue[]> = statement.iterate();
  try {
    for (let step = iterator.next(); step.done !== true; step = iterator.next()) {
      const row = step.value;
      suspicious ||= row.some((value) => typeof value === "string" && value.includes("\uFFFD"));
      counter.add(mark.remove(row));
    }
  } catch (error) {
    throw error instanceof Failed ? error : failure(file, "runtime", error);
  } finally {
    // Resets the statement, which frees what it sorted.
    iterator.return?.();
  }
  return { result: counter.result(), suspicious };
}

function failure({ denied }: SqliteFile, kind: "syntax" | "runtime", error: unknown): Failed {
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
