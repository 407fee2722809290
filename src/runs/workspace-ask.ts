/** Asking a workspace's database a question with its manual. */
import { existsSync } from "node:fs";
import { type ReliabilityRow, ratedAnswers, reliability, rowFor } from "../answer/reliability.js";
import { LseError } from "../errors.js";
import { SavedJournal } from "../journal/journal-file.js";
import { RunFolder } from "../journal/run-folder.js";
import { readJson } from "../lib/json-file.js";
import { type Answered, ask } from "../workspace/ask.js";
import { askedPrompt } from "../workspace/asked-prompt.js";
import { openExecutor } from "../workspace/executor.js";
import type { Workspace } from "../workspace/folder.js";
import { formOf } from "../workspace/forms.js";
import { isDone } from "../workspace/settle.js";
import { overrideConfig, type RunConfig, resolveConfig } from "./config.js";
import { openModels } from "./open-models.js";

/** A question, with hints that belong to it. */
export interface WorkspaceQuery {
  readonly question: string;
  readonly evidence: string;
}

/**
 * Opens the workspace's model, asks it, and executes its query.
 * @param model in place of the workspace's own
 * @throws LseError where there is no model, or the database cannot be used
 */
export async function askWorkspace(
  folder: Workspace,
  { question, evidence }: WorkspaceQuery,
  model?: string,
): Promise<Answered> {
  const config = answeringConfig(folder, model);
  const { sampling, strategy } = config.evolve;
  const { messages, instructions } = askedPrompt(folder, { question, evidence }, strategy);
  await using executor = openExecutor(folder);
  await using models = await openModels(config, {
    problemIds: ["asked"],
    seedInstructions: instructions,
    prompt: () => messages,
  });
  return await ask(folder, { question, evidence }, { model: models.policy, sampling, strategy, executor });
}

/** The configuration for single answers: the model with the settings that its last run found to be fast. */
function answeringConfig(folder: Workspace, model: string | undefined): RunConfig {
  const own = folder.models().model;
  if (model === undefined && own.path === undefined)
    throw new LseError(
      `${folder.configPath}: it names no model yet`,
      "Give one with `model.path`; lse evolve keeps it",
    );
  const { prompts, engine, evolve, timeout } = folder.config;
  const usual = { evolve: formOf(prompts, engine).settings(model ?? own.path) };
  const { evolve: chosen } = overrideConfig(usual, { evolve });
  const config = resolveConfig(
    {
      task: { name: "own", data: folder.path, db: folder.name, timeout },
      model: model === undefined ? own : { path: model },
      evolve: { sampling: chosen?.sampling, strategy: chosen?.strategy },
    },
    folder.configPath,
  );
  const last = folder.runs().at(-1);
  const measured = last === undefined ? undefined : modelOf(folder.runPath(last));
  return measured?.path === config.model.path
    ? { ...config, model: { ...measured, ...config.model } }
    : config;
}

function modelOf(run: string): RunConfig["model"] | undefined {
  const { configPath } = RunFolder.open(run);
  return existsSync(configPath) ? resolveConfig(readJson(configPath), configPath).model : undefined;
}

/** How often answers with so much agreement were right in the last finished run that drew several; null without one. */
export function agreementRecord(folder: Workspace, confidence: number): ReliabilityRow | null {
  const last = folder.runs().findLast((run) => isDone(folder, run));
  if (last === undefined) return null;
  const events = new SavedJournal(RunFolder.open(folder.runPath(last)).eventsPath);
  const best = events.recall("done", "done")?.best ?? 0;
  return rowFor(reliability(ratedAnswers(events.all("answer"), best)), confidence) ?? null;
}
