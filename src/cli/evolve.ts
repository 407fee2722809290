/** `lse evolve`: a run in a new folder, one that goes on, or the manual of a workspace. */
import { Command } from "@commander-js/extra-typings";
import { LseError } from "../errors.js";
import { baseConfig, type ConfigSource } from "../runs/base-config.js";
import { overrideConfig, type PartialConfig, type RunConfig, resolveConfig } from "../runs/config.js";
import { resumeRun, startRun } from "../runs/evolve.js";
import { addEvolveOptions, FIELD_DESCRIPTIONS, fieldsOf } from "./evolve-options.js";
import { type EvolveFlags, followed, printDryRun, printOutcome } from "./follow-run.js";

export function evolveCommand() {
  const command = new Command("evolve")
    .description("evolve a task's instructions with a model in this process")
    .argument("[folder]", "a workspace of lse init: your own database, in place of --task, --data and --out")
    .option("--all", "with --help: show every option")
    .addHelpText("after", ({ command }) =>
      command.getOptionValue("all") || isAll ? "" : "\nlse evolve --help --all shows every option.",
    );
  const isAll = process.argv.includes("--all");
  addEvolveOptions(command, isAll);
  return command.action(async (folder, values) => {
    const given: EvolveFlags & Record<string, unknown> = values;
    if (given.schema) {
      const { configSchema } = await import("../runs/config-schema.js");
      return console.log(JSON.stringify(configSchema(FIELD_DESCRIPTIONS), null, 2));
    }
    if (folder !== undefined) {
      const { evolveInWorkspace } = await import("./evolve-workspace.js");
      await evolveInWorkspace(folder, fieldsOf(given), given);
    } else if (given.resume !== undefined) await resume(given.resume, given);
    else {
      const config = configOf(given, fieldsOf(given));
      if (given.dryRun) await printDryRun(config, given);
      else await start(config, given);
    }
  });
}

/** The configuration of a file or a run, and of options over it. */
function configOf(source: ConfigSource, given: PartialConfig): RunConfig {
  const { fields, origin } = baseConfig(source);
  return resolveConfig(overrideConfig(fields, given), origin);
}

async function start(config: RunConfig, { out, json }: EvolveFlags): Promise<void> {
  if (out === undefined)
    throw new LseError("--out is missing", "Give a new folder for the run, such as --out runs/first");
  const outcome = await followed(`lse evolve --resume ${out}`, (hooks) => startRun(out, config, hooks));
  if (outcome !== null) printOutcome(outcome, json);
}

async function resume(path: string, { maxCost, json, ...options }: EvolveFlags): Promise<void> {
  const { resume: _, ...others } = options;
  const extra = Object.keys(others);
  if (extra.length > 0)
    throw new LseError(
      `--resume goes on with the run's own configuration and takes no other option than --max-cost (${extra.join(", ")})`,
      "Drop the other options, or start a new run with --config and --out",
    );
  const outcome = await followed(`lse evolve --resume ${path}`, (hooks) =>
    resumeRun(path, hooks, { maxCost }),
  );
  if (outcome !== null) printOutcome(outcome, json);
}
