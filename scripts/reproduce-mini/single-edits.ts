/** The improvement of one edit on test databases, by the trained and the untrained evolver. */

import type { EvolveConfig } from "#lse/evolve/config.js";
import { bootstrapMean, type Interval } from "#lse/lib/statistics.js";
import { type EditStart, editGains, editStarts } from "#lse/mini/edit-gains.js";
import { MiniGrader, MiniTask } from "#lse/mini/task.js";
import type { LanguageModel } from "#lse/model.js";
import type { Models } from "./models.js";
import { type EvolverName, TIMEOUT_MS } from "./plan.js";

const STATES = ["none", "half", "partial", "wrong"] as const;
const SEED = 1;

/** Change of EX by an edit; means over databases, all kinds of instructions alike. */
export type SingleEdits = Readonly<Record<"untrained" | "lse" | "difference", Interval>>;

/** @param samples edits of a summary, at temperature 1 */
export async function measureSingleEdits(
  models: Models,
  config: EvolveConfig,
  databases: number,
  samples: number,
): Promise<SingleEdits> {
  await using grader = new MiniGrader(TIMEOUT_MS);
  const roles = (evolver: EvolverName) => models.of({ policy: "mini", evolver });
  const edits = await SingleEditStarts.of(roles("lse").policy, grader, config, databases);
  const before = await edits.gainsOf(roles("untrained"), samples);
  const after = await edits.gainsOf(roles("lse"), samples);
  return {
    untrained: bootstrapMean(before, SEED),
    lse: bootstrapMean(after, SEED),
    difference: differenceOf(after, before),
  };
}

/** How much the first values are above the second on average, paired. */
export const differenceOf = (first: readonly number[], second: readonly number[]): Interval =>
  bootstrapMean(
    first.map((value, i) => value - (second[i] as number)),
    SEED,
  );

/** Test databases with all kinds of instructions, each after a batch. */
export class SingleEditStarts {
  private constructor(
    private readonly config: EvolveConfig,
    private readonly databases: number,
    /** Of one kind of instructions after the other. */
    private readonly starts: readonly EditStart[],
  ) {}

  /** @param config as in `editStarts` */
  static async of(
    policy: LanguageModel,
    grader: MiniGrader,
    config: EvolveConfig,
    databases: number,
  ): Promise<SingleEditStarts> {
    const tasks = Array.from({ length: databases }, (_, seed) =>
      MiniTask.open({ split: "test", seed }, grader),
    );
    const starts: EditStart[] = [];
    for (const state of STATES) starts.push(...(await editStarts(policy, tasks, state, config)));
    return new SingleEditStarts(config, databases, starts);
  }

  /** For each database, the change of EX by an edit at temperature 1: the mean over what it starts from. */
  async gainsOf(
    models: { readonly policy: LanguageModel; readonly evolver: LanguageModel },
    samples: number,
  ): Promise<number[]> {
    const sampling = { ...this.config.sampling, temperature: 1 };
    const all = await editGains(models, this.starts, { sampling, samples, seed: SEED });
    return Array.from({ length: this.databases }, (_, i) => {
      const own = all.filter((_, start) => start % this.databases === i);
      return own.reduce((sum, { gain }) => sum + gain, 0) / own.length;
    });
  }
}

export function describeSingleEdits(edits: SingleEdits, databases: number): string {
  const number = (value: number) => (value < 0 ? "" : "+") + value.toFixed(3);
  return [
    `Improvement by one edit at temperature 1, on ${databases} test databases:`,
    ...Object.entries(edits).map(
      ([name, { mean, low, high }]) =>
        `  ${name.padEnd(10)} ${number(mean)} [${number(low)}, ${number(high)}]`,
    ),
  ].join("\n");
}
