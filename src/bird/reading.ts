/** What a query is by itself, without the gold one: its rows, or why it fails and what it may have meant. */
import type { Reading } from "../task.js";
import { type Names, nameHint } from "./name-hints.js";
import type { SqlResult } from "./sql/executor.js";

/** What is needed to look at a query. */
export interface QueryLook {
  run(): Promise<SqlResult>;
  /** The database's names, for hints. */
  readonly names: Names;
  /** What is said of a response without a query. */
  readonly noAnswer: string;
}

/** Two queries have the same result if their sets of rows are equal, as EX has it. */
export async function readQuery(answer: string, { run, names, noAnswer }: QueryLook): Promise<Reading> {
  if (answer === "") return { answer, result: null, failure: sentence(noAnswer), isEmpty: false };
  const result = await run();
  if (result.ok) return { answer, result: result.digest, failure: null, isEmpty: result.rows === 0 };
  const failure = [sentence(result.error), nameHint(result.error, answer, names)].filter(Boolean).join(" ");
  return { answer, result: null, failure, isEmpty: false };
}

const sentence = (text: string) => (/[.!?]$/.test(text) ? text : `${text}.`);
