/** Rounds that draw their kind of edit: a bandit over what each kind has brought so far. */
import { deriveSeed, uniformStream } from "../lib/random.js";
import type { EditKindName } from "./config.js";

/** A round that asked for an edit, and whether the node that came of it was better than its parent. */
export interface KindTrial {
  readonly kind: EditKindName;
  readonly improved: boolean;
}

/**
 * Draws a kind by Thompson sampling (1933): each kind's rate of improvements is drawn from what is known of it, a Beta
 * distribution that begins as uniform, and the kind with the highest draw is taken. Kinds that nothing is known of stay in
 * play, and those that keep failing come ever more seldom.
 * @param kinds at least one
 */
export function drawKind(
  kinds: readonly EditKindName[],
  trials: readonly KindTrial[],
  seed: number,
  round: number,
): EditKindName {
  const uniform = uniformStream(deriveSeed(seed, "kind of edit", round));
  const rates = kinds.map((kind) => {
    const own = trials.filter((trial) => trial.kind === kind);
    return betaDraw(own.filter(({ improved }) => improved).length, own.length, uniform);
  });
  return kinds[rates.indexOf(Math.max(...rates))] as EditKindName;
}

/** Of Beta(1 + successes, 1 + failures): the order statistic of so many uniform numbers. */
function betaDraw(successes: number, trials: number, uniform: () => number): number {
  const numbers = Array.from({ length: trials + 1 }, uniform).sort((a, b) => a - b);
  return numbers[successes] as number;
}
