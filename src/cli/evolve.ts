/** `lse evolve`: a run in a new folder, one that goes on, or the manual of a workspace. */
import { Command } from "@commander-js/extra-typings";
import { LseError } from "../errors.js";
import { readJson } from "../lib/json-file.js";
import { overrideConfig, type PartialConfig, type RunConfig, resolveConfig } from "../runs/config.js";
import { resumeRun, startRun } from "../runs/evolve.js";
import { dryRun } from "../runs/run-budget.js";
import type { RunHooks, RunOutcome } from "../runs/run-in-folder.js";
import type { GpuName } from "../runtime/gpu-time.js";
import { EvolveView } from "../terminal/evolve-view.js";
import { untilInterrupted } from "../terminal/interrupt.js";
import { budgetText, dryRunText, hoursOf } from "../terminal/plan-text.js";
import { resultDocument, resultText } from "../terminal/result-text.js";
import { addEvolveOptions, fieldsOf } from "./evolve-options.js";

/** Options that are no fields of the configuration. */
export interface EvolveOptions {
  readonly config?: string;
  readonly out?: string;
  readonly resume?: string;
  readonly maxCost?: number;
  readonly dryRun?: true;
  readonly gpu?: GpuName;
  readonly json?: true;
}

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
    const given: EvolveOptions & Record<string, unknown> = values;
    if (folder !== undefined) {
      const { evolveInWorkspace } = await import("./evolve-workspace.js");
      await evolveInWorkspace(folder, fieldsOf(given), given);
    } else if (given.resume !== undefined) await resume(given.resume, given);
    else {
      const config = configOf(fieldsOf(given), given.config);
      if (given.dryRun) await printDryRun(config, given);
      else await start(config, given);
    }
  });
}

/** The configuration of a file and of options over it. */
function configOf(fields: PartialConfig, file: string | undefined): RunConfig {
  const base = file === undefined ? {} : (readJson(file) as PartialConfig);
  const named = overrideConfig({ task: { name: "bird" } }, base);
  return resolveConfig(overrideConfig(named, fields), file ?? "the command line");
}

async function start(config: RunConfig, { out, json }: EvolveOptions): Promise<void> {
  if (out === undefined)
    throw new LseError("--out is missing", "Give a new folder for the run, such as --out runs/first");
  const outcome = await followed(`lse evolve --resume ${out}`, (hooks) => startRun(out, config, hooks));
  if (outcome !== null) printOutcome(outcome, json);
}

async function resume(path: string, { maxCost, json, ...options }: EvolveOptions): Promise<void> {
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

/** Prints what a run would do, without its model. */
export async function printDryRun(config: RunConfig, { gpu, json }: EvolveOptions): Promise<void> {
  const plan = await dryRun(config, gpu);
  if (!json) return console.log(dryRunText(plan));
  const { budget, costAtMost: cost_at_most, time } = plan;
  console.log(JSON.stringify({ config, budget, cost_at_most, ...(time && { hours: hoursOf(time) }) }));
}

/**
 * Shows a run as it goes on; Ctrl-C ends it cleanly.
 * @param command that goes on with it
 * @returns null when it was interrupted
 */
export async function followed<T>(
  command: string,
  carryOut: (hooks: RunHooks) => Promise<T>,
): Promise<T | null> {
  const work = async (signal: AbortSignal, arm: () => void) => {
    let view: EvolveView | undefined;
    const close = () => {
      view?.[Symbol.dispose]();
      view = undefined;
    };
    try {
      return await carryOut({
        signal,
        onStart: (start) => {
          arm();
          console.error(`${start.task.id}: ${budgetText(start.plan.budget, start.config)}`);
          view = new EvolveView(start);
        },
        onEvent: (event) => {
          view?.follow(event);
          // What is done after the end of a run prints lines of its own.
          if (event.type === "done") close();
        },
      });
    } finally {
      close();
    }
  };
  return await untilInterrupted(`Continue with \`${command}\``, work, "armed");
}

/** @param more what a workspace adds to the document */
export function printOutcome(outcome: RunOutcome, json: true | undefined, more: object = {}): void {
  console.log(json ? JSON.stringify({ ...resultDocument(outcome), ...more }) : resultText(outcome));
}
