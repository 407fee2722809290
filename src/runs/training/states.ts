/** The nodes that a training learns from and is judged on. */
import { LseError } from "../../errors.js";
import type { LanguageModel } from "../../model.js";
import { type EditState, editStates } from "../../train/rl/edit-states.js";
import { savedRuns } from "../saved-runs.js";
import type { TaskPool } from "../tasks.js";
import type { TrainConfig } from "./config.js";

export interface TrainStates {
  /** In the order of training. */
  readonly training: readonly EditState[];
  readonly validation: readonly EditState[];
}

export async function trainStates(config: TrainConfig, tasks: TaskPool): Promise<TrainStates> {
  const [trees = [], validation = []] = await Promise.all(
    [config.trees, config.validation].map((path) => savedRuns(path, tasks, config.data)),
  );
  return {
    training: editStates(trees, config.order, config.seed),
    validation: editStates(validation, "random", config.seed).slice(0, config.validationNodes),
  };
}

/**
 * Runs of the published code do not say which model answered: those are taken at the configuration's word.
 * @throws LseError when a node's score is of another model: rewards would be differences between models
 */
export function checkScorer(
  { training, validation }: TrainStates,
  policy: LanguageModel,
  config: TrainConfig,
): void {
  for (const { run } of [...training, ...validation]) {
    if (run.policy === null || run.policy === policy.fingerprint) continue;
    throw new LseError(
      `${run.origin}: its nodes were scored with another model than ${config.policy ?? config.model}`,
      "Name that model as policy, or collect the runs again: rewards are compared with those scores",
    );
  }
}
