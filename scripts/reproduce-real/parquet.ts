/** Results as Parquet: rows of plain values, packed tightly. */
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { DuckDBInstance } from "@duckdb/node-api";

/** Replaces the file; a kill leaves the one of before. */
export async function writeRows(path: string, rows: readonly object[]): Promise<void> {
  const [lines, half] = [`${path}.jsonl`, `${path}.new`];
  writeFileSync(lines, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  try {
    await query(
      `COPY (FROM read_json('${lines}', format = 'newline_delimited', maximum_object_size = 100000000))
       TO '${half}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 19)`,
    );
    renameSync(half, path);
  } finally {
    rmSync(lines);
  }
}

export async function readRows<Row>(path: string): Promise<Row[]> {
  const rows = await query(`SELECT to_json(r)::VARCHAR FROM read_parquet('${path}') AS r`);
  return rows.map(([text]) => JSON.parse(String(text)) as Row);
}

async function query(sql: string): Promise<unknown[][]> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    return (await connection.runAndReadAll(sql)).getRowsJS() as unknown[][];
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
