/** Converts MMLU-Pro and SuperGPQA into MMLU-Redux's form: which rows, and which subjects. */
import { z } from "zod";
import { LseError } from "../errors.js";
import { type Draws, type ReduxRow, reduceToFour } from "./reduce.js";
import { readTable } from "./tables.js";

/** Rows by subject; subjects in the order of their first rows. */
export type Subjects = ReadonlyMap<string, readonly ReduxRow[]>;

const wide = { question: z.string().min(1), options: z.array(z.string()).min(2) };

const proSchema = z.object({
  ...wide,
  answer_index: z.int().min(0),
  category: z.string(),
  src: z.string().nullable(),
});

/**
 * MMLU-Pro-Redux from MMLU-Pro: four choices a question, without the questions that are in MMLU already, a subject for
 * each category (data/scripts/convert_mmlu_pro_to_redux.py). The published set keeps nine of the categories.
 * @param path MMLU-Pro's test split
 * @throws LseError naming file, row and field of what is malformed
 */
export async function convertMmluPro(path: string, draws: Draws): Promise<Subjects> {
  const rows = await readWide(path, proSchema, ({ answer_index }) => answer_index);
  const fresh = rows.filter(({ src }) => src !== null && !src.startsWith("ori_mmlu"));
  return grouped(fresh, ({ category, answer_index, src, ...row }) => ({
    subject: slug(category) || "uncategorized",
    row: reduceToFour({ ...row, answer: answer_index, source: src ?? "" }, draws),
  }));
}

const gpqaSchema = z.object({
  ...wide,
  uuid: z.string().min(1),
  answer_letter: z.string().regex(/^[A-Z]$/),
  field: z.string().min(1),
  subfield: z.string().min(1),
});

/** How questions of SuperGPQA are divided into subjects. */
export interface SuperGpqaOptions {
  readonly by: "field" | "subfield";
  /** A subfield with fewer questions goes to its field. */
  readonly minimum: number;
}

/**
 * SuperGPQA with four choices a question, a subject for each field, or for each subfield that is large enough
 * (data/scripts/convert_supergpqa_to_subfield_redux.py). How the published code chose choices and fields is not known.
 * @param path SuperGPQA's only split, as JSON lines or Parquet
 * @throws LseError naming file, row and field of what is malformed
 */
export async function convertSuperGpqa(
  path: string,
  draws: Draws,
  { by, minimum }: SuperGpqaOptions,
): Promise<Subjects> {
  const indexOf = (letter: string) => letter.charCodeAt(0) - "A".charCodeAt(0);
  const rows = await readWide(path, gpqaSchema, ({ answer_letter }) => indexOf(answer_letter));
  const sizes = new Map<string, number>();
  for (const { subfield } of rows) sizes.set(subfield, (sizes.get(subfield) ?? 0) + 1);
  return grouped(rows, ({ uuid, answer_letter, field, subfield, ...row }) => ({
    subject: slug(by === "subfield" && (sizes.get(subfield) ?? 0) >= minimum ? subfield : field),
    row: reduceToFour({ ...row, answer: indexOf(answer_letter), source: `SuperGPQA-${uuid}` }, draws),
  }));
}

/** Rows that a schema accepts and whose answer is one of their options. */
async function readWide<T extends { readonly options: readonly string[] }>(
  path: string,
  schema: z.ZodType<T>,
  answerOf: (row: T) => number,
): Promise<T[]> {
  const rows = await readTable(path);
  return rows.map((raw, index) => {
    const parsed = schema.safeParse(raw);
    const issue = parsed.error?.issues[0];
    const outside = parsed.success && answerOf(parsed.data) >= parsed.data.options.length;
    if (parsed.success && !outside) return parsed.data;
    const why = outside
      ? "options: the answer is not among them"
      : `${issue?.path.join(".")}: ${issue?.message}`;
    throw new LseError(`${path}: row ${index}: field ${why}`, "Use the file as its authors publish it");
  });
}

function grouped<T>(items: readonly T[], convert: (item: T) => { subject: string; row: ReduxRow }): Subjects {
  const subjects = new Map<string, ReduxRow[]>();
  for (const item of items) {
    const { subject, row } = convert(item);
    const rows = subjects.get(subject);
    if (rows === undefined) subjects.set(subject, [row]);
    else rows.push(row);
  }
  return subjects;
}

/** "Computer Science & Engineering" as computer_science_engineering. */
const slug = (name: string) =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^_|_$/g, "");
