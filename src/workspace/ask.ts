/** Answers a question with the manual, and records feedback on the answer. */
import { type SqlExecutor, type SqlFailure, type SqlTable, sameRows } from "../bird/sql/executor.js";
import { LseError } from "../errors.js";
import { FolderLock } from "../lib/folder-lock.js";
import { hashJson } from "../lib/hash.js";
import type { LanguageModel, Sampling } from "../model.js";
import { AskedLog, type AskedQuestion } from "./asked.js";
import type { Workspace } from "./folder.js";
import { formOf } from "./forms.js";
import { type Put, QuestionFile } from "./questions.js";

/** Most rows of an answer that are returned; all are counted. */
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
 * Asks a question with the manual, or with the seed instructions where there is none yet, runs its SQL, and
 * records both.
 * @throws LseError if the database cannot be used, or the prompt does not fit the context
 */
export async function ask(
  folder: Workspace,
  { question, evidence }: { readonly question: string; readonly evidence: string },
  { model, sampling, executor }: AskWith,
): Promise<Answered> {
  const form = formOf(folder.config.prompts, folder.config.engine);
  const instructions = folder.manual() ?? form.seedInstructions;
  const messages = form.prompt(folder.schema(), { question, evidence }, instructions);
  // Says what is wrong with the file before anything is generated; another question may be asked meanwhile.
  new AskedLog(folder.askedPath);
  // Fails for a database that cannot be used, before anything is generated.
  await executor.execute(folder.databasePath, "SELECT 1");
  // Always the likeliest answer, because only one is shown.
  const greedy = { ...sampling, temperature: 0 };
  const [completion] = await model.generate([{ messages, sampling: greedy, seed: 0, sample: 0 }]);
  const sql = form.answerOf(completion?.text ?? "");
  const result: SqlTable | SqlFailure =
    sql === ""
      ? { ok: false, kind: "refused", error: "the response has no query", seconds: 0 }
      : await executor.fetch(folder.databasePath, sql, MOST_ROWS);
  const outcome = result.ok ? { error: null, rows: result.rows } : { error: result.error, rows: null };
  const log = new AskedLog(folder.askedPath);
  const asked = log.ask({ question, evidence, sql, ...outcome, manual: hashJson(instructions).slice(0, 12) });
  return { asked, result };
}

/** What feedback has changed. */
export interface FeedbackGiven {
  readonly asked: AskedQuestion;
  /** What was done to `questions.yaml`; "nothing" if the right SQL is not known. */
  readonly done: Put | "nothing";
  /** Whether the corrected SQL returns the same rows as the answer. */
  readonly sameRows: boolean;
}

/**
 * Records whether an answer was right, and adds the question to `questions.yaml` if the right SQL is known. A
 * correction is run first.
 * @param options `id` is the number of the question, by default the last one; `sql` is the corrected query
 * @throws LseError for a correction that fails, and for an answer that cannot be right
 */
export async function giveFeedback(
  folder: Workspace,
  verdict: "right" | "wrong",
  options: { readonly id?: number | undefined; readonly sql?: string | undefined },
  executor: SqlExecutor,
): Promise<FeedbackGiven> {
  const { id, sql } = options;
  using _lock = FolderLock.take(folder.path, "lse ask --feedback");
  const log = new AskedLog(folder.askedPath);
  const asked = log.find(id);
  if (verdict === "right" && sql !== undefined)
    throw new LseError(
      "a right answer needs no other SQL",
      "Leave `sql` out, or say that the answer is wrong",
    );
  if (verdict === "right" && asked.error !== null)
    throw new LseError(
      `the SQL of question ${asked.id} fails, so the answer is not right: ${asked.error}`,
      "Say that it is wrong, and give the right query in `sql` if you know it",
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

/** @returns whether it returns the same rows as the answer @throws LseError if it fails */
async function requireRunning(folder: Workspace, sql: string, asked: AskedQuestion, executor: SqlExecutor) {
  const right = await executor.execute(folder.databasePath, sql);
  if (!right.ok)
    throw new LseError(`the corrected SQL fails: ${right.error}`, "Correct it; nothing was recorded");
  if (asked.error !== null) return false;
  return sameRows(right, await executor.execute(folder.databasePath, asked.sql));
}
