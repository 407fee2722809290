/** Reads and writes files of predicted queries, in both published forms. */
import { z } from "zod";
import { LseError } from "../errors.js";
import { readJson } from "../lib/json-file.js";
import type { BirdData, BirdQuestion } from "./dataset.js";

/** A question and the SQL that a system answered it with. */
export interface Prediction {
  readonly question: BirdQuestion;
  readonly sql: string;
}

/** Between SQL and database name in the official format (bird-bench/mini_dev, evaluation_utils.py:75-93). */
const SEPARATOR = "\t----- bird -----\t";

const listSchema = z.array(
  z.object({
    question_id: z.int(),
    db_id: z.string(),
    predicted_sql: z.string().nullable(),
  }),
);

const officialSchema = z.record(z.string().regex(/^\d+$/), z.union([z.string(), z.number(), z.null()]));

/**
 * Reads predictions in either published form: the official object of `"row": "SQL\t----- bird -----\tdb_id"`,
 * whose keys are row numbers of the question file, or an array of `{question_id, db_id, predicted_sql}`. Only
 * the questions a file names are scored.
 * @throws LseError naming the entry that has no question
 */
export function readPredictions(path: string, data: BirdData): Prediction[] {
  const json = readJson(path);
  const list = listSchema.safeParse(json);
  if (list.success) {
    return list.data.map(({ question_id, db_id, predicted_sql }, index) => {
      const question = data.questions.find((q) => q.questionId === question_id && q.dbId === db_id);
      if (question === undefined) {
        throw unknown(path, `entry ${index}`, `question_id ${question_id} of ${db_id}`, data);
      }
      return { question, sql: predicted_sql ?? "" };
    });
  }
  const official = officialSchema.safeParse(json);
  if (!official.success) {
    throw new LseError(
      `${path}: not a prediction file`,
      `Give an object of "index": "SQL${JSON.stringify(SEPARATOR).slice(1, -1)}db_id", or an array of {question_id, db_id, predicted_sql}`,
    );
  }
  return Object.entries(official.data).map(([row, value]) => {
    const question = data.questions[Number(row)];
    if (question === undefined) throw unknown(path, `entry "${row}"`, `row ${row}`, data);
    const [sql, dbId] = typeof value === "string" ? value.split(SEPARATOR) : [""];
    if (dbId !== undefined && dbId.trim() !== question.dbId) {
      throw new LseError(
        `${path}: entry "${row}" is about ${dbId.trim()}, but row ${row} of ${data.questionsPath} is about ${question.dbId}`,
        "Set `task.data` to the question file that these predictions answer",
      );
    }
    return { question, sql: sql ?? "" };
  });
}

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
