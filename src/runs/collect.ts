/** Many runs of evolution side by side, whose trees an evolver is trained on. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { LseError } from "../errors.js";
import type { RunEvent } from "../journal/journal.js";
import { SavedJournal } from "../journal/journal-file.js";
import { PaidCompletions } from "../journal/paid-completions.js";
import { RunFolder } from "../journal/run-folder.js";
import { FolderLock } from "../lib/folder-lock.js";
import { type Seat, together } from "../runtime/together.js";
import type { RunConfig } from "./config.js";
import { openModels, spentBefore } from "./open-models.js";
import { planOf, requirePrices, requireTestPaid } from "./run-budget.js";
import { type RunOutcome, runInFolder } from "./run-in-folder.js";
import { createRun } from "./saved-config.js";
import { TaskPool } from "./tasks.js";

/** Which runs are made, and where. */
export interface CollectOptions {
  /** Of every run, but for database and seed: run i of a database has the seed `evolve.seed` + i. */
  readonly config: RunConfig;
  readonly databases: readonly string[];
  /** Runs of each database. */
  readonly runs: number;
  /** Runs at a time. */
  readonly atOnce: number;
  /** Folder for the runs' folders. */
  readonly out: string;
}

/** Who is told what while runs are collected. */
export interface CollectHooks {
  /** @param answers of all runs together @param done what earlier processes answered of them */
  readonly onStart?: (answers: number, done: number) => void;
  readonly onEvent?: (event: RunEvent) => void;
  readonly onRunOver?: (outcome: RunOutcome) => void;
  readonly signal?: AbortSignal;
}

interface Job {
  readonly path: string;
  readonly config: RunConfig;
}

/**
 * Makes the runs that are missing in `out` and completes those that were cut off. A limit of cost holds for all of
 * them together, over all the processes that worked on them.
 */
export async function collect(options: CollectOptions, hooks: CollectHooks = {}): Promise<void> {
  const { config, atOnce } = options;
  const { onEvent, onRunOver, signal } = hooks;
  const jobs = jobsOf(options);
  requirePrices(config);
  using _lock = FolderLock.takeNew(options.out, "lse collect");
  await using tasks = new TaskPool();
  // All of them now: a database that cannot be used is found out before anything is paid for.
  const [first] = await Promise.all(jobs.map((job) => tasks.open(job.config.task)));
  if (first === undefined) throw new LseError("no database is named", "Name at least one");
  const paid = config.reuse === undefined ? undefined : PaidCompletions.open(config.reuse);
  await using models = await openModels(config, planOf(first, null, config).task, jobs.length);
  const { policy, evolver, purse, resolved } = models;
  const journals = jobs
    .map(({ path }) => join(path, "events.jsonl"))
    .filter((path) => existsSync(path))
    .map((path) => new SavedJournal(path));
  if (purse !== undefined)
    purse.spent = journals.reduce((sum, events) => sum + spentBefore(events, policy, config), 0);
  const plan = planOf(first, policy, config);
  requireTestPaid(policy, config, plan);
  const done = journals.reduce((sum, events) => sum + events.count("answer"), 0);
  hooks.onStart?.(jobs.length * plan.budget.answers, done);

  const carryOut = async (job: Job, seat: Seat) => {
    const folder = RunFolder.isUsed(job.path)
      ? RunFolder.open(job.path)
      : createRun(job.path, { ...job.config, model: resolved });
    if (isOver(folder)) return;
    const inputs = {
      task: await tasks.open(job.config.task),
      policy: seat(policy),
      evolver: evolver && seat(evolver),
      paid,
    };
    const outcome = await runInFolder(folder, job.config, inputs, { onEvent, signal });
    onRunOver?.(outcome);
  };
  for (let from = 0; from < jobs.length; from += atOnce) {
    signal?.throwIfAborted();
    await together(jobs.slice(from, from + atOnce).map((job) => (seat) => carryOut(job, seat)));
  }
}

const jobsOf = ({ config, databases, runs, out }: CollectOptions): Job[] =>
  databases.flatMap((db) =>
    Array.from({ length: runs }, (_, i): Job => {
      const seed = config.evolve.seed + i;
      return {
        path: join(out, `${db.replaceAll("/", "-")}-seed${seed}`),
        config: { ...config, task: { ...config.task, db }, evolve: { ...config.evolve, seed } },
      };
    }),
  );

const isOver = (folder: RunFolder): boolean =>
  existsSync(folder.treePath) && new SavedJournal(folder.eventsPath).recall("done", "done") !== undefined;

/** Names, with ranges such as `train/0-3` written out. @throws LseError for a range that runs backwards */
export function rangesOf(names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const [, start, from, to] = /^(.*\/)?(\d+)-(\d+)$/.exec(name) ?? [];
    if (from === undefined || to === undefined) return [name];
    const count = Number(to) - Number(from) + 1;
    if (count < 1)
      throw new LseError(`"${name}" is a range without numbers`, "Give the smaller number first");
    return Array.from({ length: count }, (_, i) => `${start ?? ""}${Number(from) + i}`);
  });
}
