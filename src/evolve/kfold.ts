/** Cross-validation of the choice of a node, for pools too small for a test (lse/simulators/base_simulator.py:80-134). */
import { PythonRandom } from "../lib/python-random.js";
import { mean } from "../lib/statistics.js";

/** One fold of the holdout: the node that the others choose, and its score here. */
export interface Fold {
  /** Positions of the fold's problems. */
  readonly problems: readonly number[];
  /** The candidate that is the best on all other folds; of equals the first. */
  readonly chosen: number;
  /** Its mean score there. */
  readonly chosenBy: number;
  /** Its mean score on this fold, which did not choose it. */
  readonly score: number;
}

/** What the choice of a node is worth, over all folds. */
export interface CrossValidation {
  readonly folds: readonly Fold[];
  readonly mean: number;
  /** Between the folds' scores (of the population). */
  readonly deviation: number;
}

/**
 * Divides the problems into k folds, chooses a candidate on the others of each, and scores it on the one that is left.
 * Folds are the published code's, to the draw.
 * @param scores of each candidate, by problem
 * @param k divides the number of problems
 */
export function crossValidate(
  scores: readonly (readonly number[])[],
  k: number,
  seed: number,
): CrossValidation {
  const problems = Array.from({ length: scores[0]?.length ?? 0 }, (_, i) => i);
  const order = new PythonRandom(seed).shuffled(problems);
  const size = order.length / k;
  const folds = Array.from({ length: k }, (_, i): Fold => {
    const fold = order.slice(i * size, (i + 1) * size);
    const others = order.filter((problem) => !fold.includes(problem));
    const meanOn = (candidate: number, of: readonly number[]) =>
      mean(of.map((problem) => scores[candidate]?.[problem] as number));
    const onOthers = scores.map((_, candidate) => meanOn(candidate, others));
    const chosenBy = Math.max(...onOthers);
    const chosen = onOthers.indexOf(chosenBy);
    return { problems: fold.sort((a, b) => a - b), chosen, chosenBy, score: meanOn(chosen, fold) };
  });
  const average = mean(folds.map(({ score }) => score));
  const deviation = Math.sqrt(mean(folds.map(({ score }) => (score - average) ** 2)));
  return { folds, mean: average, deviation };
}
