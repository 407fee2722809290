/** The improvement of one edit on test databases, by the trained and the untrained evolver. */
import { type EditGain, editGains } from "#lse/cli/mini-edits.js";
import type { EvolveConfig } from "#lse/evolve/config.js";
import { MiniGrader, MiniTask } from "#lse/mini/task.js";
import { bootstrapMean, type Interval } from "#lse/statistics.js";
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
  const gains = async (evolver: EvolverName) => {
    const parts: EditGain[][] = [];
    for (const state of STATES) {
      const roles = models.of({ policy: "mini", evolver });
      parts.push(await editGains(roles, tasks, state, config, { sampling, samples }));
    }
    return tasks.map((_, i) => parts.reduce((sum, part) => sum + (part[i]?.gain ?? 0), 0) / parts.length);
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
