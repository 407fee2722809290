/** Scores a set of predictions: EX, Soft-F1 and R-VES, in all and by difficulty and database. */
import type { ValidationReport } from "../task.js";
import type { BirdQuestion } from "./dataset.js";
import type { ExecutionAccuracy, Verdict } from "./execution-accuracy.js";
import { defectOf } from "./known-defects.js";
import type { Prediction } from "./predictions.js";
import { rVes, speedReward } from "./r-ves.js";
import { volatileParts } from "./sql/volatile.js";

/** Execution accuracy of some questions, and other metrics if they were asked for. */
export interface Score {
  readonly total: number;
  readonly correct: number;
  /** correct ∕ total, in percent. */
  readonly ex: number;
  /** In percent; only if it was asked for. */
  readonly soft_f1?: number;
  /** In percent, at most 111.8; only if it was asked for. */
  readonly r_ves?: number;
}

/** Scores of a set of predictions: in all, by group, and question by question. */
export interface Evaluation extends Score {
  readonly difficulties: Readonly<Record<string, Score>>;
  readonly databases: Readonly<Record<string, Score>>;
  /** Without the questions that are known to be wrong or unfair; null if there are none of them. */
  readonly clean: Score | null;
  readonly questions: readonly ScoredQuestion[];
}

export interface ScoredQuestion extends Verdict {
  readonly question_id: number;
  readonly db_id: string;
  readonly difficulty: string;
  readonly soft_f1?: number;
  /** What R-VES gives the query's speed: 0 where it is wrong. */
  readonly speed_reward?: number;
}

/** The metrics that are computed beside EX. */
export interface Metrics {
  readonly softF1: boolean;
  /** How often queries are timed for R-VES, officially 100; 0 for no R-VES. */
  readonly timings: number;
}

export const ONLY_EX: Metrics = { softF1: false, timings: 0 };

/**
 * Scores predictions by execution accuracy, over all and by difficulty and database, and by the other official metrics
 * if they are asked for.
 */
export async function evaluatePredictions(
  predictions: readonly Prediction[],
  accuracy: ExecutionAccuracy,
  onQuestion?: (question: BirdQuestion) => void,
  metrics: Metrics = ONLY_EX,
): Promise<Evaluation> {
  const grade = async ({ question, sql }: Prediction) => {
    const verdict = await accuracy.grade(question, sql);
    onQuestion?.(question);
    return scored(question, verdict);
  };
  const questions = await Promise.all(predictions.map(grade));
  if (!metrics.softF1 && metrics.timings === 0) return tally(questions);
  const measured: ScoredQuestion[] = [];
  // One after the other: queries that run side by side would slow each other down.
  for (const [i, question] of questions.entries())
    measured.push(await measure(question, predictions[i] as Prediction, accuracy, metrics));
  return tally(measured);
}

/** Gold queries as predictions, to validate a dataset: where they do not score 1, no prediction can. */
export const goldAsPredictions = (questions: readonly BirdQuestion[]): Prediction[] =>
  questions.map((question) => ({ question, sql: question.sql }));

/** Runs every gold query, as a task's own check: each must score 1, which one that fails does not. */
export async function validateGold(
  questions: readonly BirdQuestion[],
  accuracy: ExecutionAccuracy,
  onProblem: (problem: string) => void = () => {},
): Promise<ValidationReport> {
  const gold = goldAsPredictions(questions);
  const {
    total,
    correct,
    questions: scored,
  } = await evaluatePredictions(gold, accuracy, ({ id }) => onProblem(id));
  const failures = questions.flatMap(({ id }, i) => {
    const error = scored[i]?.error ?? null;
    return error === null ? [] : [{ problem: id, error }];
  });
  const changing = changingGold(questions);
  return { total, passed: correct, failures, ...(changing.length === 0 ? {} : { changing }) };
}

/** Questions whose gold query depends on the date or on chance, and the parts of it that do. */
export const changingGold = (questions: readonly BirdQuestion[]) =>
  questions
    .map((question) => ({ problem: question.id, parts: volatileParts(question.sql) }))
    .filter(({ parts }) => parts.length > 0);

async function measure(
  scored: ScoredQuestion,
  { question, sql }: Prediction,
  accuracy: ExecutionAccuracy,
  { softF1, timings }: Metrics,
): Promise<ScoredQuestion> {
  const timed = scored.ex === 1 ? timings : 0;
  const compared =
    !softF1 && timed === 0 ? null : await accuracy.compare(question, sql, { softF1, timings: timed });
  const { softF1: score, ratios } = compared?.ok ? compared : { softF1: 0, ratios: [] };
  return {
    ...scored,
    ...(softF1 ? { soft_f1: score ?? 0 } : {}),
    ...(timings === 0 ? {} : { speed_reward: ratios.length === 0 ? 0 : speedReward(ratios) }),
  };
}

function scored(question: BirdQuestion, verdict: Verdict): ScoredQuestion {
  const { questionId, dbId, difficulty } = question;
  return { question_id: questionId, db_id: dbId, difficulty, ...verdict };
}

function tally(questions: readonly ScoredQuestion[]): Evaluation {
  const groups = (key: (question: ScoredQuestion) => string) => {
    const names = [...new Set(questions.map(key))].filter((name) => name !== "");
    return Object.fromEntries(names.map((name) => [name, score(questions.filter((q) => key(q) === name))]));
  };
  const clean = questions.filter(({ question_id, db_id }) => defectOf(question_id, db_id) === undefined);
  return {
    ...score(questions),
    difficulties: groups(({ difficulty }) => difficulty),
    databases: groups(({ db_id }) => db_id),
    clean: clean.length === questions.length || clean.length === 0 ? null : score(clean),
    questions,
  };
}

function score(questions: readonly ScoredQuestion[]): Score {
  const correct = questions.filter(({ ex }) => ex === 1).length;
  const soft = questions.flatMap(({ soft_f1 }) => (soft_f1 === undefined ? [] : [soft_f1]));
  const rewards = questions.flatMap(({ speed_reward }) => (speed_reward === undefined ? [] : [speed_reward]));
  return {
    total: questions.length,
    correct,
    ex: (100 * correct) / questions.length,
    ...(soft.length === 0
      ? {}
      : { soft_f1: (100 * soft.reduce((sum, each) => sum + each, 0)) / soft.length }),
    ...(rewards.length === 0 ? {} : { r_ves: rVes(rewards) }),
  };
}
