/** Which problems score nodes, which are learned from, and which are the test. */
import { LseError } from "../errors.js";
import { deriveSeed, shuffled } from "../lib/random.js";
import type { Task } from "../task.js";
import type { EvolveConfig } from "./config.js";
import type { Split } from "./problem-parts.js";
import { referenceSplit } from "./reference/split.js";

export type { Split } from "./problem-parts.js";

/**
 * Divides a task's problems by a seeded shuffle: the first `holdout` of them score nodes, the last ones are the test,
 * and those between are answered for the evolver to learn from. Problems that the task keeps for holdout or test are used for
 * that alone. Without a given size the test has as many problems as the holdout, but at most half of what the holdout
 * leaves; it has none where the holdout is cross-validated.
 * @throws LseError when there are too few problems
 */
export function splitProblems(
  task: Pick<Task, "id" | "problemIds" | "holdoutIds" | "testIds">,
  config: Pick<EvolveConfig, "holdout" | "batch" | "test" | "seed" | "kFold" | "schedule">,
): Split {
  if (config.kFold !== undefined && config.holdout % config.kFold !== 0)
    throw new LseError(
      `a holdout of ${config.holdout} problems does not divide into ${config.kFold} folds`,
      "Change `evolve.holdout` or `evolve.kFold`",
    );
  const { id, problemIds, holdoutIds, testIds } = task;
  if (holdoutIds !== undefined && config.holdout > holdoutIds.length)
    throw new LseError(
      `${id} keeps ${holdoutIds.length} problems for the holdout, not ${config.holdout}`,
      "Lower `evolve.holdout`",
    );
  if (testIds !== undefined && config.test !== undefined && config.test > testIds.length)
    throw new LseError(
      `${id} keeps ${testIds.length} problems for the test, not ${config.test}`,
      "Lower `evolve.test`",
    );
  if (config.schedule === "reference") return referenceSplit(task, config);
  const { holdout, batch, test = config.kFold === undefined ? undefined : 0, seed } = config;
  const order = ordered(problemIds, holdoutIds, deriveSeed(seed, "split"));
  const kept = holdoutIds?.length ?? holdout;
  const left = order.length - kept - batch;
  const ofOwn = Math.min(holdout, Math.floor((order.length - kept) / 2), left);
  const size = testIds === undefined ? (test ?? Math.max(0, ofOwn)) : 0;
  if (left < size) {
    const wanted =
      size === 0
        ? `a holdout of ${holdout} and batches of ${batch}`
        : `a holdout of ${holdout}, batches of ${batch} and a test of ${size}`;
    throw new LseError(
      `${id} has ${order.length} problems: too few for ${wanted}`,
      size === 0
        ? "Lower `evolve.holdout` or `evolve.batch`"
        : "Lower `evolve.holdout`, `evolve.batch` or `evolve.test`",
    );
  }
  const own = testIds === undefined || test === undefined || test === testIds.length;
  return {
    holdout: order.slice(0, holdout),
    pool: order.slice(kept, order.length - size),
    test: own
      ? (testIds ?? order.slice(order.length - size))
      : shuffled(testIds, deriveSeed(seed, "test")).slice(0, test),
  };
}

/** The problems shuffled; those that may score nodes come first, if the task says which. */
function ordered(ids: readonly string[], holdoutIds: readonly string[] | undefined, seed: number): string[] {
  const order = shuffled(ids, seed);
  if (holdoutIds === undefined) return order;
  const first = new Set(holdoutIds);
  return [...order.filter((id) => first.has(id)), ...order.filter((id) => !first.has(id))];
}

/**
 * The problems of a round's batch, `round` counting from 1. The pool is dealt out in order and shuffled
 * anew each time it runs out, so batches depend on the seed alone and every method sees the same ones.
 */
export function batchOf(pool: readonly string[], size: number, round: number, seed: number): string[] {
  const perDeal = Math.floor(pool.length / size);
  const deal = Math.floor((round - 1) / perDeal);
  const order = deal === 0 ? pool : shuffled(pool, deriveSeed(seed, "deal", deal));
  const start = ((round - 1) % perDeal) * size;
  return order.slice(start, start + size);
}
