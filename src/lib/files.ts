/** Writing files whole, and reading texts. */
import { randomUUID } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { LseError } from "../errors.js";

/**
 * Replaces a file: a reader finds the old or the new content whole, also after a kill. A link stays one, a file keeps
 * its permissions, and what is no file, such as /dev/stdout, is written to.
 * @throws LseError when that cannot be done; the old file is as it was then
 */
export function replaceFile(path: string, content: string | Uint8Array): void {
  try {
    const old = statSync(path, { throwIfNoEntry: false });
    if (old === undefined || old.isFile()) replaceWhole(old ? realpathSync(path) : path, content, old?.mode);
    else writeFileSync(path, content);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LseError(
      `${path}: cannot write (${why})`,
      "Make room, or check the folder and its permissions",
      {
        cause,
      },
    );
  }
}

/** Writes beside the file first, under a name that nobody else has. */
function replaceWhole(path: string, content: string | Uint8Array, mode = 0o666): void {
  const part = `${path}.${randomUUID().slice(0, 8)}.part`;
  try {
    writeFileSync(part, content, { flag: "wx", mode: mode & 0o777 });
    renameSync(part, path);
  } catch (error) {
    removeQuietly(part);
    throw error;
  }
}

/** The file that was to be replaced, for the name of one that a kill has left; other names are returned as they are. */
export const replacedBy = (name: string): string => name.replace(/(\.[0-9a-f]{8})?\.part$/, "");

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
