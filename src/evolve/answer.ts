import type { AnswerPhase, Journal } from "../journal/journal.js";
import { deriveSeed } from "../lib/random.js";
import type { Completion, LanguageModel, Sampling } from "../model.js";
import type { Outcome, Task } from "../task.js";

export interface Answer {
  readonly problem: string;
  readonly sample: number;
  readonly response: string;
  readonly outcome: Outcome;
  /** Length of the prompt, and of what was generated. */
  readonly promptTokens: number;
  readonly tokens: number;
}

export interface AnswerPlan {
  readonly node: number;
  readonly instructions: string;
  readonly phase: AnswerPhase;
  readonly round: number;
  readonly asked: readonly Asked[];
  readonly seed: number;
}

/** One completion of one problem. */
export interface Asked {
  readonly problem: string;
  /** Which of its completions, from 0. */
  readonly sample: number;
}

/** Each problem so many times. */
export const eachSample = (problems: readonly string[], samples: number): Asked[] =>
  problems.flatMap((problem) => Array.from({ length: samples }, (_, sample) => ({ problem, sample })));

/**
 * Answers problems with one version of the instructions and grades each answer as soon as it is there.
 *
 * The seed of an answer depends on the problem, the phase and (in a batch) the round, but not on the node: two nodes
 * are compared on the same problems with the same random numbers.
 * @returns the answers in the order they were asked for
 */
export async function answerProblems(
  plan: AnswerPlan,
  task: Task,
  model: LanguageModel,
  sampling: Sampling,
  journal: Journal,
  signal?: AbortSignal,
): Promise<Answer[]> {
  const { asked } = plan;
  // A gate puts an edit beside the node it comes from, on the node's batch.
  const phase = plan.phase === "gate" ? "batch" : plan.phase;
  const scope = phase === "batch" ? plan.round : 0;
  const requests = asked.map(({ problem, sample }) => ({
    messages: task.prompt(problem, plan.instructions),
    sampling,
    seed: deriveSeed(plan.seed, phase, scope, problem),
    sample,
  }));
  const answers: Promise<Answer>[] = [];
  await model.generate(
    requests,
    (index, completion) => {
      const { problem, sample } = asked[index] as Asked;
      answers[index] = gradeOnce(plan, problem, sample, completion, task, journal);
      // Awaited below; without this a rejection in the meantime would end the process.
      answers[index].catch(() => undefined);
    },
    signal,
  );
  return Promise.all(answers);
}

async function gradeOnce(
  { node, phase, round }: AnswerPlan,
  problem: string,
  sample: number,
  { text: response, promptTokens, generatedTokens: tokens }: Completion,
  task: Task,
  journal: Journal,
): Promise<Answer> {
  const key = [node, phase, round, problem, sample].join("/");
  const outcome = journal.recall("answer", key)?.outcome ?? (await task.grade(problem, response));
  const at = { node, phase, round, problem, sample };
  journal.record({ type: "answer", key, ...at, outcome, promptTokens, tokens });
  return { problem, sample, response, outcome, promptTokens, tokens };
}

/** The mean score of each problem over its samples. */
export function problemScores(answers: readonly Answer[]): number[] {
  const scores = new Map<string, number[]>();
  for (const { problem, outcome } of answers) {
    scores.set(problem, [...(scores.get(problem) ?? []), outcome.score]);
  }
  return [...scores.values()].map(mean);
}

/** The reward of a node: the mean over problems of the mean over samples, with its standard error. */
export function rewardOf(answers: readonly Answer[]): { reward: number; standardError: number } {
  const means = problemScores(answers);
  const reward = mean(means);
  const squares = means.reduce((sum, value) => sum + (value - reward) ** 2, 0);
  const standardError =
    means.length < 2 ? Number.NaN : Math.sqrt(squares / (means.length - 1) / means.length);
  return { reward, standardError };
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
