import type { BirdQuestion } from "./dataset.js";
import type { ExecutionAccuracy, Verdict } from "./execution-accuracy.js";
import type { Prediction } from "./predictions.js";

export interface Score {
  readonly total: number;
  readonly correct: number;
  /** correct ∕ total, in percent. */
  readonly ex: number;
}

export interface Evaluation extends Score {
  readonly difficulties: Readonly<Record<string, Score>>;
  readonly databases: Readonly<Record<string, Score>>;
  readonly questions: readonly ScoredQuestion[];
}

export interface ScoredQuestion extends Verdict {
  readonly question_id: number;
  readonly db_id: string;
  readonly difficulty: string;
}

/**
 * Scores predictions by execution accuracy, over all and by difficulty and database. Gold queries given as
 * predictions validate a dataset: what does not reach 1 then, no prediction can.
 */
export async function evaluatePredictions(
  predictions: readonly Prediction[],
  accuracy: ExecutionAccuracy,
  onQuestion?: () => void,
): Promise<Evaluation> {
  const grade = async ({ question, sql }: Prediction) => {
    const verdict = await accuracy.grade(question, sql);
    onQuestion?.();
    return scored(question, verdict);
  };
  return tally(await Promise.all(predictions.map(grade)));
}

export const goldAsPredictions = (questions: readonly BirdQuestion[]): Prediction[] =>
  questions.map((question) => ({ question, sql: question.sql }));

function scored(question: BirdQuestion, verdict: Verdict): ScoredQuestion {
  const { questionId, dbId, difficulty } = question;
  return { question_id: questionId, db_id: dbId, difficulty, ...verdict };
}

function tally(questions: readonly ScoredQuestion[]): Evaluation {
  const groups = (key: (question: ScoredQuestion) => string) => {
    const names = [...new Set(questions.map(key))].filter((name) => name !== "");
    return Object.fromEntries(names.map((name) => [name, score(questions.filter((q) => key(q) === name))]));
  };
  return {
    ...score(questions),
    difficulties: groups(({ difficulty }) => difficulty),
    databases: groups(({ db_id }) => db_id),
    questions,
  };
}

function score(questions: readonly ScoredQuestion[]): Score {
  const correct = questions.filter(({ ex }) => ex === 1).length;
  return { total: questions.length, correct, ex: (100 * correct) / questions.length };
}
