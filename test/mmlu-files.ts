import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { Field, Int64, List, Table, tableToIPC, Utf8, type Vector, vectorFromArray } from "apache-arrow";

/** A row of MMLU-Redux; a column that is left out is not in the file. */
export interface ReduxRow {
  question: string;
  choices: readonly string[];
  answer: number | null;
  error_type?: string | null;
  correct_answer?: string | number | null;
}

export const row = (over: Partial<ReduxRow> = {}): ReduxRow => ({
  question: "Which letter is second?",
  choices: ["a", "b", "c", "d"],
  answer: 1,
  error_type: "ok",
  correct_answer: null,
  ...over,
});

/** So many rows, each with a question of its own; the right letters are A, B, C, D, A … */
export const rows = (count: number) =>
  Array.from({ length: count }, (_, i) => row({ question: `Question ${i}?`, answer: i % 4 }));

/** A column of `correct_answer` is of integers when its first value is one. */
export function arrowBytes(rows: readonly ReduxRow[], form: "stream" | "file" = "stream"): Uint8Array {
  const integers = (values: readonly (number | null | undefined)[]) =>
    vectorFromArray(
      values.map((value) => (value == null ? null : BigInt(value))),
      new Int64(),
    );
  const texts = (values: readonly (string | null | undefined)[]) => vectorFromArray(values, new Utf8());
  const corrections = rows.map(({ correct_answer }) => correct_answer);
  const columns: Record<string, Vector> = {
    question: texts(rows.map(({ question }) => question)),
    choices: vectorFromArray(
      rows.map(({ choices }) => choices),
      new List(Field.new("item", new Utf8(), true)),
    ),
    answer: integers(rows.map(({ answer }) => answer)),
    error_type: texts(rows.map(({ error_type }) => error_type)),
    correct_answer:
      typeof corrections[0] === "number" ? integers(corrections as number[]) : texts(corrections as string[]),
  };
  return tableToIPC(new Table(columns), form);
}

/** Writes a file and the folders it lies in. */
export function put(path: string, content: string | Uint8Array | object): string {
  mkdirSync(dirname(path), { recursive: true });
  const isText = typeof content === "string" || content instanceof Uint8Array;
  writeFileSync(path, isText ? content : JSON.stringify(content));
  return path;
}

/** A subject's folder as `datasets` saves it. */
export function putSubject(folder: string, rows: readonly ReduxRow[], info: object = {}): void {
  const filename = "data-00000-of-00001.arrow";
  put(join(folder, filename), arrowBytes(rows));
  put(join(folder, "state.json"), { _data_files: [{ filename }], _split: null });
  put(join(folder, "dataset_info.json"), info);
}

/** Rows of any columns as a Parquet file. */
export async function putParquet(path: string, rows: readonly object[]): Promise<void> {
  const json = put(`${path}.json`, rows);
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  await connection.run(`COPY (FROM read_json('${json}')) TO '${path}' (FORMAT parquet)`);
  connection.closeSync();
  instance.closeSync();
}
