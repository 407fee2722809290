/** Finds the files of a subject in the folder layouts that are published. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, extname, join, resolve } from "node:path";
import { z } from "zod";
import { LseError } from "../errors.js";
import { checked, readJson } from "../lib/json-file.js";
import { nearest } from "../lib/nearest.js";
import { dataSetOf } from "./subjects.js";

const FETCH_AGAIN = "Download the folder again";

/** The files that hold the questions of one subject. */
export interface SubjectFiles {
  readonly subject: string;
  /** Arrow or Parquet files, in the order of their rows. */
  readonly paths: readonly string[];
  /** Their number of rows according to `dataset_info.json` beside them; null without that file. */
  readonly stated: { readonly rows: number; readonly path: string } | null;
}

/**
 * Finds a subject's files. A subject is a folder as Hugging Face's `datasets` saves it (`state.json` and Arrow files), a
 * folder with Parquet files of the hub, a folder that has either of these in a folder `test`, or a single file.
 * @param dataPath a folder of subjects, the folder of one, or a file
 * @param subject may be left out if there is only one. Gives a single file its name; without it, the file name does
 * @throws LseError if there is no such subject, with the most similar name
 */
export function findSubject(dataPath: string, subject: string | undefined): SubjectFiles {
  if (!existsSync(dataPath)) {
    throw new LseError(`${dataPath}: no such file or folder`, "Set `task.data` to a folder of subjects");
  }
  if (!statSync(dataPath).isDirectory()) {
    return { subject: subject ?? basename(dataPath, extname(dataPath)), paths: [dataPath], stated: null };
  }
  const own = basename(resolve(dataPath));
  const files = filesIn(dataPath);
  if (files !== null) {
    if (subject === undefined || subject === own) return { subject: own, ...files };
    throw new LseError(
      `${dataPath}: is the folder of the subject "${own}", not of "${subject}"`,
      "Set `task.data` to the folder above it, or leave `task.db` out",
    );
  }
  const names = subjectsIn(dataPath);
  const chosen =
    names.find((name) => name === subject) ??
    (subject === undefined && names.length === 1 ? names[0] : undefined);
  const found = chosen === undefined ? null : filesIn(join(dataPath, chosen));
  if (chosen === undefined || found === null) throw notFound(dataPath, subject, names);
  return { subject: chosen, ...found };
}

/** Names of the subjects in a folder, sorted, whether or not their files are complete. */
export function subjectsIn(folder: string): string[] {
  return foldersIn(folder)
    .filter((name) => [".", SPLIT].some((below) => hasFiles(join(folder, name, below))))
    .sort();
}

const foldersIn = (folder: string) =>
  readdirSync(folder).filter((name) => statSync(join(folder, name)).isDirectory());

const hasFiles = (folder: string) =>
  existsSync(folder) && readdirSync(folder).some((name) => DATA_FILE.test(name));

function notFound(dataPath: string, subject: string | undefined, names: readonly string[]): LseError {
  const list = names.join(", ");
  if (names.length === 0) {
    return new LseError(
      `${dataPath}: has no folder of a subject`,
      "Set `task.data` to a folder of subjects as Hugging Face's datasets saves them, the folder of one, or a Parquet file",
    );
  }
  if (subject === undefined) {
    return new LseError(`${dataPath}: has ${names.length} subjects`, `Choose one with \`task.db\`: ${list}`);
  }
  const known = dataSetOf(subject);
  return new LseError(
    `${dataPath}: has no subject "${subject}"`,
    known === undefined
      ? `Did you mean ${nearest(subject, names)}? Set \`task.db\` to one of ${list}`
      : `${known} has it: set \`task.data\` to that folder, or \`task.db\` to one of ${list}`,
  );
}

const stateSchema = z.object({
  _data_files: z.array(z.object({ filename: z.string().min(1) })).min(1),
  _split: z.string().nullish(),
});

const infoSchema = z.object({
  splits: z.record(z.string(), z.object({ num_examples: z.int().min(0) })).nullish(),
});

const DATA_FILE = /\.(arrow|parquet)$/;

/** The split whose questions are used, if a folder has several. */
const SPLIT = "test";

type Files = Omit<SubjectFiles, "subject">;

/** The data files directly in a folder or in its folder `test`; null if there are none. */
function filesIn(folder: string): Files | null {
  const statePath = join(folder, "state.json");
  if (existsSync(statePath)) {
    const { _data_files, _split } = checked(stateSchema, readJson(statePath), statePath, FETCH_AGAIN);
    const paths = _data_files.map(({ filename }) => join(folder, filename));
    const missing = paths.find((path) => !existsSync(path));
    if (missing !== undefined) throw incomplete(missing, `${statePath} names it`);
    return { paths, stated: statedRows(folder, _split ?? SPLIT) };
  }
  const names = readdirSync(folder).filter((name) => DATA_FILE.test(name));
  if (names.length > 0) {
    const shards = shardsOf(folder, names.sort());
    return shards && { paths: shards.map((name) => join(folder, name)), stated: statedRows(folder, SPLIT) };
  }
  const below = join(folder, SPLIT);
  return existsSync(below) && statSync(below).isDirectory() ? filesIn(below) : null;
}

/**
 * Of a folder's data files, those of its test split or of its only split: `test-00000-of-00002.parquet` and so on, the
 * hub's own `0000.parquet`, or a single file. Null for several files that are not parts of one table.
 */
function shardsOf(folder: string, names: readonly string[]): readonly string[] | null {
  if (names.every((name) => /^\d+\.parquet$/.test(name))) return names;
  const parts = names.map((name) => {
    const [, split, count] = /^(.+)-\d+-of-(\d+)\.\w+$/.exec(name) ?? [];
    return { name, split, count: Number(count) };
  });
  const [first, ...others] = new Set(parts.map(({ split }) => split));
  const split = others.length === 0 ? first : SPLIT;
  if (split === undefined) return names.length === 1 ? names : null;
  const shards = parts.filter((part) => part.split === split);
  if (shards[0] === undefined) return null;
  if (shards[0].count !== shards.length) {
    const why = `${shards.length} of ${shards[0].count} parts found`;
    throw incomplete(join(folder, shards[0].name), why);
  }
  return shards.map(({ name }) => name);
}

/** @param split whose rows are counted, unless the file has only one split */
function statedRows(folder: string, split: string): SubjectFiles["stated"] {
  const path = join(folder, "dataset_info.json");
  if (!existsSync(path)) return null;
  const { splits } = checked(infoSchema, readJson(path), path, FETCH_AGAIN);
  const counts = Object.values(splits ?? {});
  const rows = (splits?.[split] ?? (counts.length === 1 ? counts[0] : undefined))?.num_examples;
  return rows === undefined ? null : { rows, path };
}

const incomplete = (path: string, why: string) =>
  new LseError(`${path}: the data is incomplete (${why})`, FETCH_AGAIN);
