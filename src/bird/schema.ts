/** Writes the schema text of a SQLite database for prompts, with example values. */
import type { DatabaseSyncInstance } from "@photostructure/sqlite";
import { LseError } from "../errors.js";
import { type ColumnNotes, tableNotes } from "./ddl.js";
import { isolated } from "./sql/isolated.js";
import { requireNoChanges } from "./sql/pending-changes.js";
import { openSqlite } from "./sql/sqlite-file.js";
import {
  columnsIn,
  foreignKeysIn,
  type SqliteColumn,
  type SqliteTable,
  tablesIn,
  unreadableTablesIn,
} from "./sql/sqlite-tables.js";

/** Rows looked at for example values, so that large tables cost no full scan. */
const SAMPLED_ROWS = 1000;
const EXAMPLES = 2;
const MAX_EXAMPLE_CHARS = 40;

/** How many rows are searched for example values, and whether any are shown. */
export interface ExampleOptions {
  /** Rows searched for values that are not NULL. Defaults to all. */
  readonly scannedRows?: number;
  /** Whether to show no example values at all. */
  readonly none?: boolean;
}

/** Limits for reading a schema; searching the largest of BIRD's databases for example values takes seconds. */
export const SCHEMA_LIMITS = { memoryMb: 512, timeoutMs: 120_000 };

/** Bounds the values that are read for examples, to 16 MB each: several may be held at once. */
const MEMORY_OF_VALUES_MB = 128;

/** `describeSchema` in a process of its own, for a database that nobody has vetted. @throws LseError */
export async function readSchema(path: string, columnNames: ReadonlyMap<string, string>): Promise<string> {
  try {
    requireNoChanges(path);
    const args: [string, ReadonlyMap<string, string>] = [path, columnNames];
    return await isolated<typeof describeSchema>(import.meta.url, "describeSchema", args, SCHEMA_LIMITS);
  } catch (cause) {
    if (cause instanceof LseError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    const next = "Check the file with `PRAGMA integrity_check`";
    throw new LseError(`${path}: its schema cannot be read (${why})`, next, { cause });
  }
}

/**
 * The schema of a SQLite file as a prompt shows it, in the form of BIRD's `db2schema.json`: CREATE TABLE statements,
 * each column with its CHECK conditions, its readable name if that says more, its comment, and example values.
 * @param columnNames readable names by "table.column"
 * Virtual tables whose module SQLite does not have are left out.
 * @throws Error with SQLite's message
 */
export function describeSchema(
  databasePath: string,
  columnNames: ReadonlyMap<string, string>,
  examples: ExampleOptions = {},
): string {
  const file = openSqlite(databasePath, MEMORY_OF_VALUES_MB);
  try {
    const unreadable = new Set(unreadableTablesIn(file.db).map(({ name }) => name));
    return tablesIn(file.db)
      .filter(({ name }) => !unreadable.has(name))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((table) => describeTable(file.db, table, columnNames, examples))
      .join("\n\n");
  } finally {
    file.close();
  }
}

function describeTable(
  db: DatabaseSyncInstance,
  { name: table, sql }: SqliteTable,
  columnNames: ReadonlyMap<string, string>,
  examples: ExampleOptions,
): string {
  const columns = columnsIn(db, table);
  const keys = foreignKeysIn(db, table);
  const notes = tableNotes(sql);
  const primaryKey = columns.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk);
  const constraints = [
    ...(primaryKey.length === 0
      ? []
      : [`PRIMARY KEY (${primaryKey.map(({ name }) => quote(name)).join(", ")})`]),
    ...keys.map((key) => {
      const target = key.to === null ? "" : ` (${quote(key.to)})`;
      return `FOREIGN KEY (${quote(key.from)}) REFERENCES ${quote(key.table)}${target}`;
    }),
    ...notes.checks,
  ];
  const lines = [
    ...columns.map((column) => {
      const own = notes.columns.get(column.name.toLowerCase());
      const values = examples.none ? [] : exampleValues(db, table, column.name, examples);
      return {
        text: [quote(column.name), column.type.toLowerCase(), ...(own?.checks ?? [])].join(" ").trimEnd(),
        comment: comment(values, column, columnNames.get(`${table}.${column.name}`), own),
      };
    }),
    ...constraints.map((text) => ({ text, comment: "" })),
  ];
  const body = lines.map(
    ({ text, comment }, i) => `    ${text}${i < lines.length - 1 ? "," : ""}${comment && ` -- ${comment}`}`,
  );
  return `CREATE TABLE ${quote(table)} (\n${body.join("\n")}\n);`;
}

function comment(
  examples: readonly string[],
  { name }: SqliteColumn,
  readable: string | undefined,
  notes: ColumnNotes | undefined,
): string {
  const parts = [
    ...(readable === undefined || sameName(readable, name) ? [] : [readable]),
    ...(notes === undefined || notes.comment === "" ? [] : [notes.comment]),
    ...(examples.length === 0 ? [] : [`example: [${examples.join(", ")}]`]),
  ];
  return parts.join("; ");
}

/** None for a column whose values cannot be computed, or are too large. */
function exampleValues(
  db: DatabaseSyncInstance,
  table: string,
  column: string,
  { scannedRows = -1 }: ExampleOptions,
): string[] {
  const [t, c] = [quote(table), quote(column)];
  try {
    const rows = db
      .prepare(
        `SELECT CASE typeof(v) WHEN 'text' THEN substr(v, 1, ${MAX_EXAMPLE_CHARS + 1}) ELSE v END FROM
           (SELECT DISTINCT v FROM (SELECT ${c} AS v FROM (SELECT ${c} FROM ${t} LIMIT ${scannedRows})
              WHERE ${c} IS NOT NULL LIMIT ${SAMPLED_ROWS})
            WHERE typeof(v) <> 'blob' LIMIT ${EXAMPLES})`,
      )
      .all() as unknown as [bigint | number | string][];
    return rows.map(([v]) => {
      if (typeof v !== "string") return String(v);
      const short = v.length > MAX_EXAMPLE_CHARS ? `${v.slice(0, MAX_EXAMPLE_CHARS)}…` : v;
      return `'${short.replace(/\s+/g, " ")}'`;
    });
  } catch {
    return [];
  }
}

const sameName = (readable: string, name: string) => normalised(readable) === normalised(name);
const normalised = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, "");

/** Plain identifiers stay bare, as in BIRD's own schema files; anything else, keywords included, is quoted. */
function quote(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !KEYWORDS.has(name.toUpperCase())
    ? name
    : `"${name.replaceAll('"', '""')}"`;
}

/** SQL keywords that occur as names in BIRD's and other real databases and fail unquoted. */
const KEYWORDS = new Set(
  "ADD ALL ALTER AND AS BETWEEN CASE CHECK COLLATE COMMIT CONSTRAINT CREATE DEFAULT DELETE DISTINCT DROP ELSE ESCAPE EXISTS FOREIGN FROM GROUP HAVING IN INDEX INSERT INTO IS JOIN LIMIT NOT NULL ON OR ORDER PRIMARY REFERENCES SELECT SET TABLE THEN TO TRANSACTION UNION UNIQUE UPDATE USING VALUES WHEN WHERE".split(
    " ",
  ),
);
