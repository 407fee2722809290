/** The steps that parts of the experiment share; what is done in their folders is not done again. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { basename } from "node:path";
import type { EvolutionTree } from "#lse/evolve/tree.js";
import { treeFromJson } from "#lse/evolve/tree-file.js";
import { RunFolder } from "#lse/journal/run-folder.js";
import { readJson } from "#lse/lib/json-file.js";
import { collect, rangesOf } from "#lse/runs/collect.js";
import { type RunConfig, resolveConfig } from "#lse/runs/config.js";
import { runFolders } from "#lse/runs/run-folders.js";
import { checkTrainConfig } from "#lse/runs/training/config.js";
import { resumeTraining, startTraining } from "#lse/runs/training/train.js";
import { collectHooks } from "#lse/terminal/collect-view.js";
import { Progress } from "#lse/terminal/progress.js";
import { trainingHooks } from "#lse/terminal/training-text.js";

/** The configuration of runs in a file. */
export const configOf = (path: string): RunConfig => resolveConfig(readJson(path), path);

/** Makes runs of evolution. @param databases with ranges such as `train/0-3` */
export async function collected(
  config: RunConfig,
  databases: readonly string[],
  out: string,
  runs = 1,
): Promise<void> {
  using progress = new Progress("answers", 0);
  await collect({ config, databases: rangesOf(databases), runs, atOnce: 64, out }, collectHooks(progress));
}

/**
 * Trains an evolver, or finishes that.
 * @param path its configuration
 * @param changes of the configuration, the trees among them
 */
export async function trained(folder: string, path: string, changes: object): Promise<void> {
  const config = checkTrainConfig({ ...(readJson(path) as object), ...changes }, path);
  using progress = new Progress("updates", config.updates);
  const hooks = trainingHooks(progress, config.updates);
  const training = existsSync(folder) ? resumeTraining(folder, hooks) : startTraining(folder, config, hooks);
  const { step, reward, untrained } = await training;
  console.error(
    `${basename(folder)}: update ${step}; an edit of validation trees brings ${reward.toFixed(3)}, untrained ${untrained.toFixed(3)}`,
  );
}

/** The runs that were learnt from, or validated on. */
export function summaryOf(path: string) {
  const trees = runFolders(path).map((run) => {
    const folder = RunFolder.open(run);
    return treeFromJson(folder.readTree(), folder.treePath).tree;
  });
  const mean = (of: (tree: EvolutionTree) => number) =>
    trees.reduce((sum, tree) => sum + of(tree), 0) / trees.length;
  return {
    folder: basename(path),
    runs: trees.length,
    nodes: trees.reduce((sum, { nodes }) => sum + nodes.length, 0),
    holdout_score: { seed: mean(({ root }) => root.score), best: mean((tree) => tree.best().score) },
  };
}

/** Null outside a repository. */
export function commit(): string | null {
  const { status, stdout } = spawnSync("git", ["rev-parse", "HEAD"], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : null;
}
