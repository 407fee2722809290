/** Writes the schema text of a workspace's database, as `schema.sql` gets it. */
import { type SqlEngine, SqlExecutor } from "../bird/sql/executor.js";
import { isolated, WorkFailed } from "../bird/sql/isolated.js";
import { LseError } from "../errors.js";
import { tableText } from "../mini/prompts.js";
import type { describeFile } from "./describe-database.js";
import type { Described, DescribeOptions } from "./described.js";
import type { Prompts } from "./folder.js";

/** Rows of a table that are searched for example values, so that even a column of NULLs costs no full scan. */
const SCANNED_ROWS = 10_000;

/** Longest schema with example values, in characters: about a third of the usual context of 16,384 tokens. */
const MOST_WITH_EXAMPLES = 24_000;

/** Limits of the process that reads the database. */
const LIMITS = { memoryMb: 1024, timeoutMs: 60_000 };

/** The schema text of a database. */
export interface DescribedDatabase {
  readonly text: string;
  readonly tables: number;
  /** Why example values were left out, in words; null if they were not. */
  readonly cut: string | null;
  /** Views that cannot be read, and why; the schema is without them. */
  readonly broken: Described["broken"];
}

/** @throws LseError for a file that is not a database, has changes that are not in it yet, or has no tables */
export async function describeDatabase(
  path: string,
  engine: SqlEngine,
  prompts: Prompts,
): Promise<DescribedDatabase> {
  await requireReadable(path, engine);
  const { tables, text, cut, broken } = await described(path, engine);
  if (tables.length === 0)
    throw new LseError(`${path}: this database has no tables`, "Fill it first, then run `lse init` again");
  const mini = () => tables.map(({ name, columns }) => tableText(name, columns)).join("\n");
  return { text: prompts === "mini" ? mini() : text, tables: tables.length, cut, broken };
}

/** Opens the file as queries will, for the executor's errors: no file, changes that are not in it yet, damage. */
async function requireReadable(path: string, engine: SqlEngine): Promise<void> {
  await using executor = new SqlExecutor({ engine, processes: 1, limits: { memoryMb: LIMITS.memoryMb } });
  const result = await executor.execute(path, "SELECT count(*) FROM sqlite_master");
  if (!result.ok) throw new LseError(`${path}: ${result.error}`, "Check the file");
}

/** With example values, unless the schema is long enough without them, or they take too much to compute. */
async function described(path: string, engine: SqlEngine): Promise<Described & { cut: string | null }> {
  const describe = (options: Omit<DescribeOptions, "memoryMb">) =>
    isolated<typeof describeFile>(
      new URL("./describe-database.js", import.meta.url).href,
      "describeFile",
      [path, engine, { ...options, memoryMb: LIMITS.memoryMb }],
      LIMITS,
    );
  try {
    try {
      const whole = await describe({ scannedRows: SCANNED_ROWS, none: false });
      if (whole.text.length <= MOST_WITH_EXAMPLES) return { ...whole, cut: null };
      return { ...(await describe({ scannedRows: 0, none: true })), cut: "it is long already" };
    } catch (error) {
      if (!(error instanceof WorkFailed)) throw error;
      const plain = await describe({ scannedRows: 0, none: true });
      return { ...plain, cut: `they could not be read: ${error.message}` };
    }
  } catch (cause) {
    if (!(cause instanceof WorkFailed)) throw cause;
    const next =
      engine === "sqlite" ? "Check it with `PRAGMA integrity_check`" : "Check it with DuckDB itself";
    throw new LseError(`${path}: its schema cannot be read (${cause.message})`, next, { cause });
  }
}
