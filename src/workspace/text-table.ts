/** A temporary table of texts, which the values of a file are put into before their types are known. */
import type { DuckDBAppender, DuckDBConnection } from "@duckdb/node-api";

/** Rows that are appended between two flushes. */
const ROWS_AT_ONCE = 50_000;

/** A column, and whether its values are texts in the file, rather than perhaps numbers. */
export interface TextColumn {
  readonly name: string;
  readonly isText: boolean;
}

export class TextTable {
  readonly name = "temp.main.texts_of_a_file";
  #columns: readonly TextColumn[] = [];
  #appender: DuckDBAppender | null = null;
  #waiting = 0;

  constructor(private readonly connection: DuckDBConnection) {}

  /** Begins, or begins again without rows. */
  async begin(columns: readonly TextColumn[]): Promise<void> {
    await this.drop();
    const list = columns.map(({ name }) => `"${name.replaceAll('"', '""')}" VARCHAR`);
    await this.connection.run(`CREATE TEMP TABLE texts_of_a_file (${list.join(", ")})`);
    this.#columns = columns;
    this.#appender = await this.connection.createAppender("texts_of_a_file", "main", "temp");
  }

  /** @param values one for each column */
  append(values: readonly (string | null)[]): void {
    const appender = this.#appender as DuckDBAppender;
    for (const value of values) {
      if (value === null) appender.appendNull();
      else appender.appendVarchar(value);
    }
    appender.endRow();
    if (++this.#waiting % ROWS_AT_ONCE === 0) appender.flushSync();
  }

  /** @returns the columns of the rows that are all there now */
  finish(): readonly TextColumn[] {
    this.#appender?.closeSync();
    this.#appender = null;
    return this.#columns;
  }

  async drop(): Promise<void> {
    this.finish();
    await this.connection.run(`DROP TABLE IF EXISTS ${this.name}`);
  }
}
