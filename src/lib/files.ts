/** Writing files whole, and reading texts. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { LseError } from "../errors.js";

/** Replaces a file: a reader finds the old or the new content whole, also after a kill. */
export function replaceFile(path: string, content: string): void {
  try {
    writeFileSync(`${path}.part`, content);
    renameSync(`${path}.part`, path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LseError(`${path}: cannot write (${why})`, "Make room, or check the folder's permissions", {
      cause,
    });
  }
}

/** A text without the blanks around it; null where there is no file. */
export const readText = (path: string): string | null =>
  existsSync(path) ? readFileSync(path, "utf8").trim() : null;
