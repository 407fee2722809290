/** Runs without rounds: they score instructions and a strategy, and leave the same files as any other run. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Workspace } from "../workspace/folder.js";
import { type PartialConfig, type RunConfig, resolveConfig } from "./config.js";
import { workspaceConfig } from "./workspace.js";

/** Only the limit of cost can stop an evaluation: it has no rounds after which it could end. */
const limitsOf = ({ cost }: { readonly cost?: number | undefined } = {}) =>
  cost === undefined ? {} : { cost };

/**
 * The configuration of an evaluation: nothing is edited, so that no batch is needed and no evolver is opened. The size
 * of a run's batches stays: it decides which problems are the test, and the run has learned from the others.
 * @param origin where the fields come from, for error messages
 * @throws LseError naming the field that is wrong
 */
export function evalConfig({ evolver: _, ...fields }: PartialConfig, origin: string): RunConfig {
  const evolve = { batch: 1, ...fields.evolve, rounds: 0, stop: limitsOf(fields.evolve?.stop as object) };
  return resolveConfig({ ...fields, evolve }, origin);
}

/**
 * Scores the manual of a workspace, or other instructions, on the questions that are there now.
 * @throws as `workspaceConfig`
 */
export async function evalWorkspaceConfig(path: string, fields: PartialConfig): Promise<RunConfig> {
  const { instructions, ...evolve } = fields.evolve ?? {};
  const config = await workspaceConfig(path, { ...fields, evolve });
  const given = typeof instructions === "string" ? { instructions } : {};
  const stop = limitsOf(config.evolve.stop);
  return { ...config, evolver: {}, evolve: { ...config.evolve, ...given, rounds: 0, batch: 1, stop } };
}

/** The folder for the next scores of a workspace: its `evals/001`, `evals/002`, … */
export function nextEval(folder: Workspace): string {
  for (let i = 1; ; i++) {
    const path = join(folder.path, "evals", String(i).padStart(3, "0"));
    if (!existsSync(path)) return path;
  }
}
