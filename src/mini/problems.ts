/** Makes the problems of a miniature database: only questions in which every rule matters. */
import type { DatabaseSync } from "@photostructure/sqlite";
import { LseError } from "../errors.js";
import type { MiniDatabase } from "./database.js";
import { drawQuestions, type Question, questionText, termsOf } from "./questions.js";
import { writeDatabase } from "./rows.js";
import { meanings } from "./rules.js";
import { answerWithout, simulatedAnswer } from "./sql.js";

/** A question whose rules all matter, with its gold query. */
export interface MiniProblem {
  readonly id: string;
  readonly question: Question;
  readonly text: string;
  readonly gold: string;
  /** The terms in it that have a hidden meaning. */
  readonly hidden: readonly string[];
}

/** How many questions in a row may bring nothing new before it gives up on a database. */
const TRIES = 1000;

/**
 * Different problems about a database, always the same ones in the same order. On its rows the gold query
 * returns something, and something else as soon as any one rule is left out: so an answer is right because the
 * rules are known, not by chance.
 * @throws LseError if the database does not have as many
 */
export function makeProblems(database: MiniDatabase, count: number): MiniProblem[] {
  const truth = meanings(database.conventions);
  const db = writeDatabase(database, ":memory:");
  const problems = new Map<string, MiniProblem>();
  try {
    let left = TRIES;
    for (const question of drawQuestions(database)) {
      if (problems.size === count) return [...problems.values()];
      if (left-- === 0) break;
      const text = questionText(question);
      if (problems.has(text)) continue;
      const gold = simulatedAnswer(question, truth);
      const hidden = [...new Set(termsOf(question))].filter((term) => truth.has(term));
      const result = resultOf(db, gold);
      if (result === null) continue;
      const isMoot = (term: string) => resultOf(db, answerWithout(question, truth, term)) === result;
      // A term without a column, such as `net`, fails without its rule.
      if (hidden.some((term) => canBeLeftOut(database, term) && isMoot(term))) continue;
      problems.set(text, { id: String(problems.size), question, text, gold, hidden });
      left = TRIES;
    }
  } finally {
    db.close();
  }
  throw new LseError(
    `${database.id} has only ${problems.size} questions in which every rule matters, not ${count}`,
    "Ask for fewer, or choose another database",
  );
}

function canBeLeftOut({ conventions }: MiniDatabase, term: string): boolean {
  return conventions.find((rule) => rule.term === term)?.kind !== "difference";
}

/** The set of rows as text; null for none, and for a result that says nothing: NULL, or a count of 0. */
function resultOf(db: InstanceType<typeof DatabaseSync>, sql: string): string | null {
  const rows = db
    .prepare(sql)
    .all()
    .map((row) => JSON.stringify(Object.values(row as object)));
  if (rows.length === 0 || rows[0] === "[null]" || rows[0] === "[0]") return null;
  return [...new Set(rows)].sort().join("\n");
}
