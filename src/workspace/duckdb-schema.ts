/** Describes the tables of a DuckDB file as prompts show them. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { openDuckDb } from "../bird/duckdb/duckdb-file.js";
import { definitionsIn, Gate } from "../bird/duckdb/gate.js";
import type { Described, DescribeOptions } from "./described.js";

const EXAMPLES = 2;
const MAX_EXAMPLE_CHARS = 40;

/** Longer comments are cut. */
const MAX_COMMENT_CHARS = 200;

interface Table {
  readonly schema: string;
  readonly name: string;
  readonly comment: string;
}

interface Column {
  readonly name: string;
  readonly type: string;
  readonly comment: string;
}

/**
 * CREATE TABLE statements, each column with its comment and example values; views as they were made. Functions have their whole names here,
 * because macros of the file may have the same.
 */
export async function describeDuckDb(path: string, options: DescribeOptions): Promise<Described> {
  using file = await openDuckDb(path, { access: "READ_ONLY", memoryMb: options.memoryMb * SHARE });
  const { connection } = file;
  const keywords = await all(
    connection,
    "SELECT keyword_name AS word FROM system.main.duckdb_keywords() WHERE keyword_category <> 'unreserved'",
  );
  const quote = quoteUnless(new Set(keywords.map(({ word }) => String(word))));
  const tables = await objects(connection, "system.main.duckdb_tables()", "table_name");
  const views = await objects(connection, "system.main.duckdb_views()", "view_name");
  const broken: { name: string; why: string }[] = [];
  const texts: string[] = [];
  const columns: { name: string; columns: string[] }[] = [];
  for (const table of tables) {
    const own = await columnsOf(connection, table);
    columns.push({ name: shown(table), columns: own.map(({ name }) => name) });
    texts.push(await describeTable({ connection, quote, options }, table, own));
  }
  using gate = await Gate.open();
  const refused = gate.refusedObjects(await definitionsIn(connection));
  for (const view of views) {
    if (refused.has(view.name.toLowerCase())) {
      broken.push({ name: shown(view), why: "it uses what no query may use" });
      continue;
    }
    try {
      const reader = await connection.runAndReadAll(`SELECT * FROM ${address(view)} LIMIT 0`);
      columns.push({ name: shown(view), columns: reader.columnNames() });
      texts.push(view.sql.trim());
    } catch (error) {
      broken.push({ name: shown(view), why: String(error instanceof Error ? error.message : error) });
    }
  }
  return { tables: columns, text: texts.join("\n\n"), broken };
}

/** Share of the process's memory that DuckDB may use. */
const SHARE = 0.4;

/** Tables or views, those of the main schema first. */
async function objects(connection: DuckDBConnection, from: string, name: string) {
  const rows = await all(
    connection,
    `SELECT schema_name, ${name} AS name, coalesce(comment, '') AS comment, coalesce(sql, '') AS sql
     FROM ${from} WHERE NOT internal ORDER BY schema_name <> 'main', schema_name, name`,
  );
  return rows.map(({ schema_name, name, comment, sql }) => ({
    schema: String(schema_name),
    name: String(name),
    comment: String(comment),
    sql: String(sql),
  }));
}

/** The name that queries use: tables outside the main schema need their schema's. */
const shown = ({ schema, name }: Pick<Table, "schema" | "name">) =>
  schema === "main" ? name : `${schema}.${name}`;

const address = ({ schema, name }: Pick<Table, "schema" | "name">) => `${always(schema)}.${always(name)}`;

async function columnsOf(connection: DuckDBConnection, table: Table): Promise<Column[]> {
  const rows = await all(
    connection,
    `SELECT column_name AS name, data_type AS type, coalesce(comment, '') AS comment FROM system.main.duckdb_columns()
     WHERE ${isOwn(table)} ORDER BY column_index`,
  );
  return rows.map(({ name, type, comment }) => ({
    name: String(name),
    type: String(type),
    comment: String(comment),
  }));
}

