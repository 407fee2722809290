/** `lse eval`: scores instructions and a strategy, without evolving anything. */
import { Command } from "@commander-js/extra-typings";
import { LseError } from "../errors.js";
import { baseConfig, type ConfigSource } from "../runs/base-config.js";
import { overrideConfig, type PartialConfig } from "../runs/config.js";
import { evalConfig, evalWorkspaceConfig, nextEval } from "../runs/eval.js";
import { startRun } from "../runs/evolve.js";
import { Workspace } from "../workspace/folder.js";
import { addEvalOptions, fieldsOf } from "./evolve-options.js";
import { type EvolveFlags, followed, printDryRun, printOutcome } from "./follow-run.js";

export function evalCommand() {
  const command = new Command("eval")
    .description("score instructions and a strategy on a task, without evolving anything")
    .argument("[folder]", "a workspace of lse init: scores its manual, on its selection and test questions")
    .addHelpText("after", "\nGo on with one that was cut off: lse evolve --resume <its folder>.");
  addEvalOptions(command);
  return command.action(async (path, values) => {
    const given: EvolveFlags & Record<string, unknown> = values;
    const { from } = given;
    const fields = fieldsOf(given);
    const config =
      path === undefined
        ? ofTask({ from, config: given.config }, fields)
        : await ofWorkspace(path, from ?? given.config, fields);
    if (given.dryRun) return await printDryRun(config, given);
    const out = given.out ?? (path === undefined ? undefined : nextEval(Workspace.open(path)));
    if (out === undefined)
      throw new LseError("--out is missing", "Give a new folder for the scores, such as --out runs/first");
    const outcome = await followed(`lse evolve --resume ${out}`, (hooks) => startRun(out, config, hooks));
    if (outcome !== null) printOutcome(outcome, given.json);
  });
}

function ofTask(source: ConfigSource, given: PartialConfig) {
  const { fields, origin } = baseConfig(source);
  return evalConfig(overrideConfig(fields, given), origin);
}

async function ofWorkspace(path: string, other: string | undefined, fields: PartialConfig) {
  if (other === undefined) return await evalWorkspaceConfig(path, fields);
  throw new LseError(
    "--from and --config do not go with a workspace",
    "Leave them out: the folder says what is scored",
  );
}
