/** Imports CSV and Parquet files as tables of a DuckDB file. */
import { existsSync, renameSync, rmSync } from "node:fs";
import { basename, extname } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { LseError } from "../errors.js";

/** DuckDB's reader for each kind of file, by the end of its name. */
const READERS: Readonly<Record<string, string>> = {
  ".csv": "read_csv",
  ".tsv": "read_csv",
  ".parquet": "read_parquet",
};

export const isTableFile = (path: string): boolean => extname(path).toLowerCase() in READERS;

/**
 * Writes a DuckDB file with a table for each file, named like it.
 * @throws LseError naming the file that cannot be read, or two with the same name
 */
export async function importTables(files: readonly string[], target: string): Promise<void> {
  const names = files.map((file) => basename(file, extname(file)));
  const twice = names.find((name, i) => names.some((other, j) => j < i && same(other, name)));
  if (twice !== undefined)
    throw new LseError(`two of the files would become the table "${twice}"`, "Rename one of them");
  const part = `${target}.part`;
  rmSync(part, { force: true });
  const instance = await DuckDBInstance.create(part);
  const connection = await instance.connect();
  try {
    for (const [i, file] of files.entries()) {
      if (!existsSync(file)) throw new LseError(`${file}: no such file`, "Check the path");
      const reader = READERS[extname(file).toLowerCase()];
      const name = (names[i] as string).replaceAll('"', '""');
      try {
        await connection.run(
          `CREATE TABLE "${name}" AS SELECT * FROM ${reader}('${file.replaceAll("'", "''")}')`,
        );
      } catch (cause) {
        const why = (cause instanceof Error ? cause.message : String(cause)).split("\n")[0];
        throw new LseError(
          `${file}: cannot be imported (${why})`,
          "Correct the file, or import it with DuckDB itself",
          {
            cause,
          },
        );
      }
    }
  } catch (error) {
    connection.closeSync();
    instance.closeSync();
    rmSync(part, { force: true });
    throw error;
  }
  connection.closeSync();
  instance.closeSync();
  renameSync(part, target);
}

const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();
