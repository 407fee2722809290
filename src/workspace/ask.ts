/** Answers a question with the manual, and records feedback on the answer. */
import { type Attempt, attempt, type Subject } from "../answer/attempt.js";
import type { Strategy } from "../answer/strategy.js";
import { namesOf } from "../bird/names.js";
import type { QuestionText } from "../bird/prompts.js";
import { readQuery } from "../bird/reading.js";
import { type SqlExecutor, type SqlFailure, type SqlTable, sameRows } from "../bird/sql/executor.js";
import { LseError } from "../errors.js";
import { FolderLock } from "../lib/folder-lock.js";
import { hashJson } from "../lib/hash.js";
import type { LanguageModel, Sampling } from "../model.js";
import { AskedLog, type AskedQuestion } from "./asked.js";
import { askedPrompt } from "./asked-prompt.js";
import type { Workspace } from "./folder.js";
import { formOf } from "./forms.js";
import { type Put, QuestionFile } from "./questions.js";
import { NO_QUERY } from "./task.js";

/** Most rows of an answer that are returned; all are counted. */
const MOST_ROWS = 1000;

/** One meaning of a question: a query, how many of the draws agree with it, and what it returns. */
export interface MeantBy {
  readonly sql: string;
  /** From 0 to 1. */
  readonly share: number;
  readonly result: SqlTable | SqlFailure;
}

/** A question with the SQL that the model wrote, and what it returned. */
export interface Answered {
  readonly asked: AskedQuestion;
  readonly result: SqlTable | SqlFailure;
  /** The next most frequent result, where there is one. */
  readonly other: MeantBy | null;
}

/** What a question is asked with. */
export interface AskWith {
  readonly model: LanguageModel;
  readonly sampling: Sampling;
  readonly strategy: Strategy;
  readonly executor: SqlExecutor;
}

/**
 * Asks a question with the manual, or with the seed instructions where there is none yet, runs its SQL, and
 * records both.
 * @throws LseError if the database cannot be used, or the prompt does not fit the context
 */
export async function ask(
  folder: Workspace,
  question: QuestionText,
  { model, sampling, strategy, executor }: AskWith,
): Promise<Answered> {
  const form = formOf(folder.config.prompts, folder.config.engine);
  const { messages, instructions, examples } = askedPrompt(folder, question, strategy);
  // Says what is wrong with the file before anything is generated; another question may be asked meanwhile.
  new AskedLog(folder.askedPath);
  // Fails for a database that cannot be used, before anything is generated.
  await executor.execute(folder.databasePath, "SELECT 1");
  const names = namesOf(folder.schema());
  const read = async (response: string) => {
    const answer = form.answerOf(response);
    const run = (sql: string) => executor.execute(folder.databasePath, sql);
    return await readQuery(answer, { run, names, noAnswer: NO_QUERY, mend: strategy.mend });
  };
  const subject: Subject = {
    ...(form.parts === undefined ? {} : { parts: { repair: form.parts.repair } }),
    read: (_, response) => read(response),
  };
  let attempted: Attempt | undefined;
  await attempt(subject, model, {
    questions: [{ problem: "asked", messages, seed: 0, sample: 0 }],
    strategy,
    // Always the likeliest answer where only one is drawn.
    sampling: strategy.samples === 1 ? { ...sampling, temperature: 0 } : sampling,
    onAttempt: async (_, result) => {
      attempted = result;
    },
  });
  const { draws, chosen, confidence, groups } = attempted as Attempt;
  const { response, repaired } = draws[chosen] as Attempt["draws"][number];
  const rowsOf = (sql: string): Promise<SqlTable | SqlFailure> =>
    sql === ""
      ? Promise.resolve({ ok: false, kind: "refused", error: NO_QUERY, seconds: 0 })
      : executor.fetch(folder.databasePath, sql, MOST_ROWS);
  const sql = form.answerOf(response);
  const result = await rowsOf(sql);
  const taken = draws[chosen]?.reading?.result;
  const second = groups.find(({ shown }) => draws[shown]?.reading?.result !== taken);
  const others = second === undefined ? undefined : form.answerOf(draws[second.shown]?.response ?? "");
  const other =
    second === undefined || others === undefined
      ? null
      : { sql: others, share: second.size / draws.length, result: await rowsOf(others) };
  const outcome = result.ok ? { error: null, rows: result.rows } : { error: result.error, rows: null };
  const asked = new AskedLog(folder.askedPath).ask({
    ...question,
    sql,
    ...outcome,
    manual: hashJson(instructions).slice(0, 12),
    response,
    examples: [...examples],
    repaired: repaired.map(({ response, reading }) => ({
      sql: form.answerOf(response),
      error: reading.failure ?? "no rows",
    })),
    ...(strategy.samples === 1 ? {} : { draws: strategy.samples, confidence }),
    ...(other === null ? {} : { other: { sql: other.sql, share: other.share } }),
  });
  return { asked, result, other };
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
