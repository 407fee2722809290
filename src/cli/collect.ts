import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { LseError } from "../errors.js";
import { type Budget, budgetOf, METHODS } from "../evolve/config.js";
import { evolve } from "../evolve/evolve.js";
import { treeToJson } from "../evolve/tree-file.js";
import { EventLog } from "../journal/event-log.js";
import { RunFolder } from "../journal/run-folder.js";
import { readJson } from "../lib/json-file.js";
import type { LanguageModel } from "../model.js";
import { openEvolver, openModel, pricesOf, type RunConfig, resolveConfig } from "../runs/config.js";
import { describeBudget, describeTime, timeOn } from "../runs/plan.js";
import { TaskPool } from "../runs/tasks.js";
import type { GpuName } from "../runtime/gpu-time.js";
import { Purse } from "../runtime/price.js";
import { type Seat, together } from "../runtime/together.js";
import { untilInterrupted } from "../terminal/interrupt.js";
import { count, plural } from "../terminal/numbers.js";
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
    .addOption(new Option("--method <name>", "in place of the configuration's").choices(METHODS))
    .option("--runs <count>", "runs of each database, of different seeds", integer(1), 1)
    .option("--together <count>", "runs at a time", integer(1), 16)
    .option("--out <folder>", "folder for the runs' folders; what is done there is not done again")
    .option("--dry-run", "print what the runs would ask for, and stop")
    .addOption(gpuOption())
    .action(async ({ config: file, db, method, runs, together: atOnce, out, dryRun, gpu }) => {
      const named = resolveConfig(readJson(file), file);
      const evolve = { ...named.evolve, ...(method === undefined ? {} : { method }) };
      const config = resolveConfig({ ...named, evolve }, file);
      const databases = databasesOf(db);
      if (dryRun) return await plan(config, databases, runs, gpu);
      if (out === undefined)
        throw new LseError("--out is missing", "Give a folder for the runs, such as --out runs/trees");
      await untilInterrupted("The same command goes on", async (signal) => {
        await collect({ config, databases, runs, atOnce, out, signal });
        console.log(`${out}: ${databases.length * runs} runs`);
      });
    });
}

/** Names, with ranges such as `train/0-3` written out. */
export function databasesOf(names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const [, start, from, to] = /^(.*\/)?(\d+)-(\d+)$/.exec(name) ?? [];
    if (from === undefined || to === undefined) return [name];
    const count = Number(to) - Number(from) + 1;
    if (count < 1)
      throw new LseError(`"${name}" is a range without numbers`, "Give the smaller number first");
    return Array.from({ length: count }, (_, i) => `${start ?? ""}${Number(from) + i}`);
  });
}

/** Prints what the runs would ask for. */
async function plan(
  config: RunConfig,
  databases: readonly string[],
  runs: number,
  gpu: GpuName | undefined,
): Promise<void> {
  await using tasks = new TaskPool();
  const budgets: Budget[] = [];
  for (const db of databases) {
    const task = await tasks.open({ ...config.task, db });
    const budget = budgetOf(task, config.evolve);
    for (let i = 0; i < runs; i++) budgets.push(budget);
    console.log(`${task.id}: ${plural(runs, "run")}, each of ${describeBudget(budget, config)}`);
  }
  const sum = (of: (budget: Budget) => number) =>
    count(budgets.reduce((total, budget) => total + of(budget), 0));
  console.log(
    `In all: ${plural(budgets.length, "run")}, ${sum(({ edits }) => edits)} edits, ${sum(({ answers }) => answers)} answers`,
  );
  if (gpu !== undefined) console.log(describeTime(await timeOn(gpu, budgets, config)));
}

export interface CollectOptions {
  /** Of every run, but for database and seed: run i of a database has the seed `evolve.seed` + i. */
  readonly config: RunConfig;
  readonly databases: readonly string[];
  readonly runs: number;
  readonly atOnce: number;
  readonly out: string;
  readonly signal?: AbortSignal;
}

/** Makes the runs that are missing in `out` and completes those that were cut off. */
export async function collect(options: CollectOptions): Promise<void> {
  const { config, databases, runs, atOnce, out, signal } = options;
  const jobs = databases.flatMap((db) =>
    Array.from({ length: runs }, (_, i) => ({
      path: join(out, `${db.replaceAll("/", "-")}-seed${config.evolve.seed + i}`),
      config: {
        ...config,
        task: { ...config.task, db },
        evolve: { ...config.evolve, seed: config.evolve.seed + i },
      } satisfies RunConfig,
    })),
  );
  await using tasks = new TaskPool();
  // All of them now: a database that cannot be used is to show before anything is paid for.
  const [first] = await Promise.all(jobs.map((job) => tasks.open(job.config.task)));
  if (first === undefined) throw new LseError("no database is named", "Give some with --db");
  const { cost } = config.evolve.stop;
  const purse = cost === undefined ? undefined : new Purse(cost * jobs.length, 0);
  const { model, resolved } = await openModel(config, first, purse);
  await using policy = model;
  await using evolver = await openEvolver(config, policy, purse);
  using progress = new Progress("answers", jobs.length * budgetOf(first, config.evolve).answers);

  const carryOut = async ({ path, config }: (typeof jobs)[number], seat: Seat) => {
    const folder = existsSync(join(path, "config.json"))
      ? RunFolder.open(path)
      : RunFolder.create(path, { ...config, model: resolved });
    using log = new EventLog(folder.eventsPath);
    const task = await tasks.open(config.task);
    progress.skip(log.count("answer"));
    if (log.recall("done", "done") !== undefined && existsSync(folder.treePath)) return;
    log.onEvent = ({ type }) => type === "answer" && progress.tick();
    const models: [LanguageModel, LanguageModel | undefined] = [seat(policy), evolver && seat(evolver)];
    const state = await evolve(task, models[0], config.evolve, log, {
      ...{ evolver: models[1], signal, prices: pricesOf(config) },
    });
    folder.writeTree(treeToJson(state, config.evolve));
    folder.writeBest(state.tree.best().instructions);
    log.sync();
    progress.say(`${path}: ${state.tree.root.reward.toFixed(3)} → ${state.tree.best().reward.toFixed(3)}`);
  };
  for (let from = 0; from < jobs.length; from += atOnce) {
    signal?.throwIfAborted();
    await together(jobs.slice(from, from + atOnce).map((job) => (seat) => carryOut(job, seat)));
  }
}
