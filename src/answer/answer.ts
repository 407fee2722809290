/** Answers problems with one version of the instructions, and grades the answers. */
import type { AnswerPhase, Journal, ReadingEvent } from "../journal/journal.js";
import { hashJson } from "../lib/hash.js";
import { deriveSeed } from "../lib/random.js";
import { mean } from "../lib/statistics.js";
import type { LanguageModel, Sampling } from "../model.js";
import type { Outcome, Reading, Task } from "../task.js";
import { type Attempt, attempt, readingOf } from "./attempt.js";
import { needsReading, PAPER_STRATEGY, type Strategy } from "./strategy.js";

/** A graded answer to a problem. */
export interface Answer {
  readonly problem: string;
  readonly sample: number;
  readonly response: string;
  readonly outcome: Outcome;
  /** Of all completions that it took: tokens of the prompts, and of what was generated. */
  readonly promptTokens: number;
  readonly tokens: number;
  /** How many these are. */
  readonly completions: number;
  /** Share of the strategy's draws that agree with it; left out where there is one draw only. */
  readonly confidence?: number;
  /** Whether it came out of a repair; left out where it did not. */
  readonly repaired?: true;
  /** Solved problems that its prompt showed; left out where there were none. */
  readonly examples?: readonly string[];
}

/** Which answer to which problem is asked for. */
export interface ProblemSample {
  readonly problem: string;
  /** Which of its answers, from 0. */
  readonly sample: number;
}

/** What is asked, under which instructions, and where grades are kept. */
export interface AnswerOptions {
  readonly instructions: string;
  readonly asked: readonly ProblemSample[];
  /** How each is answered. Defaults to the paper's way: one completion of the prompt. */
  readonly strategy?: Strategy;
  readonly sampling: Sampling;
  /** Seed of a problem's answers, as `answerSeeds` makes it. */
  readonly seedOf: (problem: string) => number;
  /** The grade of an answer that was graded before. */
  readonly recall?: (asked: ProblemSample) => Outcome | undefined;
  /** Looks at an answer, or recalls what was seen before. */
  readonly read?: (problem: string, response: string, look: () => Promise<Reading>) => Promise<Reading>;
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

/**
 * Keeps grades and readings in a journal, so that what is recorded there is not looked at again: a resumed run asks for
 * the same repairs, and chooses the same answers, even if a query takes longer now.
 */
export function gradesIn(
  journal: Journal,
  at: { readonly node: number; readonly phase: AnswerPhase; readonly round: number },
): Required<Pick<AnswerOptions, "recall" | "onGraded" | "read">> {
  const { node, phase, round } = at;
  const keyOf = ({ problem, sample }: ProblemSample) => [node, phase, round, problem, sample].join("/");
  return {
    recall: (asked) => journal.recall("answer", keyOf(asked))?.outcome,
    onGraded: ({ response, completions, ...answer }) =>
      journal.record({
        ...{ type: "answer" as const, key: keyOf(answer), node, phase, round },
        ...answer,
        ...(completions === 1 ? {} : { completions }),
      }),
    read: async (problem, response, look) => {
      const key = hashJson([problem, response]);
      const known = journal.recall("reading", key)?.reading;
      if (known !== undefined) return known;
      const event: ReadingEvent = { type: "reading", key, problem, reading: await look() };
      journal.record(event);
      return event.reading;
    },
  };
}

/**
 * Answers problems with one version of the instructions and grades each answer as soon as it is there.
 * @param task with the prompts of the strategy (`underStrategy`)
 * @returns the answers in the order in which they were asked for
 */
export async function answer(task: Task, model: LanguageModel, options: AnswerOptions): Promise<Answer[]> {
  const { instructions, asked, strategy = PAPER_STRATEGY, sampling, seedOf, signal } = options;
  const { recall, onGraded, read } = options;
  const questions = asked.map(({ problem, sample }) => ({
    problem,
    messages: task.prompt(problem, instructions),
    seed: seedOf(problem),
    sample,
  }));
  const answers: Answer[] = [];
  const grade = async (index: number, attempt: Attempt) => {
    const { problem, sample } = asked[index] as ProblemSample;
    const { response, repaired } = attempt.draws[attempt.chosen] as Attempt["draws"][number];
    const outcome = recall?.({ problem, sample }) ?? (await task.grade(problem, response));
    const { promptTokens, tokens, completions, confidence } = attempt;
    const examples = task.examplesFor?.(problem) ?? [];
    const graded: Answer = {
      problem,
      sample,
      response,
      outcome,
      promptTokens,
      tokens,
      completions,
      ...(strategy.samples === 1 ? {} : { confidence }),
      ...(repaired.length === 0 ? {} : { repaired: true }),
      ...(examples.length === 0 ? {} : { examples }),
    };
    answers[index] = graded;
    onGraded?.(graded);
  };
  await attempt(task, model, {
    questions,
    strategy,
    sampling,
    onAttempt: grade,
    signal,
    ...(read === undefined || !needsReading(strategy)
      ? {}
      : {
          read: (problem: string, response: string) =>
            read(problem, response, () => readingOf(task, problem, response, strategy)),
        }),
  });
  return answers;
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
