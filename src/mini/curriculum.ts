/** Decides which demonstrations a model of the miniature world sees at each training step. */
import { actDemonstrations, type Demonstration, evolveDemonstrations } from "./demonstrations.js";
import { Draw } from "./draw.js";
import { SLOPPINESS } from "./edits.js";

/** Questions about one database with one list of rules; reading these two costs as much as answering all of them. */
const QUESTIONS = 10;

/** A part of training with its own mixture of demonstrations. */
export interface Stage {
  readonly name: string;
  readonly steps: number;
  /** Share of the steps that teach evolving; the others teach acting. */
  readonly evolve: number;
  /** Share of those steps whose edits are changes of single rules; the others' are rewrites. */
  readonly delta?: number;
  /** Whether edits are shown by the sloppy demonstrator. */
  readonly sloppy: boolean;
}

/**
 * The groups of demonstrations of one step, all acting or all evolving, so that they are about equally long. They
 * depend on seed and step alone, so training can resume at any step.
 * @param step from 1
 * @throws RangeError for a step after the last stage
 */
export function demonstrationsOf(
  stages: readonly Stage[],
  seed: number,
  step: number,
  groups: number,
): Demonstration[][] {
  const { evolve, sloppy, delta = 0 } = stageOf(stages, step);
  const draw = new Draw("mini curriculum", seed, step);
  const stream = draw.chance(evolve)
    ? evolveDemonstrations({
        seed: draw.integer(0, 2 ** 31),
        sloppiness: sloppy ? SLOPPINESS : null,
        edits: draw.chance(delta) ? "delta" : "rewrite",
      })
    : actDemonstrations({ seed: draw.integer(0, 2 ** 31), group: QUESTIONS });
  return Array.from({ length: groups }, () => stream.next().value as Demonstration[]);
}

export function stageOf(stages: readonly Stage[], step: number): Stage {
  let last = 0;
  for (const stage of stages) {
    last += stage.steps;
    if (step <= last) return stage;
  }
  throw new RangeError(`step ${step} is after the last stage, which ends with step ${last}`);
}
