/** BIRD's R-VES: how fast a right query is beside the gold one (mini_dev, evaluation_ves.py:49-81, 136-146). */
import { mean } from "../lib/statistics.js";

/** Rewards by speed: at least so many times as fast as the gold query. */
const REWARDS = [
  [2, 1.25],
  [1, 1],
  [0.5, 0.75],
  [0.25, 0.5],
] as const;
const SLOWEST = 0.25;

/**
 * The reward of a query that is right, from the gold query's time ÷ its own, measured several times. Ratios beyond
 * three deviations are left out. If all are equal, the deviation is 0 and no ratio is within it: the reward is 0, as
 * in BIRD's code.
 */
export function speedReward(ratios: readonly number[]): number {
  const centre = mean(ratios);
  const limit = 3 * Math.sqrt(mean(ratios.map((ratio) => (ratio - centre) ** 2)));
  const kept = ratios.filter((ratio) => Math.abs(ratio - centre) < limit);
  if (kept.length === 0) return 0;
  const speed = mean(kept);
  return REWARDS.find(([least]) => speed >= least)?.[1] ?? SLOWEST;
}

/** In percent, at most 111.8: the roots of the rewards are averaged, which only BIRD's code says. */
export const rVes = (rewards: readonly number[]): number => 100 * mean(rewards.map(Math.sqrt));
