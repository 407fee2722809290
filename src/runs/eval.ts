/** Runs without rounds: they score instructions and a strategy, and leave the same files as any other run. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Workspace } from "../workspace/folder.js";
import { overrideConfig, type PartialConfig, type RunConfig, resolveConfig } from "./config.js";
import { workspaceConfig } from "./workspace.js";

/** Nothing is edited, so that no batch is needed. */
const WITHOUT_ROUNDS: PartialConfig = { evolve: { rounds: 0, batch: 1, stop: {} } };

/** @param origin where the fields come from, for error messages @throws LseError naming the field that is wrong */
export const evalConfig = (fields: PartialConfig, origin: string): RunConfig =>
  resolveConfig(overrideConfig(fields, WITHOUT_ROUNDS), origin);

/**
 * Scores the manual of a workspace, or other instructions, on the questions that are there now.
 * @throws as `workspaceConfig`
 */
export async function evalWorkspaceConfig(path: string, fields: PartialConfig): Promise<RunConfig> {
  const { instructions, ...evolve } = fields.evolve ?? {};
  const config = await workspaceConfig(path, { ...fields, evolve });
  const given = typeof instructions === "string" ? { instructions } : {};
  return { ...config, evolve: { ...config.evolve, ...given, rounds: 0, batch: 1 } };
}

/** The folder for the next scores of a workspace: its `evals/001`, `evals/002`, … */
export function nextEval(folder: Workspace): string {
  for (let i = 1; ; i++) {
    const path = join(folder.path, "evals", String(i).padStart(3, "0"));
    if (!existsSync(path)) return path;
  }
}
