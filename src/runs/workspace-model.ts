import { existsSync } from "node:fs";
import { LseError } from "../errors.js";
import { RunFolder } from "../journal/run-folder.js";
import { readJson } from "../lib/json-file.js";
import type { OwnFolder } from "../workspace/folder.js";
import { formOf } from "../workspace/forms.js";
import { type RunConfig, resolveConfig } from "./config.js";

/**
 * The configuration for single answers: the folder's model with the settings that its last run found to be fast.
 * @param model in place of the folder's own
 * @throws LseError where there is no model
 */
export function answeringConfig(folder: OwnFolder, model: string | undefined): RunConfig {
  const own = folder.models().model;
  if (model === undefined && own.path === undefined)
    throw new LseError(
      `${folder.configPath}: it names no model yet`,
      "Give one with --model; lse evolve keeps it",
    );
  const { prompts, engine, evolve, timeout } = folder.config;
  const usual = formOf(prompts, engine).evolve;
  const config = resolveConfig(
    {
      task: { name: "own", data: folder.path, db: folder.name, timeout },
      model: model === undefined ? own : { path: model },
      evolve: { sampling: { ...usual.sampling, ...(evolve.sampling as object | undefined) } },
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
