/** Runs queries on a DuckDB file: read-only, without files or network, one SELECT at a time. */
import {
  DuckDBBlobValue,
  type DuckDBConnection,
  DuckDBDecimalValue,
  type DuckDBPreparedStatement,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValueConverter,
  StatementType,
} from "@duckdb/node-api";
import { LONGEST_MS } from "../../lib/time-limit.js";
import type { SqlValue } from "../sql/rows.js";
import type { Definition } from "../sql/volatile.js";
import { COPY_MARK } from "./copy.js";
import { type DuckDbFile, openDuckDb } from "./duckdb-file.js";
import { definitionsIn, Gate } from "./gate.js";
import { asInSqlite } from "./sqlite-dialect.js";

/** A statement that DuckDB did not run, or not to its end. */
export class DuckDbError extends Error {
  /**
   * @param kind DuckDB's kind of error, such as "Binder" or "Conversion"; "Timeout" when it was stopped, "Refused"
   * when it was not started
   */
  constructor(
    readonly kind: string,
    message: string,
  ) {
    super(message);
  }
}

/**
 * A DuckDB file that is only read, in this process. Each statement gets a connection of its own, so that none sees what
 * another has set.
 */
export class DuckDbDatabase {
  /** @throws Error with DuckDB's message for a file that it cannot open */
  static async open(path: string, memoryMb: number): Promise<DuckDbDatabase> {
    let isCopy = false;
    const file = await openDuckDb(path, { access: "READ_ONLY", memoryMb }, async (connection) => {
      const marks = await connection.runAndReadAll(
        `SELECT 1 FROM system.main.duckdb_schemas() WHERE schema_name = '${COPY_MARK}'`,
      );
      isCopy = marks.currentRowCount > 0;
      if (!isCopy) return;
      // As in SQLite: NULL sorts first, and dividing integers gives an integer.
      await connection.run("SET GLOBAL default_null_order = 'sqlite'");
      await connection.run("SET GLOBAL integer_division = true");
    });
    const translate = isCopy ? (await import("./translate.js")).fromSqlite : null;
    const gate = await Gate.open();
    return new DuckDbDatabase(file, gate, await definitionsIn(file.connection), translate);
  }

  readonly #refused: ReadonlySet<string>;

  private constructor(
    private readonly file: DuckDbFile,
    private readonly gate: Gate,
    readonly definitions: readonly Definition[],
    private readonly translate: ((sql: string) => string | null) | null,
  ) {
    this.#refused = gate.refusedObjects(definitions);
  }

  /**
   * Runs one query; in a copy of a SQLite database the query is in SQLite's dialect.
   * @param timeoutMs null for no limit
   * @param onRow what it throws ends the query and is passed on
   * @returns the names of the columns
   * @throws DuckDbError
   */
  async query(sql: string, timeoutMs: number | null, onRow: (row: SqlValue[]) => void): Promise<string[]> {
    let isLate = false;
    let thrown: unknown;
    const connection = await this.file.instance.connect();
    const stop = () => {
      isLate = true;
      connection.interrupt();
    };
    const timer = timeoutMs === null ? undefined : setTimeout(stop, Math.min(timeoutMs, LONGEST_MS));
    try {
      const result = await (await this.#prepare(connection, sql)).stream();
      for await (const rows of result.yieldConvertedRows(plain)) {
        try {
          for (const row of rows) onRow(row);
        } catch (error) {
          thrown = error;
          throw error;
        }
        // A query may return rows too fast to be interrupted between two of them.
        if (isLate) throw new Error("interrupted");
      }
      return result.columnNames();
    } catch (error) {
      if (thrown !== undefined || error instanceof DuckDbError) throw error;
      const text = (error instanceof Error ? error.message : String(error))
        .replace(/^Failed to extract statements: /, "")
        .replace(/\s+/g, " ")
        .trim();
      throw new DuckDbError(isLate ? "Timeout" : (/^([\w ]+?) Error:/.exec(text)?.[1] ?? "Other"), text);
    } finally {
      clearTimeout(timer);
      connection.closeSync();
    }
  }

  /** In a copy of a SQLite database, a query that DuckDB rejects is translated and tried again. */
  async #prepare(connection: DuckDBConnection, sql: string): Promise<DuckDBPreparedStatement> {
    if (this.translate === null) return await this.#prepareAsItIs(connection, sql);
    try {
      return await this.#prepareAsItIs(connection, asInSqlite(sql));
    } catch (error) {
      const translated = error instanceof DuckDbError ? null : this.translate(sql);
      if (translated === null) throw error;
      return await this.#prepareAsItIs(connection, asInSqlite(translated));
    }
  }

  async #prepareAsItIs(connection: DuckDBConnection, sql: string): Promise<DuckDBPreparedStatement> {
    const statements = await connection.extractStatements(sql);
    if (statements.count !== 1) throw new DuckDbError("Refused", "There is more than one statement, or none");
    const refused = await this.gate.refusal(sql, this.#refused);
    if (refused !== null) throw new DuckDbError("Refused", refused);
    const statement = await statements.prepare(0);
    if (statement.statementType !== StatementType.SELECT)
      throw new DuckDbError("Refused", "Only a SELECT, VALUES or WITH … SELECT may run");
    if (statement.parameterCount > 0)
      throw new DuckDbError("Refused", "The statement has parameters, and there are no values for them");
    return statement;
  }

  close(): void {
    this.gate[Symbol.dispose]();
    this.file[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

const INTEGERS = new Set<DuckDBTypeId>([
  DuckDBTypeId.TINYINT,
  DuckDBTypeId.SMALLINT,
  DuckDBTypeId.INTEGER,
  DuckDBTypeId.UTINYINT,
  DuckDBTypeId.USMALLINT,
  DuckDBTypeId.UINTEGER,
]);

/** DuckDB's values as SQLite would return them; types that SQLite lacks (dates, lists) as DuckDB prints them. */
const plain: DuckDBValueConverter<SqlValue> = (value, type: DuckDBType) => {
  if (value === null) return null;
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (typeof value === "number") return INTEGERS.has(type.typeId) ? BigInt(value) : value;
  if (typeof value === "bigint" || typeof value === "string") return value;
  if (value instanceof DuckDBBlobValue) return value.bytes;
  if (value instanceof DuckDBDecimalValue) return value.toDouble();
  return String(value);
};
