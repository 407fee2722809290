/** Writes converted subjects as Hugging Face's `datasets` saves them. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LseError } from "../errors.js";
import { hashJson } from "../lib/hash.js";
import type { Subjects } from "./convert.js";
import type { ReduxRow } from "./reduce.js";

/**
 * Saves subjects the way `datasets` saves a dictionary of data sets: a folder each, with one Arrow file. The published
 * code and `findSubject` read it.
 * @throws LseError if the folder exists already
 */
export async function saveSubjects(folder: string, subjects: Subjects): Promise<void> {
  if (existsSync(folder)) throw new LseError(`${folder} exists already`, "Choose a new folder");
  mkdirSync(folder, { recursive: true });
  for (const [subject, rows] of subjects) {
    const home = join(folder, subject);
    mkdirSync(home);
    writeFileSync(join(home, FILE), await arrowStream(rows));
    writeJson(join(home, "state.json"), {
      _data_files: [{ filename: FILE }],
      _fingerprint: hashJson(rows).slice(0, 16),
      _split: null,
      _format_columns: null,
      _format_kwargs: {},
      _format_type: null,
      _output_all_columns: false,
    });
    writeJson(join(home, "dataset_info.json"), {
      citation: "",
      description: "",
      homepage: "",
      license: "",
      features: FEATURES,
    });
  }
  // Written last: when this file exists, all subjects do.
  writeJson(join(folder, "dataset_dict.json"), { splits: [...subjects.keys()] });
}

const FILE = "data-00000-of-00001.arrow";

const value = (dtype: string) => ({ dtype, _type: "Value" });
const FEATURES = {
  question: value("string"),
  choices: { feature: value("string"), _type: "Sequence" },
  answer: value("int64"),
  error_type: value("string"),
  source: value("string"),
  correct_answer: value("string"),
  potential_reason: value("string"),
};

async function arrowStream(rows: readonly ReduxRow[]): Promise<Uint8Array> {
  const { Field, Int64, List, Table, tableToIPC, Utf8, vectorFromArray } = await import("apache-arrow");
  const text = (name: Exclude<keyof ReduxRow, "choices" | "answer">) =>
    vectorFromArray(
      rows.map((row) => row[name]),
      new Utf8(),
    );
  const table = new Table({
    question: text("question"),
    choices: vectorFromArray(
      rows.map(({ choices }) => choices),
      new List(Field.new("item", new Utf8(), true)),
    ),
    answer: vectorFromArray(
      rows.map(({ answer }) => BigInt(answer)),
      new Int64(),
    ),
    error_type: text("error_type"),
    source: text("source"),
    correct_answer: text("correct_answer"),
    potential_reason: text("potential_reason"),
  });
  return tableToIPC(table, "stream");
}

const writeJson = (path: string, content: unknown) =>
  writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`);
