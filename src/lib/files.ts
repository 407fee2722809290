/** Writing files whole, and reading texts. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { LseError } from "../errors.js";

/** Replaces a file: a reader finds the old or the new content whole, also after a kill. */
export function replaceFile(path: string, content: string): void {
  try {
    writeFileSync(`${path}.part`, content);
    renameSync(`${path}.part`, path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    removeQuietly(`${path}.part`);
    throw new LseError(`${path}: cannot write (${why})`, "Make room, or check the folder's permissions", {
      cause,
    });
  }
}

/** What is left of a failed write takes room; the failure is what has to be told. */
function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // It stays then.
  }
}

/** Makes a folder and those above it, where they are missing. @throws LseError when that cannot be done */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LseError(
      `${path}: cannot make this folder (${why})`,
      "Give another, or check permissions and disk",
      {
        cause,
      },
    );
  }
}

/** Makes a folder that nobody else has made. @throws LseError for one that exists, or cannot be made */
export function makeNewFolder(path: string, nextStep: string): void {
  makeFolder(dirname(path));
  try {
    mkdirSync(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST")
      throw new LseError(`${path} exists already`, nextStep);
    makeFolder(path);
  }
}

/** A text without the blanks around it; null where there is no file. */
export const readText = (path: string): string | null =>
  existsSync(path) ? readFileSync(path, "utf8").trim() : null;
