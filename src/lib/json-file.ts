/** Reading and checking JSON, with errors that name file and field. */
import { readFileSync } from "node:fs";
import type { z } from "zod";
import { LseError } from "../errors.js";

/** @throws LseError naming the file, for unreadable files and malformed JSON alike */
export function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LseError(`${path}: cannot read it (${why})`, "Check the path and its permissions", { cause });
  }
  return parseJson(text, path);
}

/** An object of named fields in a JSON file. @throws LseError naming the file, for anything else */
export function readJsonObject(path: string): Readonly<Record<string, unknown>> {
  const value = readJson(path);
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>;
  throw new LseError(`${path}: not a JSON object`, 'Give a file that begins with "{" and has named fields');
}

/** @param origin what the text is, for the error message: a file, a line of one */
export function parseJson(text: string, origin: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.replace(/\s+/g, " ") : String(cause);
    throw new LseError(`${origin}: not valid JSON (${why})`, "Correct the file or fetch it again", { cause });
  }
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
