import { LseError } from "../errors.js";
import { deriveSeed, shuffled } from "../random.js";

export interface Split {
  /** Problems that score every node. Never shown to the evolver. */
  readonly holdout: readonly string[];
  /** Problems the batches come from, in their seeded order. */
  readonly pool: readonly string[];
}

/**
 * Divides a task's problems by a seeded shuffle: the first `holdout` of them score nodes, the rest are
 * answered for the evolver to learn from.
 * @throws LseError when there are too few problems
 */
export function splitProblems(
  taskId: string,
  problemIds: readonly string[],
  { holdout, batch, seed }: { holdout: number; batch: number; seed: number },
): Split {
  if (holdout + batch > problemIds.length) {
    throw new LseError(
      `${taskId} has ${problemIds.length} problems: too few for a holdout of ${holdout} and batches of ${batch}`,
      "Lower --holdout or --batch",
    );
  }
  const order = shuffled(problemIds, deriveSeed(seed, "split"));
  return { holdout: order.slice(0, holdout), pool: order.slice(holdout) };
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
