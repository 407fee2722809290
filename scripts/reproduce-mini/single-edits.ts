/** The improvement of one edit on test databases, by the trained and the untrained evolver. */

import type { EvolveConfig } from "#lse/evolve/config.js";
import { bootstrapMean, type Interval } from "#lse/lib/statistics.js";
import { type EditStart, editGains, editStarts } from "#lse/mini/edit-gains.js";
import { MiniGrader, MiniTask } from "#lse/mini/task.js";
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
  const tasks = Array.from({ length: databases }, (_, seed) =>
    MiniTask.open({ split: "test", seed }, grader),
  );
  const sampling = { ...config.sampling, temperature: 1 };
  const roles = (evolver: EvolverName) => models.of({ policy: "mini", evolver });
  const starts: EditStart[] = [];
  for (const state of STATES) starts.push(...(await editStarts(roles("lse").policy, tasks, state, config)));
  /** For each database, the mean over what it starts from. */
  const gains = async (evolver: EvolverName) => {
    const all = await editGains(roles(evolver), starts, { sampling, samples, seed: SEED });
    return tasks.map((_, i) => {
      const own = all.filter((_, start) => start % tasks.length === i);
      return own.reduce((sum, { gain }) => sum + gain, 0) / own.length;
    });
  };
  const before = await gains("untrained");
  const after = await gains("lse");
  return {
    untrained: bootstrapMean(before, SEED),
    lse: bootstrapMean(after, SEED),
    difference: bootstrapMean(
      after.map((gain, i) => gain - (before[i] as number)),
      SEED,
    ),
  };
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
