/** The published code's splits and batches on one database, with its random numbers (lse/simulators/bird_simulator.py:23-75). */
import { LseError } from "../../errors.js";
import { PythonRandom, stableSeed } from "../../lib/python-random.js";
import type { Task } from "../../task.js";
import type { EvolveConfig } from "../config.js";
import type { Split } from "../problem-parts.js";

/** What a task may have beside the contract. */
export interface PublishedNames {
  /** By what names the published code seeds the draws of holdout and test, where it does not by the seed alone. */
  readonly publishedNames?: readonly string[];
}

/**
 * Draws the holdout (its "dev") from all problems, the test from the others, and leaves the rest in the order of the
 * file as the pool. Each is drawn by a generator of its own with the same seed, as there. A task that keeps problems
 * for a test has it drawn from them: there, from another database that is drawn too, here one that is named.
 * @throws LseError when there are too few problems
 */
export function referenceSplit(
  { id, problemIds, testIds, publishedNames }: Pick<Task, "id" | "problemIds" | "testIds"> & PublishedNames,
  {
    holdout: holdoutSize,
    test: testSize = 0,
    batch,
    seed,
  }: Pick<EvolveConfig, "holdout" | "test" | "batch" | "seed">,
): Split {
  if (problemIds.length < holdoutSize + batch + (testIds === undefined ? testSize : 0))
    throw new LseError(
      `${id} has ${problemIds.length} problems: too few for a holdout of ${holdoutSize}, batches of ${batch} and a test of ${testSize}`,
      "Lower `evolve.holdout`, `evolve.batch` or `evolve.test`",
    );
  const without = (all: readonly string[], some: readonly string[]) => {
    const taken = new Set(some);
    return all.filter((problem) => !taken.has(problem));
  };
  // Of MMLU with a test, by a seed out of names (lse/simulators/mmlu_simulator.py:26-164).
  const drawFor = (what: string) =>
    new PythonRandom(
      publishedNames === undefined || testSize === 0
        ? seed
        : stableSeed(...publishedNames, seed, holdoutSize, testSize, what),
    );
  const holdout = drawFor("dev").sample(problemIds, holdoutSize);
  const others = without(problemIds, holdout);
  const test = drawFor("test_indices").sample(testIds ?? others, testSize);
  return { holdout, test, pool: without(others, test) };
}

/** The batch of a round, counting from 1: drawn anew each time, so that problems come again while others wait. */
export function referenceBatch(pool: readonly string[], size: number, round: number, seed: number): string[] {
  const random = new PythonRandom(seed);
  for (let earlier = 1; earlier < round; earlier++) random.sample(pool, size);
  return random.sample(pool, size);
}
