/** Opens a DuckDB file for queries: read-only, without files or network, one SELECT at a time. */
import {
  DuckDBBlobValue,
  type DuckDBConnection,
  DuckDBDecimalValue,
  DuckDBInstance,
  type DuckDBPreparedStatement,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValueConverter,
  StatementType,
} from "@duckdb/node-api";
import type { SqlValue } from "../sql/rows.js";
import { COPY_MARK } from "./copy.js";
import { asInSqlite, SQLITE_FUNCTIONS } from "./sqlite-dialect.js";

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

/** A DuckDB file that is only read, in this process: for queries that are trusted, or in a process of their own. */
export class DuckDbDatabase {
  /** @throws Error with DuckDB's message for a file that it cannot open */
  static async open(path: string, memoryMb: number): Promise<DuckDbDatabase> {
    // One thread: sums of floating-point numbers and rows that tie come out the same each time.
    const instance = await DuckDBInstance.create(path, {
      access_mode: "READ_ONLY",
      threads: "1",
      memory_limit: `${memoryMb}MB`,
      autoinstall_known_extensions: "false",
      autoload_known_extensions: "false",
    });
    const connection = await instance.connect();
    const marks = await connection.runAndReadAll(
      `SELECT 1 FROM duckdb_schemas() WHERE schema_name = '${COPY_MARK}'`,
    );
    const isCopy = marks.currentRowCount > 0;
    if (isCopy) {
      // As in SQLite: NULL sorts first, and dividing integers gives an integer.
      await connection.run("SET default_null_order = 'sqlite'");
      await connection.run("SET integer_division = true");
      for (const macro of SQLITE_FUNCTIONS) await connection.run(macro);
    }
    // Nothing is written to disk when memory runs out.
    await connection.run("SET max_temp_directory_size = '0B'");
    await connection.run("SET enable_external_access = false");
    await connection.run("SET lock_configuration = true");
    const translate = isCopy ? (await import("./translate.js")).fromSqlite : null;
    return new DuckDbDatabase(instance, connection, translate);
  }

  private constructor(
    private readonly instance: DuckDBInstance,
    private readonly connection: DuckDBConnection,
    private readonly translate: ((sql: string) => string | null) | null,
  ) {}

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
    const stop = () => {
      isLate = true;
      this.connection.interrupt();
    };
    const timer = timeoutMs === null ? undefined : setTimeout(stop, timeoutMs);
    try {
      const result = await (await this.#prepare(sql)).stream();
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
    }
  }

  /** In a copy of a SQLite database, a query that DuckDB rejects is translated and tried again. */
  async #prepare(sql: string): Promise<DuckDBPreparedStatement> {
    if (this.translate === null) return await this.#prepareAsItIs(sql);
    try {
      return await this.#prepareAsItIs(asInSqlite(sql));
    } catch (error) {
      const translated = error instanceof DuckDbError ? null : this.translate(sql);
      if (translated === null) throw error;
      return await this.#prepareAsItIs(asInSqlite(translated));
    }
  }

  async #prepareAsItIs(sql: string): Promise<DuckDBPreparedStatement> {
    const statements = await this.connection.extractStatements(sql);
    if (statements.count !== 1) throw new DuckDbError("Refused", "There is more than one statement, or none");
    const statement = await statements.prepare(0);
    if (statement.statementType !== StatementType.SELECT)
      throw new DuckDbError("Refused", "Only a SELECT, VALUES or WITH … SELECT may run");
    if (statement.parameterCount > 0)
      throw new DuckDbError("Refused", "The statement has parameters, and there are no values for them");
    return statement;
  }

  close(): void {
    this.connection.closeSync();
    this.instance.closeSync();
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
