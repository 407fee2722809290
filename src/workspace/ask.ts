/** A question answered with the manual, and feedback on the answer. */
import { type SqlExecutor, type SqlFailure, type SqlTable, sameRows } from "../bird/sql/executor.js";
import { LseError } from "../errors.js";
import { hashJson } from "../lib/hash.js";
import type { LanguageModel, Sampling } from "../model.js";
import { AskedLog, type AskedQuestion } from "./asked.js";
import type { Workspace } from "./folder.js";
import { formOf } from "./forms.js";
import { type Put, QuestionFile } from "./questions.js";

/** Rows of an answer that are handed over; all are counted. */
const MOST_ROWS = 1000;

/** A question with the SQL that the model wrote, and what it returned. */
export interface Answered {
  readonly asked: AskedQuestion;
  readonly result: SqlTable | SqlFailure;
}

/** What a question is asked with. */
export interface AskWith {
  readonly model: LanguageModel;
  readonly sampling: Sampling;
  readonly executor: SqlExecutor;
}

/**
 * Asks a question with the manual, or with the seed instructions where there is none yet, executes the answer and
 * records both.
 * @throws LseError where the database cannot be used, or the prompt does not fit the context
 */
export async function ask(
  folder: Workspace,
  { question, evidence }: { readonly question: string; readonly evidence: string },
  { model, sampling, executor }: AskWith,
): Promise<Answered> {
  const form = formOf(folder.config.prompts, folder.config.engine);
  const instructions = folder.manual() ?? form.seedInstructions;
  const messages = form.prompt(folder.schema(), { question, evidence }, instructions);
  const log = new AskedLog(folder.askedPath);
  // A database that cannot be used is found out before anything is generated.
  await executor.execute(folder.databasePath, "SELECT 1");
  // The likeliest answer: there is only one.
  const greedy = { ...sampling, temperature: 0 };
  const [completion] = await model.generate([{ messages, sampling: greedy, seed: 0, sample: 0 }]);
  const sql = form.answerOf(completion?.text ?? "");
  const result: SqlTable | SqlFailure =
    sql === ""
      ? { ok: false, kind: "refused", error: "the response has no query", seconds: 0 }
      : await executor.fetch(folder.databasePath, sql, MOST_ROWS);
  const outcome = result.ok ? { error: null, rows: result.rows } : { error: result.error, rows: null };
  const asked = log.ask({ question, evidence, sql, ...outcome, manual: hashJson(instructions).slice(0, 12) });
  return { asked, result };
}

/** What became of feedback. */
export interface FeedbackGiven {
  readonly asked: AskedQuestion;
  /** What became of `questions.yaml`; "nothing" where the right SQL is not known. */
  readonly done: Put | "nothing";
  /** Whether the corrected SQL returns the same rows as the answer. */
  readonly sameRows: boolean;
}

/**
 * Records whether an answer was right, and adds the question to questions.yaml where the right SQL is known. A
 * correction is executed first.
 * @param options `id` is that of the question, the last one if it is left out; `sql` the corrected query
 * @throws LseError for a correction that fails, and for an answer that cannot be right
 */
export async function giveFeedback(
  folder: Workspace,
  verdict: "right" | "wrong",
  options: { readonly id?: number | undefined; readonly sql?: string | undefined },
  executor: SqlExecutor,
): Promise<FeedbackGiven> {
  const { id, sql } = options;
  const log = new AskedLog(folder.askedPath);
  const asked = log.find(id);
  if (verdict === "right" && sql !== undefined)
    throw new LseError("an answer that is right needs no other SQL", "Leave `sql` out, or say wrong");
  if (verdict === "right" && asked.error !== null)
    throw new LseError(
      `the answer to question ${asked.id} fails, so it is not right: ${asked.error}`,
      "Say wrong, with `sql` if you know what is right",
    );
  const isSame = sql !== undefined && (await requireRunning(folder, sql, asked, executor));
  const gold = verdict === "right" ? asked.sql : sql;
  const done =
    gold === undefined
      ? "nothing"
      : new QuestionFile(folder.questionsPath).put(asked.question, asked.evidence, gold);
  log.say({ id: asked.id, verdict, sql: gold ?? null });
  return { asked, done, sameRows: isSame };
}

/** @returns whether it returns the rows that the answer does @throws LseError where it fails */
async function requireRunning(folder: Workspace, sql: string, asked: AskedQuestion, executor: SqlExecutor) {
  const right = await executor.execute(folder.databasePath, sql);
  if (!right.ok)
    throw new LseError(`the corrected SQL fails: ${right.error}`, "Correct it; nothing was recorded");
  if (asked.error !== null) return false;
  return sameRows(right, await executor.execute(folder.databasePath, asked.sql));
}
