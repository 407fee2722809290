/** Folders of finished runs, such as `lse collect` fills. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { underStrategy } from "../answer/under-strategy.js";
import { LseError } from "../errors.js";
import { settled } from "../evolve/methods.js";
import { splitProblems } from "../evolve/split.js";
import { treeFromJson } from "../evolve/tree-file.js";
import { SavedJournal } from "../journal/journal-file.js";
import { RunFolder } from "../journal/run-folder.js";
import type { SavedRun } from "../train/rl/edit-states.js";
import { resolveConfig } from "./config.js";
import { isReferenceRun, referenceRun } from "./reference-runs.js";
import type { TaskPool } from "./tasks.js";

/**
 * Reads all runs in a folder, in the order of their names: ours, and those of the published code.
 * @param data BIRD's folder, for the latter
 * @throws LseError for a folder without runs, a run that is not over, or one of problems that have changed since:
 * its scores and the rewards of new edits would be measured on different ones
 */
export async function savedRuns(folder: string, tasks: TaskPool, data?: string): Promise<SavedRun[]> {
  const names = existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => existsSync(join(folder, name, "config.json")) || isReferenceRun(join(folder, name)))
        .sort()
    : [];
  if (names.length === 0)
    throw new LseError(`${folder}: no runs here`, "Give a folder that `lse collect` has filled");
  return await Promise.all(
    names.map((name) => {
      const path = join(folder, name);
      return isReferenceRun(path) ? referenceRun(path, data, tasks) : savedRun(path, tasks);
    }),
  );
}

async function savedRun(path: string, tasks: TaskPool): Promise<SavedRun> {
  const folder = RunFolder.open(path);
  const { task: about, evolve } = resolveConfig(folder.readConfig(), folder.configPath);
  const config = settled(evolve);
  const events = new SavedJournal(folder.eventsPath);
  const inputs = events.recall("inputs", "inputs");
  if (events.recall("done", "done") === undefined || inputs === undefined)
    throw new LseError(
      `${path}: this run is not over`,
      "Let `lse collect` finish it, or take its folder away",
    );
  const task = await tasks.open(about);
  if (inputs.task !== task.fingerprint)
    throw new LseError(
      `${path}: the run's problems have changed since`,
      "Its scores would be compared with rewards on other problems: collect the run again",
    );
  // Before there were mixed runs, the configuration alone said what edits are.
  const edits = config.edits === "mixed" ? "rewrite" : config.edits;
  const { tree, records } = treeFromJson(folder.readTree(), folder.treePath, edits);
  const { holdout, pool } = splitProblems(task, config);
  return {
    origin: path,
    policy: inputs.model,
    task: underStrategy(task, config, pool),
    config,
    tree,
    records,
    holdout,
  };
}
