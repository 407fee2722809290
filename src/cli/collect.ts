/** `lse collect`: many runs, whose trees an evolver is trained on. */
import { Command, Option } from "@commander-js/extra-typings";
import { LseError } from "../errors.js";
import { METHOD_NAMES } from "../evolve/config.js";
import { type Budget, planRun } from "../evolve/plan.js";
import { readJsonObject } from "../lib/json-file.js";
import { type CollectOptions, collect, rangesOf } from "../runs/collect.js";
import { overrideConfig, type PartialConfig, type RunConfig, resolveConfig } from "../runs/config.js";
import { requirePrices, timeOn } from "../runs/run-budget.js";
import { TaskPool } from "../runs/tasks.js";
import type { GpuName } from "../runtime/gpu-time.js";
import { collectHooks } from "../terminal/collect-view.js";
import { untilInterrupted } from "../terminal/interrupt.js";
import { count, plural } from "../terminal/numbers.js";
import { budgetText, timeText } from "../terminal/plan-text.js";
import { Progress } from "../terminal/progress.js";
import { gpuOption, integer } from "./options.js";

export function collectCommand() {
  return new Command("collect")
    .description("many runs of evolution at once, whose trees an evolver is trained on")
    .requiredOption("--config <file>", "configuration of the runs, such as configs/mini-trees.json")
    .requiredOption(
      "--db <names...>",
      "databases, or subjects of mmlu; train/0-47 stands for train/0, train/1 … train/47",
    )
    .addOption(new Option("--method <name>", "in place of the configuration's").choices(METHOD_NAMES))
    .option("--runs <count>", "runs of each database, of different seeds", integer(1), 1)
    .option("--together <count>", "runs at a time", integer(1), 16)
    .option("--out <folder>", "folder for the runs' folders; what is done there is not done again")
    .option("--dry-run", "print what the runs would ask for, and stop")
    .addOption(gpuOption())
    .action(async ({ config: file, db, method, runs, together: atOnce, out, dryRun, gpu }) => {
      const config = resolveConfig(
        overrideConfig(readJsonObject(file) as PartialConfig, { evolve: { method } }),
        file,
      );
      const databases = rangesOf(db);
      if (dryRun) return await plan(config, databases, runs, gpu);
      if (out === undefined)
        throw new LseError("--out is missing", "Give a folder for the runs, such as --out runs/trees");
      await untilInterrupted("The same command goes on", async (signal) => {
        await follow({ config, databases, runs, atOnce, out }, signal);
        console.log(`${out}: ${databases.length * runs} runs`);
      });
    });
}

async function follow(options: CollectOptions, signal: AbortSignal): Promise<void> {
  using progress = new Progress("answers", 0);
  await collect(options, { signal, ...collectHooks(progress) });
}

/** Prints what the runs would ask for. */
async function plan(
  config: RunConfig,
  databases: readonly string[],
  runs: number,
  gpu: GpuName | undefined,
): Promise<void> {
  requirePrices(config);
  await using tasks = new TaskPool();
  const budgets: Budget[] = [];
  for (const db of databases) {
    const task = await tasks.open({ ...config.task, db });
    const { budget } = planRun(task, null, config.evolve);
    for (let i = 0; i < runs; i++) budgets.push(budget);
    console.log(`${task.id}: ${plural(runs, "run")}, each of ${budgetText(budget, config)}`);
  }
  const sum = (of: (budget: Budget) => number) =>
    count(budgets.reduce((total, budget) => total + of(budget), 0));
  console.log(
    `In all: ${plural(budgets.length, "run")}, ${sum(({ edits }) => edits)} edits, ${sum(({ answers }) => answers)} answers`,
  );
  if (gpu !== undefined) console.log(timeText(await timeOn(gpu, budgets, config)));
}
