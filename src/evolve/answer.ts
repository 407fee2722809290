/** Answering problems with one version of the instructions, and grading the answers. */
import type { AnswerPhase, Journal } from "../journal/journal.js";
import { deriveSeed } from "../lib/random.js";
import { mean } from "../lib/statistics.js";
import type { LanguageModel, Sampling } from "../model.js";
import type { Outcome, Task } from "../task.js";

/** A graded completion of a problem. */
export interface Answer {
  readonly problem: string;
  readonly sample: number;
  readonly response: string;
  readonly outcome: Outcome;
  /** Length of the prompt, and of what was generated. */
  readonly promptTokens: number;
  readonly tokens: number;
}

/** Which completion of which problem is asked for. */
export interface ProblemSample {
  readonly problem: string;
  /** Which of its completions, from 0. */
  readonly sample: number;
}

/** What is asked, under which instructions, and where grades are kept. */
export interface AnswerOptions {
  readonly instructions: string;
  readonly asked: readonly ProblemSample[];
  readonly sampling: Sampling;
  /** Seed of a problem's answers, as `answerSeeds` makes it. */
  readonly seedOf: (problem: string) => number;
  /** The grade of an answer that was graded before. */
  readonly recall?: (asked: ProblemSample) => Outcome | undefined;
  /** Called for each answer as soon as it is graded. */
  readonly onGraded?: (answer: Answer) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Each problem so many times. */
export const eachSample = (problems: readonly string[], samples: number): ProblemSample[] =>
  problems.flatMap((problem) => Array.from({ length: samples }, (_, sample) => ({ problem, sample })));

/**
 * Seeds of answers in a run: they depend on the problem, the phase and (in a batch) the round, but not on the node, so
 * that nodes are compared on the same problems with the same random numbers. A gate has the seeds of its batch.
 * @param seed of the run
 */
export function answerSeeds(seed: number, phase: AnswerPhase, round = 0): (problem: string) => number {
  const isBatch = phase === "batch" || phase === "gate";
  return (problem) => deriveSeed(seed, isBatch ? "batch" : phase, isBatch ? round : 0, problem);
}

/** Keeps grades in a journal, so that an answer recorded there is not graded again. */
export function gradesIn(
  journal: Journal,
  at: { readonly node: number; readonly phase: AnswerPhase; readonly round: number },
): Required<Pick<AnswerOptions, "recall" | "onGraded">> {
  const { node, phase, round } = at;
  const keyOf = ({ problem, sample }: ProblemSample) => [node, phase, round, problem, sample].join("/");
  return {
    recall: (asked) => journal.recall("answer", keyOf(asked))?.outcome,
    onGraded: ({ response, ...answer }) =>
      journal.record({ type: "answer", key: keyOf(answer), node, phase, round, ...answer }),
  };
}

/**
 * Answers problems with one version of the instructions and grades each answer as soon as it is there.
 * @returns the answers in the order in which they were asked for
 */
export async function answer(
  task: Task,
  model: LanguageModel,
  { instructions, asked, sampling, seedOf, recall, onGraded, signal }: AnswerOptions,
): Promise<Answer[]> {
  const requests = asked.map(({ problem, sample }) => ({
    messages: task.prompt(problem, instructions),
    sampling,
    seed: seedOf(problem),
    sample,
  }));
  const answers: Promise<Answer>[] = [];
  await model.generate(
    requests,
    (index, { text: response, promptTokens, generatedTokens: tokens }) => {
      const { problem, sample } = asked[index] as ProblemSample;
      answers[index] = (async () => {
        const outcome = recall?.({ problem, sample }) ?? (await task.grade(problem, response));
        const graded = { problem, sample, response, outcome, promptTokens, tokens };
        onGraded?.(graded);
        return graded;
      })();
      // Awaited below; without this a rejection in the meantime would end the process.
      answers[index].catch(() => undefined);
    },
    signal,
  );
  return Promise.all(answers);
}

/** The mean score of each problem over its samples. */
export function problemScores(answers: readonly Answer[]): number[] {
  const scores = new Map<string, number[]>();
  for (const { problem, outcome } of answers) {
    scores.set(problem, [...(scores.get(problem) ?? []), outcome.score]);
  }
  return [...scores.values()].map(mean);
}

/** The score of instructions: the mean over problems of the mean over samples, with its standard error. */
export function scoreOf(answers: readonly Answer[]): { score: number; standardError: number } {
  const means = problemScores(answers);
  const score = mean(means);
  const squares = means.reduce((sum, value) => sum + (value - score) ** 2, 0);
  const standardError =
    means.length < 2 ? Number.NaN : Math.sqrt(squares / (means.length - 1) / means.length);
  return { score, standardError };
}
