/** What a query is by itself, without the gold one: its rows, or why it fails and what it may have meant. */
import type { Reading } from "../task.js";
import { addMissingJoin } from "./missing-joins.js";
import { nameHint } from "./name-hints.js";
import type { Names } from "./names.js";
import { sqlSolution } from "./prompts.js";
import type { SqlResult } from "./sql/executor.js";

/** What is needed to look at a query. */
export interface QueryLook {
  run(sql: string): Promise<SqlResult>;
  /** The database's names, for hints. */
  readonly names: Names;
  /** What is said of a response without a query. */
  readonly noAnswer: string;
  readonly mend?: boolean | undefined;
}

/** Joins and names of tables that are put right in one query. */
const MOST_MENDED = 6;

/** Two queries have the same result if their sets of rows are equal, as EX has it. */
export async function readQuery(answer: string, look: QueryLook): Promise<Reading> {
  const { run, names, noAnswer } = look;
  if (answer === "") return { answer, result: null, failure: sentence(noAnswer), isEmpty: false };
  const result = await run(answer);
  if (result.ok) return { answer, result: result.digest, failure: null, isEmpty: result.rows === 0 };
  const failure = [sentence(result.error), nameHint(result.error, answer, names)].filter(Boolean).join(" ");
  const mended = look.mend === true ? await mendedQuery(answer, result.error, look) : null;
  return {
    ...{ answer, result: null, failure, isEmpty: false },
    ...(mended === null ? {} : { mended: sqlSolution(mended) }),
  };
}

/** The query with the joins that it lacks; null if it fails all the same. */
async function mendedQuery(answer: string, error: string, { run, names }: QueryLook): Promise<string | null> {
  let query = answer;
  let fault = error;
  for (let changes = 0; changes < MOST_MENDED; changes++) {
    const changed = addMissingJoin(query, fault, names);
    if (changed === null) return null;
    const result = await run(changed);
    if (result.ok) return changed;
    query = changed;
    fault = result.error;
  }
  return null;
}

const sentence = (text: string) => (/[.!?]$/.test(text) ? text : `${text}.`);
