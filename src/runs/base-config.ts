/** What the options of a command are put over: a configuration file, another run, or nothing. */
import { LseError } from "../errors.js";
import { RunFolder } from "../journal/run-folder.js";
import { readJsonObject } from "../lib/json-file.js";
import { overrideConfig, type PartialConfig, resolveConfig } from "./config.js";

/** Where a configuration comes from. */
export interface ConfigSource {
  /** A config.json. */
  readonly config?: string | undefined;
  /** The folder of a run: its settings, with its best instructions to start from. */
  readonly from?: string | undefined;
}

/**
 * The fields to start from.
 * @returns with `origin`, which names the source in messages
 * @throws LseError for two sources, and for one that cannot be read
 */
export function baseConfig({ config, from }: ConfigSource): { fields: PartialConfig; origin: string } {
  if (from !== undefined && config !== undefined)
    throw new LseError("--from and --config both say what to start with", "Give one of them");
  if (from !== undefined) return { fields: ofRun(from), origin: from };
  const base = config === undefined ? {} : (readJsonObject(config) as PartialConfig);
  const fields = overrideConfig({ task: { name: "bird" }, model: {} }, base);
  return { fields, origin: config ?? "the command line" };
}

function ofRun(path: string): PartialConfig {
  const folder = RunFolder.open(path);
  const { evolve, ...config } = resolveConfig(folder.readConfig(), folder.configPath);
  const { rounds, batch, ...settings } = evolve;
  // An evaluation has no rounds, and batches of one unless a run gave it its own, which decides what the test is.
  const sizes = { ...(rounds === 0 ? {} : { rounds }), ...(rounds === 0 && batch === 1 ? {} : { batch }) };
  return { ...config, evolve: { ...settings, ...sizes, instructions: folder.readBest() } };
}
