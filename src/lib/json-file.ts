/** Reading and checking JSON, with errors that name file, place and field. */
import type { z } from "zod";
import { LseError } from "../errors.js";
import { placeOfError } from "./json-place.js";
import { readTextFile } from "./text-file.js";

/** @throws LseError naming the file, for unreadable files and malformed JSON alike */
export const readJson = (path: string): unknown => parseJson(readTextFile(path), path);

/** An object of named fields in a JSON file. @throws LseError naming the file, for anything else */
export function readJsonObject(path: string): Readonly<Record<string, unknown>> {
  const value = readJson(path);
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>;
  throw new LseError(`${path}: not a JSON object`, 'Give a file that begins with "{" and has named fields');
}

/**
 * @param origin what the text is, for the error message: a file, a line of one
 * @throws LseError naming origin and place
 */
export function parseJson(text: string, origin: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw notJson(text, origin, cause);
  }
}

/**
 * Reads a JSON document, or JSON lines as an array, as Python writes them: `NaN`, `Infinity` and `-Infinity`, which
 * `json.dump` writes for missing numbers, are null.
 * @throws LseError naming file and place
 */
export function readRecords(path: string): unknown {
  const text = readTextFile(path);
  const isNamedLines = /\.(jsonl|ndjson)$/i.test(path) && !/^\s*\[/.test(text);
  try {
    if (!isNamedLines) return parsePython(text);
  } catch (cause) {
    const first = text.split("\n").find((line) => line.trim() !== "") ?? "";
    const isLines = /^\s*\{.*\}\s*$/.test(first) && text.trim() !== first.trim();
    if (!isLines) throw notJson(text, path, cause);
  }
  return text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    try {
      return [parsePython(line)];
    } catch (cause) {
      throw notJson(line, `${path}: line ${index + 1}`, cause);
    }
  });
}

function parsePython(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return JSON.parse(
      text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"|-?Infinity|NaN/gs, (token) =>
        token.startsWith('"') ? token : "null",
      ),
    );
  }
}

function notJson(text: string, origin: string, cause: unknown): LseError {
  const why = (cause instanceof Error ? cause.message : String(cause))
    .replace(/ in JSON at position .*$/s, "")
    .replace(/\s+/g, " ");
  const problem = text.trim() === "" ? "it is empty" : `not valid JSON at ${placeOfError(text)} (${why})`;
  return new LseError(`${origin}: ${problem}`, "Correct the file or fetch it again", { cause });
}

/**
 * What a schema makes of a value.
 * @param origin where the value is from, for the error message
 * @param nextStep what to do when it does not fit
 * @throws LseError naming origin and field
 */
export function checked<T>(schema: z.ZodType<T>, value: unknown, origin: string, nextStep: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  if (issue?.code === "invalid_type" && issue.message.endsWith("received undefined"))
    throw new LseError(`${origin}: field ${issue.path.join(".")}: it is missing`, "Add it");
  throw new LseError(
    `${origin}: field ${issue?.path.join(".") || "(whole file)"}: ${issue?.message}`,
    nextStep,
  );
}
