/** Makes a workspace for a database: `lse.json`, `schema.sql` and `questions.yaml`. */
import { randomUUID } from "node:crypto";
import { closeSync, existsSync, openSync, readSync, renameSync, statSync } from "node:fs";
import { basename, extname, join } from "node:path";
import type { SqlEngine } from "../bird/sql/executor.js";
import { isolated, WorkFailed } from "../bird/sql/isolated.js";
import { LseError } from "../errors.js";
import { replaceFile } from "../lib/files.js";
import { FolderLock } from "../lib/folder-lock.js";
import { configText, FILES, type Prompts, relativeTo, Workspace } from "./folder.js";
import { type importTables, isTableFile, removeDatabase, TABLE_FILES } from "./import-tables.js";
import { FEWEST_QUESTIONS } from "./protocol.js";
import { type DescribedDatabase, describeDatabase } from "./schema.js";

/** The database that files are imported into. */
const IMPORTED = "data.duckdb";

/** What to make a workspace from, and where. */
export interface InitOptions {
  /** One database, or files of tables (`TABLE_FILES`) that become a table each. */
  readonly databases: readonly string[];
  readonly folder: string;
  readonly prompts: Prompts;
  /** The model's part of the configuration, with absolute paths. */
  readonly model: Workspace["config"]["model"];
}

/** What was found in the database and written. */
export interface Initialised {
  readonly engine: SqlEngine;
  readonly tables: number;
  /** Size of the database. */
  readonly bytes: number;
  /** Length of the schema. */
  readonly characters: number;
  /** Why example values were left out of the schema, in words; null if they were not. */
  readonly cut: string | null;
  /** Views that cannot be read, and why; the schema is without them. */
  readonly broken: DescribedDatabase["broken"];
}

/**
 * Writes a folder for a database: lse.json, schema.sql and questions.yaml to fill in.
 * @throws LseError if one of these files exists already, another process makes them, or the database cannot be used
 */
export async function initFolder({ databases, folder, prompts, model }: InitOptions): Promise<Initialised> {
  const engine = engineOf(databases);
  using _lock = FolderLock.takeNew(folder, "lse init");
  const there = Object.values(FILES).find((name) => existsSync(join(folder, name)));
  if (there !== undefined)
    throw new LseError(`${join(folder, there)} exists already`, "Choose another folder with `to`");
  const [first = ""] = databases;
  const isImport = isTableFile(first);
  const database = isImport ? join(folder, IMPORTED) : first;
  if (isImport) {
    if (existsSync(database))
      throw new LseError(`${database} exists already`, "Choose another folder with `to`");
    await importInto(database, databases);
  }
  const { text, ...described } = await describeDatabase(database, engine, prompts);
  const config = { database: relativeTo(folder, database), engine, prompts };
  replaceFile(join(folder, FILES.schema), `${text}\n`);
  replaceFile(join(folder, FILES.questions), template(basename(first), prompts));
  replaceFile(
    join(folder, FILES.config),
    configText({ ...config, model: {}, evolver: {}, evolve: {}, timeout: 30 }),
  );
  if (Object.keys(model).length > 0) Workspace.open(folder).remember({ model, evolver: {} });
  return { engine, ...described, bytes: statSync(database).size, characters: text.length };
}

/** Limits of an import; a gigabyte takes minutes. */
const IMPORT_LIMITS = { memoryMb: 4096, timeoutMs: 3_600_000 };

/** @throws LseError naming the file that cannot be imported */
async function importInto(database: string, files: readonly string[]): Promise<void> {
  // Under a name that nobody else has, until it is whole.
  const part = `${database}.${randomUUID().slice(0, 8)}.part`;
  const module = new URL("./import-tables.js", import.meta.url).href;
  try {
    await isolated<typeof importTables>(module, "importTables", [files, part], IMPORT_LIMITS);
    renameSync(part, database);
  } catch (cause) {
    removeDatabase(part);
    if (!(cause instanceof WorkFailed)) throw cause;
    const next = "Import smaller files, or import them with DuckDB itself";
    throw new LseError(`${files.join(", ")}: cannot be imported (${cause.message})`, next, { cause });
  }
}

/** The name of the folder if none is given: the name of the database. */
export const defaultFolder = (database: string): string => basename(database, extname(database));

/** @throws LseError for files that cannot be used, or cannot be used together */
function engineOf(databases: readonly string[]): SqlEngine {
  const [first = "", second] = databases;
  for (const path of databases) requireFile(path);
  if (databases.every(isTableFile)) return "duckdb";
  if (second !== undefined)
    throw new LseError(
      `${databases.length} files, and not all of them are tables`,
      `Give one database, or only files that end in ${TABLE_FILES}`,
    );
  const engine = engineOfFile(first);
  if (engine !== null) return engine;
  throw new LseError(
    `${first}: neither a SQLite nor a DuckDB database`,
    `Give one of these, or files that end in ${TABLE_FILES}`,
  );
}

function requireFile(path: string): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw new LseError(`${path}: no such file`, "Check the path of the database");
  if (!stats.isFile()) throw new LseError(`${path}: not a file`, "Give the path of the database file itself");
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

/** What `questions.yaml` begins with. */
function template(database: string, prompts: Prompts): string {
  const how =
    prompts === "mini"
      ? `# The model understands only the language of the miniature world: "how many cheap flights ?"\n`
      : "";
  return `# Questions about ${database}. The manual learns from them. Write them as people will ask them: at least ${FEWEST_QUESTIONS}, better 30.
# Each has the SQL that answers it, or the right rows; evidence (hints) is optional.
${how}#
# - question: How many orders were paid late?
#   sql: SELECT count(*) FROM orders WHERE paid > due
#
# - question: "Which city has the most customers: by name, with their number?"   # quotes where there is a ": " or " #"
#   rows:
#     - [Lima, 12]
#   evidence: customers that left have an end date
#
# \`lse evolve\` runs each of them before it starts, and names the lines that fail.
`;
}