const isOwn = ({ schema, name }: Table) => `schema_name = ${text(schema)} AND table_name = ${text(name)}`;

interface With {
  readonly connection: DuckDBConnection;
  readonly quote: (name: string) => string;
  readonly options: DescribeOptions;
}

async function describeTable(
  { connection, quote, options }: With,
  table: Table,
  columns: readonly Column[],
): Promise<string> {
  const constraints = await all(
    connection,
    `SELECT constraint_type AS type, constraint_column_names AS own, referenced_table AS other,
       referenced_column_names AS others, expression
     FROM system.main.duckdb_constraints()
     WHERE ${isOwn(table)} AND constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY', 'CHECK')`,
  );
  const lines: { text: string; comment: string }[] = [];
  for (const { name, type, comment } of columns) {
    const values = options.none ? [] : await examplesOf(connection, table, name, options.scannedRows);
    const parts = [oneLine(comment), values.length === 0 ? "" : `example: [${values.join(", ")}]`];
    lines.push({ text: `${quote(name)} ${type.toLowerCase()}`, comment: joined(parts) });
  }
  const list = (names: unknown) => `(${(names as string[]).map(quote).join(", ")})`;
  for (const { type, own, other, others, expression } of constraints) {
    const target = type === "FOREIGN KEY" ? ` REFERENCES ${quote(String(other))} ${list(others)}` : "";
    const what = type === "CHECK" ? `(${String(expression)})` : list(own);
    lines.push({ text: `${type} ${what}${target}`, comment: "" });
  }
  const body = lines.map(({ text, comment }, i) => `    ${text}${i < lines.length - 1 ? "," : ""}${comment}`);
  const name = table.schema === "main" ? quote(table.name) : `${quote(table.schema)}.${quote(table.name)}`;
  return `CREATE TABLE ${name} (${joined([oneLine(table.comment)])}\n${body.join("\n")}\n);`;
}

function joined(parts: readonly string[]): string {
  const said = parts.filter((part) => part !== "");
  return said.length === 0 ? "" : ` -- ${said.join("; ")}`;
}

function oneLine(comment: string): string {
  const line = comment.replace(/\s+/g, " ").trim();
  return line.length > MAX_COMMENT_CHARS ? `${line.slice(0, MAX_COMMENT_CHARS)}…` : line;
}

/** None for a column whose values cannot be computed. */
async function examplesOf(connection: DuckDBConnection, table: Table, column: string, rows: number) {
  const [t, c] = [address(table), always(column)];
  try {
    const found = await all(
      connection,
      `SELECT v[1:${MAX_EXAMPLE_CHARS + 1}] AS v, type
       FROM (SELECT ${c}::VARCHAR AS v, system.main.typeof(${c}) AS type, row_number() OVER () AS n
             FROM (SELECT ${c} FROM ${t} LIMIT ${rows}) WHERE ${c} IS NOT NULL)
       WHERE type <> 'BLOB' GROUP BY v, type ORDER BY system.main.min(n) LIMIT ${EXAMPLES}`,
    );
    return found.map(({ v, type }) => {
      const value = String(v).replace(/\s+/g, " ");
      const short = value.length > MAX_EXAMPLE_CHARS ? `${value.slice(0, MAX_EXAMPLE_CHARS)}…` : value;
      return /INT|DOUBLE|FLOAT|DECIMAL|REAL|BOOLEAN/.test(String(type)) ? short : `'${short}'`;
    });
  } catch {
    return [];
  }
}

/** Plain names stay bare; anything else, keywords included, is quoted. */
const quoteUnless = (keywords: ReadonlySet<string>) => (name: string) =>
  /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !keywords.has(name.toLowerCase()) ? name : always(name);

const always = (name: string) => `"${name.replaceAll('"', '""')}"`;
const text = (value: string) => `'${value.replaceAll("'", "''")}'`;

async function all(connection: DuckDBConnection, sql: string): Promise<Record<string, unknown>[]> {
  const reader = await connection.runAndReadAll(sql);
  return reader.getRowObjectsJS();
}
