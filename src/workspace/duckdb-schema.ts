/** Describes the tables of a DuckDB file as prompts show them. */
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { LseError } from "../errors.js";

interface Table {
  readonly name: string;
  readonly columns: readonly string[];
}

const EXAMPLES = 2;
const MAX_EXAMPLE_CHARS = 40;

/** Tables and views of the main schema, each with its columns. */
export const duckDbTables = (path: string): Promise<Table[]> =>
  inDuckDb(path, async (connection) => {
    const rows = await all(
      connection,
      `SELECT t.name, list(c.column_name ORDER BY c.column_index) AS columns
       FROM (SELECT table_name AS name, table_oid AS id FROM duckdb_tables() WHERE NOT internal AND schema_name = 'main'
             UNION ALL SELECT view_name, view_oid FROM duckdb_views() WHERE NOT internal AND schema_name = 'main') t
       JOIN duckdb_columns() c ON c.table_name = t.name AND c.schema_name = 'main' AND NOT c.internal
       GROUP BY t.name, t.id ORDER BY t.id`,
    );
    return rows.map(({ name, columns }) => ({ name: String(name), columns: columns as string[] }));
  });

/** CREATE TABLE statements, each column with example values; views as they were made. */
export const describeDuckDb = (
  path: string,
  options: { readonly scannedRows: number; readonly none: boolean },
): Promise<string> =>
  inDuckDb(path, async (connection) => {
    const names = await all(
      connection,
      "SELECT table_name AS name FROM duckdb_tables() WHERE NOT internal AND schema_name = 'main' ORDER BY name",
    );
    const keywords = await all(
      connection,
      "SELECT keyword_name AS word FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'",
    );
    const quote = quoteUnless(new Set(keywords.map(({ word }) => String(word))));
    const tables: string[] = [];
    for (const { name } of names) tables.push(await describeTable(connection, String(name), quote, options));
    const views = await all(
      connection,
      "SELECT sql FROM duckdb_views() WHERE NOT internal AND schema_name = 'main' ORDER BY view_name",
    );
    return [...tables, ...views.map(({ sql }) => String(sql).trim())].join("\n\n");
  });

async function describeTable(
  connection: DuckDBConnection,
  table: string,
  quote: (name: string) => string,
  { scannedRows, none }: { readonly scannedRows: number; readonly none: boolean },
): Promise<string> {
  const own = `schema_name = 'main' AND table_name = ${text(table)}`;
  const columns = await all(
    connection,
    `SELECT column_name AS name, data_type AS type FROM duckdb_columns() WHERE ${own} ORDER BY column_index`,
  );
  const keys = await all(
    connection,
    `SELECT constraint_type AS type, constraint_column_names AS own, referenced_table AS other,
       referenced_column_names AS others
     FROM duckdb_constraints() WHERE ${own} AND constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY')`,
  );
  const lines: { text: string; comment: string }[] = [];
  for (const { name, type } of columns) {
    const values = none ? [] : await examplesOf(connection, table, String(name), scannedRows);
    lines.push({
      text: `${quote(String(name))} ${String(type).toLowerCase()}`,
      comment: values.length === 0 ? "" : ` -- example: [${values.join(", ")}]`,
    });
  }
  const list = (names: unknown) => `(${(names as string[]).map(quote).join(", ")})`;
  for (const { type, own, other, others } of keys) {
    const target = type === "FOREIGN KEY" ? ` REFERENCES ${quote(String(other))} ${list(others)}` : "";
    lines.push({ text: `${type} ${list(own)}${target}`, comment: "" });
  }
  const body = lines.map(({ text, comment }, i) => `    ${text}${i < lines.length - 1 ? "," : ""}${comment}`);
  return `CREATE TABLE ${quote(table)} (\n${body.join("\n")}\n);`;
}

async function examplesOf(connection: DuckDBConnection, table: string, column: string, rows: number) {
  const [t, c] = [always(table), always(column)];
  const found = await all(
    connection,
    `SELECT v FROM (SELECT ${c}::VARCHAR AS v, typeof(${c}) AS type, row_number() OVER () AS n
                    FROM (SELECT ${c} FROM ${t} LIMIT ${rows}) WHERE ${c} IS NOT NULL)
     WHERE type <> 'BLOB' GROUP BY v ORDER BY min(n) LIMIT ${EXAMPLES}`,
  );
  const types = await all(connection, `SELECT typeof(${c}) AS type FROM ${t} LIMIT 1`);
  const isNumber = /INT|DOUBLE|FLOAT|DECIMAL|REAL|BOOLEAN/.test(String(types[0]?.type));
  return found.map(({ v }) => {
    const value = String(v).replace(/\s+/g, " ");
    const short = value.length > MAX_EXAMPLE_CHARS ? `${value.slice(0, MAX_EXAMPLE_CHARS)}…` : value;
    return isNumber ? short : `'${short}'`;
  });
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

/** @throws LseError for a file that DuckDB cannot open */
async function inDuckDb<T>(path: string, work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  let instance: DuckDBInstance;
  try {
    instance = await DuckDBInstance.create(path, { access_mode: "READ_ONLY" });
  } catch (cause) {
    const why = (cause instanceof Error ? cause.message : String(cause)).split("\n")[0];
    throw new LseError(
      `${path}: DuckDB cannot open it (${why})`,
      "Close the program that uses it, or check that it is a DuckDB file of this version",
      { cause },
    );
  }
  const connection = await instance.connect();
  try {
    return await work(connection);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
