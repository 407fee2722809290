/** Starting a run in a new folder, and going on with one that was cut off. */

import { SavedJournal } from "../journal/journal-file.js";
import { PaidCompletions } from "../journal/paid-completions.js";
import { RunFolder } from "../journal/run-folder.js";
import { FolderLock } from "../lib/folder-lock.js";
import type { LanguageModel } from "../model.js";
import type { Task } from "../task.js";
import { type RunConfig, resolveConfig } from "./config.js";
import { openModels, spentBefore } from "./open-models.js";
import { planOf, requirePrices, requireTestPaid } from "./run-budget.js";
import { type RunHooks, type RunInputs, type RunOutcome, runLocked } from "./run-in-folder.js";
import { createRun } from "./saved-config.js";
import { openTask } from "./tasks.js";

/** What holds the lock of a run's folder. */
const COMMAND = "lse evolve";

/** A run that is over, with its task and its policy still open. */
export interface RunConclusion extends RunOutcome {
  readonly task: Task;
  readonly policy: LanguageModel;
}

/** Hooks of a run that opens what it works with. */
export interface EvolveHooks extends RunHooks {
  /** Called when the run is over, before its models are closed. */
  readonly conclude?: (over: RunConclusion) => Promise<void>;
}

/**
 * Evolves in a new run folder. The folder is made when nothing but the work itself can fail any more.
 * @param config resolved (`resolveConfig`)
 * @throws LseError for a folder that is not empty, and for data, models and budgets that cannot be used
 */
export async function startRun(
  path: string,
  config: RunConfig,
  hooks: EvolveHooks = {},
): Promise<RunOutcome> {
  FolderLock.requireFree(path);
  RunFolder.requireFree(path);
  using _lock = FolderLock.takeNew(path, COMMAND);
  requirePrices(config);
  const paid = paidFor(config);
  await using task = await openTask(config.task);
  await using models = await openModels(config, planOf(task, null, config).task);
  const plan = planOf(task, models.policy, config);
  requireTestPaid(models.policy, config, plan);
  const folder = createRun(path, { ...config, model: models.resolved });
  return await carryOut(folder, config, { ...models, task, paid, plan }, hooks);
}

/**
 * Continues a run that was killed or interrupted; one that is over is read again, and nothing is asked for.
 * @param maxCost another limit than the run's own, in dollars
 */
export async function resumeRun(
  path: string,
  hooks: EvolveHooks = {},
  { maxCost }: { readonly maxCost?: number | undefined } = {},
): Promise<RunOutcome> {
  const folder = RunFolder.open(path);
  using _lock = FolderLock.take(path, COMMAND);
  const config = resolveConfig(folder.readConfig(), folder.configPath);
  if (maxCost !== undefined) {
    config.evolve.stop.cost = maxCost;
    requirePrices(config);
  }
  const paid = paidFor(config);
  await using task = await openTask(config.task);
  await using models = await openModels(config, planOf(task, null, config).task);
  if (models.purse !== undefined)
    models.purse.spent = spentBefore(new SavedJournal(folder.eventsPath), models.policy, config);
  return await carryOut(folder, config, { ...models, task, paid }, hooks);
}

const paidFor = ({ reuse }: RunConfig) => (reuse === undefined ? undefined : PaidCompletions.open(reuse));

async function carryOut(
  folder: RunFolder,
  config: RunConfig,
  inputs: RunInputs,
  { conclude, ...hooks }: EvolveHooks,
): Promise<RunOutcome> {
  const outcome = await runLocked(folder, config, inputs, hooks);
  const { task, policy } = inputs;
  await conclude?.({ ...outcome, task, policy });
  return outcome;
}
