/** How much better than expected each edit was: what the policy gradient weighs its tokens by. */
import { mean } from "../../lib/statistics.js";

/** The score that the published code gives an edit it cannot use (its reward function, lse/rl/reward_fn.py:183-218). */
export const INVALID = -1;

/** An edit with what it was worth, beside the others of its node. */
export interface ScoredEdit {
  /** The node it is an edit of. */
  readonly group: number;
  /** Mean holdout score under the edited instructions, 0 to 1; INVALID for an edit that cannot be used. */
  readonly score: number;
  /** Score minus the node's own; INVALID for an edit that cannot be used. */
  readonly reward: number;
}

/**
 * - `delta`: the improvement itself, without any other baseline (paper §4).
 * - `delta-std`: divided by the deviation over all edits of the update.
 * - `delta-whitened`: the mean over all edits subtracted as well.
 * - `grpo-score`: score above the mean of its node's edits, in their deviations: the paper's ablation, trained on
 *   the score after the edit.
 * - `grpo-delta`: the same of the improvement; the two differ where edits are invalid.
 * - `logit-delta`: the improvement in log-odds; scores are kept away from 0 and 1, where the published code's are
 *   infinite (its quirk Q8).
 */
export const ESTIMATORS = [
  "delta",
  "delta-std",
  "delta-whitened",
  "grpo-score",
  "grpo-delta",
  "logit-delta",
] as const;
export type Estimator = (typeof ESTIMATORS)[number];

/** Keep divisions finite, as in the published code (core_algos.py:265-409). */
const BATCH_EPSILON = 1e-8;
const GROUP_EPSILON = 1e-6;
/** Scores are taken to be at least this far from 0 and 1 in `logit-delta`. */
const LEAST_ODDS = 0.01;

/** One advantage for each edit; all of an answer's tokens share it. */
export function advantages(edits: readonly ScoredEdit[], estimator: Estimator): number[] {
  const rewards = edits.map(({ reward }) => reward);
  switch (estimator) {
    case "delta":
      return rewards;
    case "delta-std": {
      const { deviation } = spread(rewards);
      return edits.length < 2 ? rewards : rewards.map((reward) => reward / (deviation + BATCH_EPSILON));
    }
    case "delta-whitened": {
      const { mean, deviation } = spread(rewards);
      return edits.length < 2
        ? rewards
        : rewards.map((reward) => (reward - mean) / (deviation + BATCH_EPSILON));
    }
    case "grpo-score":
      return withinGroups(edits, ({ score }) => score);
    case "grpo-delta":
      return withinGroups(edits, ({ reward }) => reward);
    case "logit-delta":
      return edits.map(logitDelta);
  }
}

function withinGroups(edits: readonly ScoredEdit[], measure: (edit: ScoredEdit) => number): number[] {
  const groups = new Map<number, number[]>();
  for (const edit of edits) groups.set(edit.group, [...(groups.get(edit.group) ?? []), measure(edit)]);
  return edits.map((edit) => {
    const values = groups.get(edit.group) as number[];
    // Of a single edit nothing is known to compare it with: the published code takes it as it is.
    const { mean, deviation } = values.length < 2 ? { mean: 0, deviation: 1 } : spread(values);
    return (measure(edit) - mean) / (deviation + GROUP_EPSILON);
  });
}

function logitDelta({ score, reward }: ScoredEdit): number {
  if (score === INVALID) return INVALID;
  const [after, before] = [score, score - reward].map((p) =>
    Math.min(1 - LEAST_ODDS, Math.max(LEAST_ODDS, p)),
  ) as [number, number];
  return Math.log((after * (1 - before)) / (before * (1 - after) + GROUP_EPSILON));
}

/** Mean and unbiased standard deviation. */
function spread(values: readonly number[]): { mean: number; deviation: number } {
  const average = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - average) ** 2, 0);
  return { mean: average, deviation: Math.sqrt(squares / (values.length - 1)) };
}
