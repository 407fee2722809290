/** What `lse report` and `lse watch` show of folders: runs, comparisons, trainings. */
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { describeStrategy } from "../answer/strategy.js";
import { compareRuns } from "../evolve/compare.js";
import { SavedJournal } from "../journal/journal-file.js";
import { RunFolder } from "../journal/run-folder.js";
import { runData } from "../report/run-data.js";
import type { ReportData, RunData, TrainingData } from "../report/types.js";
import type { Task } from "../task.js";
import { CURVE, readCurve } from "../train/curve.js";
import type { LearnPoint } from "../train/rl/learn.js";
import { type RunConfig, resolveConfig } from "./config.js";
import { finishedRun, methodOf } from "./finished-run.js";
import { runFolders } from "./run-folders.js";
import { openTask } from "./tasks.js";

/** Of more runs than these, only the comparison is shown. */
export const MOST_RUNS = 12;
/** Of a normal distribution. */
const Z95 = 1.96;

/** Runs and trainings whose folders are open: their data can be read again while they go on. */
export class ReportSource implements AsyncDisposable {
  readonly #tasks = new Map<string, Task>();
  readonly #runs: readonly { readonly path: string; readonly config: RunConfig }[];
  readonly #trainings: readonly string[];

  /** @throws LseError where there is neither a run nor a training */
  constructor(paths: readonly string[]) {
    this.#trainings = paths.filter((path) => existsSync(join(path, CURVE)));
    this.#runs = paths
      .filter((path) => !existsSync(join(path, CURVE)))
      .flatMap(runFolders)
      .map((path) => {
        const folder = RunFolder.open(path);
        return { path, config: resolveConfig(folder.readConfig(), folder.configPath) };
      });
  }

  /**
   * Opens the runs' tasks, for the texts of their questions.
   * @returns why questions of which runs cannot be shown
   * @throws LseError for a damaged journal
   */
  async openTasks(): Promise<string[]> {
    const failures: string[] = [];
    for (const { path, config } of this.#runs.slice(0, MOST_RUNS)) {
      // A journal that cannot be read is no reason for less: it ends the page.
      const inputs = eventsOf(path).recall("inputs", "inputs");
      const fail = (why: unknown) => failures.push(`${path}: questions are not shown, ${why}`);
      try {
        const task = await openTask(config.task);
        if (task.fingerprint === inputs?.task) {
          this.#tasks.set(path, task);
          continue;
        }
        await task[Symbol.asyncDispose]();
        fail("its task is not what it was");
      } catch (error) {
        fail(error instanceof Error ? error.message : error);
      }
    }
    return failures;
  }

  /** Files that tell by their sizes whether there is something new. */
  get files(): string[] {
    return [
      ...this.#runs.map(({ path }) => join(path, "events.jsonl")),
      ...this.#trainings.map((path) => join(path, CURVE)),
    ];
  }

  read(): ReportData {
    const names = shortNames(this.#runs.map(({ path }) => path));
    const runs = this.#runs
      .slice(0, MOST_RUNS)
      .map(({ path, config }, i) => this.#readRun(path, config, names[i] as string));
    const over = this.#runs.filter(({ path }) => isOver(path));
    return {
      runs,
      comparison: over.length < 2 ? null : compareRuns(over.map(({ path }) => finishedRun(path))),
      trainings: this.#trainings.map(trainingOf),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const task of this.#tasks.values()) await task[Symbol.asyncDispose]();
  }

  #readRun(path: string, config: RunConfig, name: string): RunData {
    const task = this.#tasks.get(path);
    const describe = task?.describe?.bind(task) ?? null;
    return runData({
      folder: RunFolder.open(path),
      name,
      describe,
      task: task?.id ?? [config.task.name, config.task.db].filter((part) => part !== undefined).join("/"),
      method: methodOf(config),
      draws: config.evolve.strategy.samples,
      settings: settingsOf(config),
    });
  }
}

const eventsOf = (path: string) => new SavedJournal(RunFolder.open(path).eventsPath);

const isOver = (path: string): boolean => eventsOf(path).recall("done", "done") !== undefined;

function settingsOf({ model, evolver, evolve }: RunConfig): [string, string][] {
  const { sampling } = evolve;
  return [
    ["Model that answers", basename(model.path)],
    [
      "Evolver",
      [evolver.model ?? model.path, evolver.adapter ?? ""]
        .filter(Boolean)
        .map((file) => basename(file))
        .join(" + "),
    ],
    ["Strategy", describeStrategy(evolve.strategy)],
    ["Rounds", String(evolve.rounds)],
    ["Batch, holdout, samples", `${evolve.batch}, ${evolve.holdout}, ${evolve.samples}`],
    ["Temperature, top-p, top-k", `${sampling.temperature}, ${sampling.topP}, ${sampling.topK}`],
    ["Seed", String(evolve.seed)],
  ];
}

/** The last part of each path; with the folder above it where two have the same. */
function shortNames(paths: readonly string[]): string[] {
  const last = paths.map((path) => basename(resolve(path)));
  return paths.map((path, i) =>
    last.filter((name) => name === last[i]).length === 1
      ? (last[i] as string)
      : `${basename(dirname(resolve(path)))}/${last[i]}`,
  );
}

function trainingOf(path: string): TrainingData {
  const points = readCurve<LearnPoint>(join(path, CURVE)).filter(({ reward }) => Number.isFinite(reward));
  return {
    name: basename(resolve(path)),
    points: points.map(({ kind, step, reward, rewardError }) => ({
      kind,
      step,
      reward,
      low: Number.isFinite(rewardError) ? reward - Z95 * rewardError : null,
      high: Number.isFinite(rewardError) ? reward + Z95 * rewardError : null,
    })),
  };
}
