/** The child process that runs statements in DuckDB: read-only, without files or network. */
import { LseError } from "../../errors.js";
import { Connections, memoryMb, RowCounter, serve, text } from "../sql/child.js";
import { Failed, type Failure } from "../sql/messages.js";
import { volatilePartsWith } from "../sql/volatile.js";
import type { DuckDbError } from "./database.js";

/** Share of the process's memory that DuckDB may use; the rest is for Node and the translator. */
const SHARE = 0.4;

const FAILURES: Readonly<Record<string, Failure>> = {
  Parser: "syntax",
  Binder: "syntax",
  Catalog: "syntax",
  Timeout: "timeout",
  Refused: "refused",
  Permission: "refused",
  "Out of Memory": "memory",
};

await serve(async () => {
  const { DuckDbDatabase, DuckDbError } = await import("./database.js");
  const open = async (path: string) => {
    try {
      return await DuckDbDatabase.open(path, Math.floor(memoryMb * SHARE));
    } catch (error) {
      throw new LseError(
        `The database ${path} cannot be opened: ${text(error)}`,
        "Check that it is a DuckDB database, that it may be read, and that no other program writes to it",
      );
    }
  };
  const connections = new Connections(open);
  return {
    run: async ({ path, sql, maxRows, timeoutMs }, kept) => {
      const database = await connections.get(path);
      const counter = new RowCounter(maxRows, kept);
      try {
        const columns = await database.query(sql, timeoutMs, (row) => counter.add(row));
        if (kept !== undefined) kept.columns = columns;
      } catch (error) {
        throw error instanceof DuckDbError ? failure(error, timeoutMs) : error;
      }
      return { ...counter.result(), volatile: volatilePartsWith(sql, database.definitions) };
    },
    time: async ({ path, sql, timeoutMs }) => {
      const start = performance.now();
      using database = await open(path);
      try {
        await database.query(sql, timeoutMs, () => {});
      } catch (error) {
        throw error instanceof DuckDbError ? failure(error, timeoutMs) : error;
      }
      return performance.now() - start;
    },
  };
});

const failure = ({ kind, message }: DuckDbError, timeoutMs: number | null): Failed =>
  kind === "Timeout"
    ? new Failed("timeout", `The statement ran longer than ${(timeoutMs ?? 0) / 1000} s and was stopped`)
    : new Failed(FAILURES[kind] ?? "runtime", kind === "Refused" ? message : `DuckDB: ${message}`);
