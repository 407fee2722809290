/** Scores one way of answering on the test questions of a database. */
import { answer, answerSeeds } from "#lse/answer/answer.js";
import { attempt } from "#lse/answer/attempt.js";
import { PAPER_STRATEGY } from "#lse/answer/strategy.js";
import { underStrategy } from "#lse/answer/under-strategy.js";
import { choose } from "#lse/answer/vote.js";
import { deriveSeed, shuffled } from "#lse/lib/random.js";
import type { LanguageModel } from "#lse/model.js";
import type { Task } from "#lse/task.js";
import { TEST_QUESTIONS, type Way } from "./cells.js";

/** Questions of one call: few would leave the engine idle, and with many every token attends to more cells. */
const atOnce = (samples: number): number => (samples === 1 ? 30 : 10);

/** The questions that are asked, and those that are solved, in a fixed order. */
export interface Division {
  readonly test: readonly string[];
  readonly solved: readonly string[];
}

/** A seeded shuffle: the first questions are asked. It is the same for all models and ways. */
export function divide({ id, problemIds }: Task): Division {
  const order = shuffled(problemIds, deriveSeed("reproduce:real", id));
  return { test: order.slice(0, TEST_QUESTIONS), solved: order.slice(TEST_QUESTIONS) };
}

/** One answer as results keep it. */
export interface ScoredAnswer {
  readonly problem: string;
  readonly correct: boolean;
  readonly sql: string;
  readonly error: string | null;
  readonly confidence: number | null;
  readonly repaired: boolean;
  readonly examples: readonly string[];
}

/** What a way reached, and what its calls took. */
export interface Measured {
  readonly answers: readonly ScoredAnswer[];
  readonly seconds: number;
  readonly tokensGenerated: number;
  readonly promptTokensEvaluated: number;
}

/** What a vote of fewer draws would have reached, from the draws of a way without repair. @returns right answers by draws */
export async function rightByDraws(
  task: Task,
  model: LanguageModel,
  way: Way,
  questions: number,
): Promise<number[]> {
  const { samples } = way.strategy;
  const right = Array.from({ length: samples }, () => 0);
  const { asked, batches } = askedBy(task, way, questions);
  for (const problems of batches)
    await attempt(asked, model, {
      questions: problems.map((problem) => ({
        problem,
        messages: asked.prompt(problem, asked.seedInstructions),
        seed: seedOf(problem),
        sample: 0,
      })),
      strategy: way.strategy,
      sampling: way.sampling,
      onAttempt: async (index, { draws }) => {
        for (let count = 1; count <= samples; count++) {
          const some = draws.slice(0, count);
          const { chosen } = choose(
            some.map(({ reading }) => reading ?? { answer: "", result: null }),
            "result",
          );
          const { correct } = await task.grade(problems[index] as string, some[chosen]?.response ?? "");
          if (correct) right[count - 1] = (right[count - 1] ?? 0) + 1;
        }
      },
    });
  return right;
}

const seedOf = answerSeeds(0, "test");

/** The task as it is asked in this way, and its questions by calls. */
function askedBy(task: Task, way: Way, questions: number) {
  const { test, solved } = divide(task);
  const pool = solved.slice(0, way.solved);
  const asked = underStrategy(way.withTwins ? withoutTwins(task) : task, way, pool);
  const step = atOnce(way.strategy.samples);
  const batches = Array.from({ length: Math.ceil(questions / step) }, (_, i) =>
    test.slice(i * step, Math.min(questions, (i + 1) * step)),
  );
  return { asked, batches };
}

/** @param onAnswers called with the number of answers that are done, after each call */
export async function measure(
  task: Task,
  model: LanguageModel,
  way: Way,
  questions: number,
  onAnswers: (count: number) => void,
): Promise<Measured> {
  const { asked, batches } = askedBy(task, way, questions);
  const before = { ...model.usage };
  const answers: ScoredAnswer[] = [];
  for (const problems of batches) {
    const given = await answer(asked, model, {
      instructions: asked.seedInstructions,
      asked: problems.map((problem) => ({ problem, sample: 0 })),
      strategy: way.strategy,
      sampling: way.sampling,
      seedOf,
    });
    for (const { problem, outcome, confidence, repaired, examples = [] } of given) {
      const { correct, answer: sql, error } = outcome;
      answers.push({
        problem,
        correct,
        sql,
        error,
        examples,
        confidence: confidence ?? null,
        repaired: repaired === true,
      });
    }
    onAnswers(problems.length);
  }
  const since = (name: "seconds" | "tokensGenerated" | "promptTokensEvaluated") =>
    model.usage[name] - before[name];
  return {
    answers,
    seconds: since("seconds"),
    tokensGenerated: since("tokensGenerated"),
    promptTokensEvaluated: since("promptTokensEvaluated"),
  };
}

/** The same task, in which no two problems are twins. */
function withoutTwins(task: Task): Task {
  const { parts } = task;
  if (parts === undefined) return task;
  const own: Task = underStrategy(task, { strategy: PAPER_STRATEGY }, []);
  return Object.assign(own, { parts: { ...parts, twinKeys: () => [] } });
}
