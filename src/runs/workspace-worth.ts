/** What each rule of a workspace's manual is worth: measured with the model of its last run. */
import { join } from "node:path";
import { underStrategy } from "../answer/under-strategy.js";
import { LseError } from "../errors.js";
import { splitProblems } from "../evolve/split.js";
import { JournalFile } from "../journal/journal-file.js";
import { PaidCompletions } from "../journal/paid-completions.js";
import { RunFolder } from "../journal/run-folder.js";
import { FolderLock } from "../lib/folder-lock.js";
import { CachedModel } from "../runtime/cached-model.js";
import type { Workspace } from "../workspace/folder.js";
import { formOf } from "../workspace/forms.js";
import { MEASURED } from "../workspace/measure.js";
import { isDone } from "../workspace/settle.js";
import { answersFor, measureWorth, type Worth } from "../workspace/worth.js";
import { resolveConfig } from "./config.js";
import { openModels } from "./open-models.js";
import { openTask } from "./tasks.js";

/** Who is told what while rules are measured. */
export interface WorthHooks {
  readonly onStart?: (about: { rules: number; problems: number; answers: number }) => void;
  readonly onAnswer?: () => void;
  readonly signal?: AbortSignal;
}

/**
 * Measures each rule by leaving it out; answers are kept beside the last run, and found there when it is done again.
 * @throws LseError before the first run is over
 */
export async function measureManual(folder: Workspace, hooks: WorthHooks = {}): Promise<Worth> {
  const manual = folder.manual();
  const last = folder.runs().findLast((run) => isDone(folder, run));
  if (manual === null || last === undefined)
    throw new LseError(
      `${folder.path}: there is no manual to measure yet`,
      `Make one with lse evolve ${folder.path}`,
    );
  using _lock = FolderLock.take(folder.path, "lse manual --worth");
  const home = RunFolder.open(folder.runPath(last));
  const config = resolveConfig(home.readConfig(), home.configPath);
  const { prompts, engine } = folder.config;
  const rules = formOf(prompts, engine).rules(manual);
  await using opened = await openTask(config.task);
  const { holdout, pool } = splitProblems(opened, config.evolve);
  const task = underStrategy(opened, config.evolve, pool);
  const answers = answersFor(rules.length, holdout.length, config.evolve.samples);
  hooks.onStart?.({ rules: rules.length, problems: holdout.length, answers });
  await using models = await openModels(config, task);
  using journal = new JournalFile(join(home.path, MEASURED));
  journal.onEvent = ({ type }) => type === "answer" && hooks.onAnswer?.();
  const paid = new CachedModel(models.policy, PaidCompletions.open(folder.runsPath));
  return await measureWorth(manual, rules, holdout, {
    task,
    model: new CachedModel(paid, journal),
    config: config.evolve,
    journal,
    signal: hooks.signal,
  });
}
