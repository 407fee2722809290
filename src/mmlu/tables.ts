/** Reads Arrow, Parquet and JSON-lines files as rows of plain data. */
import { readFileSync } from "node:fs";
import { LseError } from "../errors.js";
import { parseJson } from "../lib/json-file.js";
import { readTextFile } from "../lib/text-file.js";

/** A row as plain data: lists are arrays, 64-bit integers are numbers, missing values are null. */
export type TableRow = Readonly<Record<string, unknown>>;

/**
 * Reads a table as the hubs publish them: Arrow (the stream that Hugging Face's `datasets` saves, or the file format),
 * Parquet, or JSON lines.
 * @throws LseError naming the file, if it is malformed, cut off or of another kind
 */
export async function readTable(path: string): Promise<TableRow[]> {
  if (path.endsWith(".arrow")) return await readArrow(path);
  if (path.endsWith(".parquet")) return await readParquet(path);
  if (path.endsWith(".jsonl")) return readJsonLines(path);
  throw new LseError(`${path}: unknown kind of file`, "Use a file that ends in .arrow, .parquet or .jsonl");
}

/** The end of a stream. Without this check, a file that was cut off between two batches would pass as a shorter one. */
const END_OF_STREAM = Buffer.from("ffffffff00000000", "hex");
/** The beginning and the end of a file in the file format. */
const FILE_MARK = Buffer.from("ARROW1");

async function readArrow(path: string): Promise<TableRow[]> {
  const { tableFromIPC, Vector } = await import("apache-arrow");
  const bytes = readFileSync(path);
  const isFile = bytes.subarray(0, FILE_MARK.length).equals(FILE_MARK);
  const end = isFile ? FILE_MARK : END_OF_STREAM;
  if (!bytes.subarray(-end.length).equals(end)) throw unreadable(path, "Arrow", "its end is missing");
  try {
    const plain = (value: unknown) => (value instanceof Vector ? [...value].map(asNumber) : asNumber(value));
    return tableFromIPC(bytes)
      .toArray()
      .map((row) => {
        const entries = Object.entries(row.toJSON() as TableRow);
        return Object.fromEntries(entries.map(([name, value]) => [name, plain(value)]));
      });
  } catch (cause) {
    throw unreadable(path, "Arrow", (cause as Error).message, { cause });
  }
}

async function readParquet(path: string): Promise<TableRow[]> {
  const { DuckDBInstance } = await import("@duckdb/node-api");
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    const reader = await connection.runAndReadAll("FROM read_parquet($path)", { path });
    return reader
      .getRowObjectsJS()
      .map((row) =>
        Object.fromEntries(Object.entries(row).map(([name, value]) => [name, asNumber(value)] as const)),
      );
  } catch (cause) {
    throw unreadable(path, "Parquet", (cause as Error).message.split("\n")[0] ?? "", { cause });
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function readJsonLines(path: string): TableRow[] {
  const lines = readTextFile(path).split("\n");
  return lines.flatMap((line, index) => {
    if (line.trim() === "") return [];
    const row = parseJson(line, `${path}: line ${index + 1}`);
    if (typeof row === "object" && row !== null) return [row as TableRow];
    throw new LseError(`${path}: line ${index + 1}: not an object`, "Correct the file, or download it again");
  });
}

const asNumber = (value: unknown) => (typeof value === "bigint" ? Number(value) : (value ?? null));

const unreadable = (path: string, kind: string, why: string, options?: ErrorOptions) =>
  new LseError(`${path}: not a complete ${kind} file (${why})`, "Download it again", options);
