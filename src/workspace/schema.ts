/** Writes the schema text of a workspace's database, as `schema.sql` gets it. */
import { pathToFileURL } from "node:url";
import { DatabaseSync } from "@photostructure/sqlite";
import { describeSchema } from "../bird/schema.js";
import { type SqlEngine, SqlExecutor } from "../bird/sql/executor.js";
import { LseError } from "../errors.js";
import { tableText } from "../mini/prompts.js";
import { describeDuckDb, duckDbTables } from "./duckdb-schema.js";
import type { Prompts } from "./folder.js";

/** Rows of a table that are searched for example values, so that even a column of NULLs costs no full scan. */
const SCANNED_ROWS = 10_000;

/** Longest schema with example values, in characters: about a third of the usual context of 16,384 tokens. */
const MOST_WITH_EXAMPLES = 24_000;

/** The schema text of a database. */
export interface DescribedDatabase {
  readonly text: string;
  readonly tables: number;
  /** Whether example values were left out, because the schema is long enough without them. */
  readonly isCut: boolean;
}

/** @throws LseError for a file that is not a database, has changes that are not in it yet, or has no tables */
export async function describeDatabase(
  path: string,
  engine: SqlEngine,
  prompts: Prompts,
): Promise<DescribedDatabase> {
  const described = await (engine === "duckdb"
    ? describeWith(path, prompts, DUCKDB)
    : describeSqlite(path, prompts));
  if (described.tables > 0) return described;
  throw new LseError(`${path}: this database has no tables`, "Fill it first, then run `lse init` again");
}

async function describeSqlite(path: string, prompts: Prompts): Promise<DescribedDatabase> {
  await requireReadable(path);
  try {
    return await describeWith(path, prompts, SQLITE);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LseError(
      `${path}: its schema cannot be read (${why})`,
      "Check it with `PRAGMA integrity_check`",
      {
        cause,
      },
    );
  }
}

/** Opens the file as queries will, for the executor's errors: no file, changes that are not in it yet, damage. */
async function requireReadable(path: string): Promise<void> {
  await using executor = new SqlExecutor({ processes: 1 });
  const result = await executor.execute(path, "SELECT count(*) FROM sqlite_master");
  if (!result.ok) throw new LseError(`${path}: ${result.error}`, "Check the file");
}

/** How an engine describes a database file. */
interface Describer {
  tables(path: string): Promise<readonly { readonly name: string; readonly columns: readonly string[] }[]>;
  text(path: string, options: { scannedRows: number; none: boolean }): Promise<string>;
}

async function describeWith(
  path: string,
  prompts: Prompts,
  describer: Describer,
): Promise<DescribedDatabase> {
  const tables = await describer.tables(path);
  if (prompts === "mini") {
    const text = tables.map(({ name, columns }) => tableText(name, columns)).join("\n");
    return { text, tables: tables.length, isCut: false };
  }
  const whole = await describer.text(path, { scannedRows: SCANNED_ROWS, none: false });
  const isCut = whole.length > MOST_WITH_EXAMPLES;
  const text = isCut ? await describer.text(path, { scannedRows: 0, none: true }) : whole;
  return { text, tables: tables.length, isCut };
}

const DUCKDB: Describer = { tables: duckDbTables, text: describeDuckDb };

const SQLITE: Describer = {
  tables: async (path) =>
    inSqlite(path, (db) =>
      objects(db).flatMap(({ name, type }) => {
        const columns = columnsOf(db, name);
        // A view of a table that no longer exists.
        return columns.length === 0 && type === "view" ? [] : [{ name, columns }];
      }),
    ),
  text: async (path, options) => {
    const tables = describeSchema(immutable(path), new Map(), options);
    const views = inSqlite(path, (db) =>
      objects(db).filter(({ type, name }) => type === "view" && columnsOf(db, name).length > 0),
    );
    return [tables, ...views.map(({ sql }) => `${sql};`)].filter((text) => text !== "").join("\n\n");
  },
};

function columnsOf(db: InstanceType<typeof DatabaseSync>, table: string): string[] {
  try {
    const columns = db.prepare("SELECT name FROM pragma_table_info(?)").all(table) as unknown as Named[];
    return columns.map(({ name }) => name);
  } catch {
    return [];
  }
}

interface Named {
  readonly name: string;
}

/** Tables and views in the order in which they were made. */
function objects(db: InstanceType<typeof DatabaseSync>) {
  return db
    .prepare(
      "SELECT type, name, sql FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type, rowid",
    )
    .all() as unknown as { type: "table" | "view"; name: string; sql: string }[];
}

/** As the executor opens it: without locks and without creating files beside it. */
const immutable = (path: string) => `${pathToFileURL(path).href}?immutable=1`;

function inSqlite<T>(path: string, work: (db: InstanceType<typeof DatabaseSync>) => T): T {
  const db = new DatabaseSync(immutable(path), { readOnly: true });
  try {
    return work(db);
  } finally {
    db.close();
  }
}
