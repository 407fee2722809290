/** Reads and writes files of predicted queries, in both published forms. */
import { z } from "zod";
import { LseError } from "../errors.js";
import { checked, readRecords } from "../lib/json-file.js";
import { type BirdData, type BirdQuestion, byNumber, numberKey } from "./dataset.js";

/** A question and the SQL that a system answered it with. */
export interface Prediction {
  readonly question: BirdQuestion;
  readonly sql: string;
}

/** Between SQL and database name in the official format (bird-bench/mini_dev, evaluation_utils.py:75-93). */
const SEPARATOR = "\t----- bird -----\t";

const FORMS = `Give an object of "index": "SQL${JSON.stringify(SEPARATOR).slice(1, -1)}db_id", or an array of {question_id, db_id, predicted_sql}`;

const rowSchema = z.object({
  question_id: z.union([z.int(), z.string().regex(/^\d+$/).transform(Number)]),
  db_id: z.string(),
  predicted_sql: z.string().nullable(),
});

/**
 * Reads predictions in either published form: the official object of `"row": "SQL\t----- bird -----\tdb_id"`,
 * whose keys are row numbers of the question file, or an array or JSON lines of `{question_id, db_id, predicted_sql}`.
 * The n-th entry with a question number is about the n-th question with that number. Only the questions a file names are
 * scored. What is not a text is no query.
 * @throws LseError naming the entry that has no question, or the field that is malformed
 */
export function readPredictions(path: string, data: BirdData): Prediction[] {
  const json = readRecords(path);
  if (typeof json !== "object" || json === null) throw new LseError(`${path}: not a prediction file`, FORMS);
  const predictions = Array.isArray(json) ? fromList(path, json, data) : fromOfficial(path, json, data);
  if (predictions.length === 0)
    throw new LseError(`${path}: has no predictions`, "Give at least one; a question without one is null");
  return predictions;
}

function fromList(path: string, list: readonly unknown[], data: BirdData): Prediction[] {
  const questionsOf = byNumber(data.questions);
  const used = new Map<string, number>();
  return list.map((raw, index) => {
    const entry = `entry ${index}`;
    const row = checked(
      rowSchema,
      raw,
      `${path}: ${entry}`,
      "Entries have question_id, db_id and predicted_sql",
    );
    const key = numberKey({ questionId: row.question_id, dbId: row.db_id });
    const named = `question_id ${row.question_id} of ${row.db_id}`;
    const questions = questionsOf.get(key);
    if (questions === undefined) throw unknown(path, entry, named, data);
    const count = used.get(key) ?? 0;
    used.set(key, count + 1);
    const question = questions[count];
    if (question === undefined)
      throw new LseError(
        `${path}: ${entry}: one prediction too many for ${named}, which ${data.questionsPath} has ${times(count)}`,
        "Leave one of them out",
      );
    return { question, sql: row.predicted_sql ?? "" };
  });
}

function fromOfficial(path: string, rows: object, data: BirdData): Prediction[] {
  return Object.entries(rows).map(([row, value]) => {
    const entry = `entry "${row}"`;
    if (!/^(0|[1-9]\d*)$/.test(row)) throw new LseError(`${path}: ${entry}: not the number of a row`, FORMS);
    const question = data.questions[Number(row)];
    if (question === undefined) throw unknown(path, entry, `row ${row}`, data);
    const [sql, dbId] = typeof value === "string" ? value.split(SEPARATOR) : [""];
    if (dbId !== undefined && dbId.trim() !== question.dbId) {
      throw new LseError(
        `${path}: ${entry} is about ${dbId.trim()}, but row ${row} of ${data.questionsPath} is about ${question.dbId}`,
        "Set `task.data` to the question file that these predictions answer",
      );
    }
    return { question, sql: sql ?? "" };
  });
}

const times = (count: number) => ["never", "once", "twice"][count] ?? `${count} times`;

/** The official format: keys are rows of the question file. */
export function formatPredictions(predictions: readonly Prediction[], data: BirdData): string {
  const rows = predictions.map(({ question, sql }) => [
    String(data.questions.indexOf(question)),
    `${sql}${SEPARATOR}${question.dbId}`,
  ]);
  return `${JSON.stringify(Object.fromEntries(rows), null, 4)}\n`;
}

function unknown(path: string, entry: string, what: string, data: BirdData): LseError {
  return new LseError(
    `${path}: ${entry}: ${data.questionsPath} has no ${what}`,
    "Set `task.data` to the question file that these predictions answer",
  );
}
