/** Making a workspace for a database. */
import { closeSync, existsSync, mkdirSync, openSync, readSync, statSync } from "node:fs";
import { basename, extname, join } from "node:path";
import type { SqlEngine } from "../bird/sql/executor.js";
import { LseError } from "../errors.js";
import { replaceFile } from "../lib/files.js";
import { configText, FILES, type Prompts, relativeTo, Workspace } from "./folder.js";
import { importTables, isTableFile } from "./import-tables.js";
import { FEWEST_QUESTIONS } from "./protocol.js";
import { describeDatabase } from "./schema.js";

/** Where tables of files are imported to. */
const IMPORTED = "data.duckdb";

/** Which database, and which folder beside it. */
export interface InitOptions {
  /** A database, or files with a table each. */
  readonly databases: readonly string[];
  readonly folder: string;
  readonly prompts: Prompts;
  /** The model's part of the configuration, with absolute paths. */
  readonly model: Workspace["config"]["model"];
}

/** What `lse init` has written. */
export interface Initialised {
  readonly engine: SqlEngine;
  readonly tables: number;
  /** Of the database. */
  readonly bytes: number;
  /** Length of the schema. */
  readonly characters: number;
  readonly isCut: boolean;
}

/**
 * Writes a folder for a database: lse.json, schema.sql and questions.yaml to fill in.
 * @throws LseError where one of them is there already, or the database cannot be used
 */
export async function initFolder({ databases, folder, prompts, model }: InitOptions): Promise<Initialised> {
  const there = Object.values(FILES).find((name) => existsSync(join(folder, name)));
  if (there !== undefined)
    throw new LseError(`${join(folder, there)} is there already`, "Give another folder with `to`");
  const isNew = !existsSync(folder);
  const engine = engineOf(databases);
  const [first = ""] = databases;
  const isImport = isTableFile(first);
  const database = isImport ? join(folder, IMPORTED) : first;
  if (isImport) {
    if (existsSync(database))
      throw new LseError(`${database} is there already`, "Give another folder with `to`");
    makeFolder(folder);
    await importTables(databases, database);
  }
  const { text, tables, isCut } = await describeDatabase(database, engine, prompts);
  if (isNew) makeFolder(folder);
  const config = { database: relativeTo(folder, database), engine, prompts };
  replaceFile(join(folder, FILES.schema), `${text}\n`);
  replaceFile(join(folder, FILES.questions), template(basename(first), prompts));
  replaceFile(
    join(folder, FILES.config),
    configText({ ...config, model: {}, evolver: {}, evolve: {}, timeout: 30 }),
  );
  if (Object.keys(model).length > 0) Workspace.open(folder).remember({ model, evolver: {} });
  return { engine, tables, bytes: statSync(database).size, characters: text.length, isCut };
}

/** The folder's name where none is given: that of the database. */
export const defaultFolder = (database: string): string => basename(database, extname(database));

/** @throws LseError for files that cannot be used, or not together */
function engineOf(databases: readonly string[]): SqlEngine {
  const [first = "", second] = databases;
  for (const path of databases) requireFile(path);
  if (databases.every(isTableFile)) return "duckdb";
  if (second !== undefined)
    throw new LseError(
      `${databases.length} files, and not all of them are CSV or Parquet`,
      "Give one database, or files with a table each",
    );
  const engine = engineOfFile(first);
  if (engine !== null) return engine;
  throw new LseError(
    `${first}: neither a SQLite nor a DuckDB database`,
    "Give one of these, or CSV or Parquet files (by these endings)",
  );
}

function requireFile(path: string): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw new LseError(`${path}: no such file`, "Check the path of the database");
  if (!stats.isFile()) throw new LseError(`${path}: not a file`, "Name the database's file itself");
}

/** By the first bytes. A file without any is an empty SQLite database. */
function engineOfFile(path: string): SqlEngine | null {
  const head = Buffer.alloc(16);
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LseError(`${path}: cannot read it (${why})`, "Check its permissions", { cause });
  }
  const length = readSync(file, head, 0, head.length, 0);
  closeSync(file);
  if (length === 0 || head.toString("latin1") === "SQLite format 3\0") return "sqlite";
  return head.toString("latin1", 8, 12) === "DUCK" ? "duckdb" : null;
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LseError(`${folder}: cannot be made (${why})`, "Give another folder with `to`", { cause });
  }
}

/** What `questions.yaml` begins with. */
function template(database: string, prompts: Prompts): string {
  const how =
    prompts === "mini" ? `# The model reads the miniature's language only: "how many cheap flights ?"\n` : "";
  return `# Questions about ${database}. The manual learns from them: write them as they will be asked, at least ${FEWEST_QUESTIONS}, better 30.
# Each has the SQL that answers it, or the rows that are right; hints are optional.
${how}#
# - question: How many orders were paid late?
#   sql: SELECT count(*) FROM orders WHERE paid > due
#
# - question: "Which city has the most customers: by name, with their number?"   # quotes where there is a ": " or " #"
#   rows:
#     - [Lima, 12]
#   evidence: customers that left have an end date
#
# \`lse evolve\` executes each of them before it begins, and names the lines that fail.
`;
}
