/** Measures how much better the new manual is than the old one, on the test questions. */
import { join } from "node:path";
import { underStrategy } from "../answer/under-strategy.js";
import type { EvolveConfig } from "../evolve/config.js";
import type { Evolution } from "../evolve/evolve.js";
import { JournalFile, SavedJournal } from "../journal/journal-file.js";
import type { RunFolder } from "../journal/run-folder.js";
import { bootstrapMean, type Interval, mean } from "../lib/statistics.js";
import type { LanguageModel } from "../model.js";
import { CachedModel } from "../runtime/cached-model.js";
import type { Task } from "../task.js";
import { MEASURED, scoresOf } from "./measure.js";

/**
 * How much better the chosen instructions do on the test than those that the run started from: the paired difference.
 * For this the old instructions answer the test too; their answers are kept beside the run.
 * @returns null if there is no test, or nothing was better than the start
 */
export async function measureGain(run: {
  readonly folder: RunFolder;
  readonly config: { readonly evolve: EvolveConfig };
  readonly evolution: Evolution;
  readonly task: Task;
  readonly policy: LanguageModel;
}): Promise<Interval | null> {
  const { folder, config, evolution, task, policy } = run;
  const { tree, split, test } = evolution;
  const asked = underStrategy(task, config.evolve, split.pool);
  if (test === null || test.node === 0) return null;
  const chosen = new Map<string, number[]>();
  for (const { phase, problem, outcome } of new SavedJournal(folder.eventsPath).all("answer"))
    if (phase === "test") chosen.set(problem, [...(chosen.get(problem) ?? []), outcome.score]);
  using journal = new JournalFile(join(folder.path, MEASURED));
  const start = await scoresOf(tree.root.instructions, split.test, "test", {
    task: asked,
    model: new CachedModel(policy, journal),
    config: config.evolve,
    journal,
  });
  const differences = split.test.map((problem, i) => mean(chosen.get(problem) ?? []) - (start[i] as number));
  return bootstrapMean(differences, config.evolve.seed);
}
