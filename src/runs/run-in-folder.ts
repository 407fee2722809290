import { existsSync } from "node:fs";
import type { EvolveConfig } from "../evolve/config.js";
import { type Evolution, type EvolveOptions, evolve } from "../evolve/evolve.js";
import { treeToJson } from "../evolve/tree-file.js";
import type { EventLog } from "../journal/event-log.js";
import type { RunFolder } from "../journal/run-folder.js";
import type { LanguageModel } from "../model.js";
import { UsageMeter } from "../runtime/usage-meter.js";
import type { Task } from "../task.js";

/**
 * Evolves in a run's folder, from where it is: events as they happen, tree, best instructions and usage after each round,
 * and a file named `stop` ends it in good order.
 * @param log of the folder's `eventsPath`
 * @throws as `evolve`
 */
export async function evolveInFolder(
  folder: RunFolder,
  log: EventLog,
  task: Task,
  model: LanguageModel,
  config: EvolveConfig,
  options: Omit<EvolveOptions, "onRound" | "stopRequested"> = {},
): Promise<Evolution> {
  const { evolver } = options;
  const meter = new UsageMeter([model, ...(evolver === undefined ? [] : [evolver])]);
  return await evolve(task, model, config, log, {
    ...options,
    stopRequested: () => existsSync(folder.stopPath),
    onRound: (state, round) => {
      log.record({ type: "usage", key: `${round}`, round, ...meter.read() });
      log.sync();
      folder.writeTree(treeToJson(state, config));
      folder.writeBest(state.tree.best().instructions);
    },
  });
}
