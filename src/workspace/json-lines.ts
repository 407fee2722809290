/** Reads JSON lines into a table of texts: a column for each key, numbers as they are written. */
import { LseError } from "../errors.js";
import { parseJson } from "../lib/json-file.js";
import { namesOf } from "./csv-table.js";
import { encodingOfFile, NotUtf8, textOf } from "./decoded-text.js";
import type { TextTable } from "./text-table.js";

/**
 * Reads a file that has an object in each line. Lists and objects in it become JSON texts.
 * @throws LseError naming file and line
 */
export async function readJsonLines(path: string, table: TextTable): Promise<void> {
  // Whether any value of a column is a text.
  const columns = new Map<string, boolean>();
  for await (const row of rowsOf(path))
    for (const [key, value] of Object.entries(row))
      columns.set(key, columns.get(key) === true || (typeof value === "string" && !value.startsWith(NUMBER)));
  if (columns.size === 0) throw new LseError(`${path}: it has no rows`, "Give an object in each line");
  const keys = [...columns.keys()];
  const names = namesOf(keys);
  await table.begin(keys.map((key, i) => ({ name: names[i] as string, isText: columns.get(key) === true })));
  for await (const row of rowsOf(path)) table.append(keys.map((key) => textOfValue(row[key])));
}

/** Before the text of a number. JSON has this character in texts only as an escape. */
const NUMBER = "\u0001";

/** A text, a number, or what Python writes for a number that is missing. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*|-?Infinity|NaN/gs;

async function* rowsOf(path: string): AsyncGenerator<Readonly<Record<string, unknown>>> {
  let line = 0;
  for await (const text of linesOf(path)) {
    line++;
    if (text.trim() === "") continue;
    const origin = `${path}: line ${line}`;
    const plain = text
      .replace(/^\ufeff/, "")
      .replace(TOKEN, (token) => (/NaN|Inf/.test(token) && token[0] !== '"' ? "null" : token));
    parseJson(plain, origin);
    const row: unknown = JSON.parse(
      plain.replace(TOKEN, (token) => (token[0] === '"' ? token : `"\\u0001${token}"`)),
    );
    if (typeof row !== "object" || row === null || Array.isArray(row))
      throw new LseError(`${origin}: not an object`, "Give an object in each line");
    if (text.includes("\\u0000")) throw new LseError(`${origin}: a value has the character NUL`, "Remove it");
    yield row as Record<string, unknown>;
  }
}

async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = "";
  try {
    for await (const piece of textOf(path, await encodingOfFile(path))) {
      const lines = (rest + piece).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
  } catch (error) {
    if (!(error instanceof NotUtf8)) throw error;
    throw new LseError(`${path}: not a text in UTF-8`, "Save it as UTF-8", { cause: error });
  }
  yield rest;
}

function textOfValue(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "string") return value.startsWith(NUMBER) ? value.slice(1) : value;
  return JSON.stringify(value).replace(/"\\u0001([^"]*)"/g, "$1");
}
