/** Finds changes of a database that are in files beside it, and not yet in the database file itself. */
import { realpathSync, statSync } from "node:fs";
import { LseError } from "../../errors.js";

/** Journals of SQLite and DuckDB, by the ends of their names. */
const JOURNALS = ["-journal", "-wal", ".wal"];

/** @throws {LseError} when there are such changes, Error when there is no such file */
export function requireNoChanges(path: string): void {
  // Behind a link, changes lie beside the file that it leads to.
  for (const file of new Set([path, realpathSync(path)])) {
    for (const end of JOURNALS) {
      if ((statSync(file + end, { throwIfNoEntry: false })?.size ?? 0) === 0) continue;
      throw new LseError(
        `The database ${path} has changes that are not yet in it (${file}${end})`,
        "Close the program that writes to it, or open and close it once with that program",
      );
    }
  }
}
