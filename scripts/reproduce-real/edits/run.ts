/**
 * What edits bring with real models on real databases: runs of evolution, each in a folder of its own, by kind of edit. A run
 * that was killed is gone on with, and one that is over is read, from the results folder as well.
 *
 *   LSE_REAL_MODELS=models npm run reproduce:real -- --part edits --dev bird/dev --train bird/train
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { SavedJournal } from "#lse/journal/journal-file.js";
import { RunFolder } from "#lse/journal/run-folder.js";
import { type RunConfig, resolveConfig } from "#lse/runs/config.js";
import { evalConfig } from "#lse/runs/eval.js";
import { resumeRun, startRun } from "#lse/runs/evolve.js";
import { leaksIn } from "#lse/runs/leaks.js";
import { openTask } from "#lse/runs/tasks.js";
import { EvolveView } from "#lse/terminal/evolve-view.js";
import { textTable } from "#lse/terminal/text-table.js";
import { DATABASES, type Database } from "../cells.js";
import { fail, measuringCommand, modelFolder, requireKnown } from "../command.js";
import { keepRuns, restoreRuns } from "./kept-runs.js";
import { type DoneRun, editResultsOf } from "./results.js";
import { ACTOR, configOf, EDIT_WAYS, type EditRun, type EditWay, editRuns, isBase, SEEDS } from "./ways.js";

const options = measuringCommand("What kinds of edits bring with real models on real databases.")
  .option("--ways <names...>", "some of them", Object.keys(EDIT_WAYS))
  .option("--seeds <count>", "runs of each way on each database", Number, SEEDS)
  .option("--stored", "read the runs that are over, and make none")
  .option("--out <folder>", "where the runs' folders lie", "runs/real-edits")
  .option(
    "--results <folder>",
    "where results and runs that are over go, and those of before are found; without it results are printed",
  )
  .parse()
  .opts();

const models = options.stored ? "" : modelFolder();
requireKnown(options.databases, DATABASES);
requireKnown(options.ways, EDIT_WAYS);

const RESULTS = { json: "real-edits.json", runs: "real-edits.parquet" };
const resultAt = (name: keyof typeof RESULTS) => join(options.results ?? "", RESULTS[name]);

mkdirSync(options.out, { recursive: true });
const runs = editRuns(options.ways, options.databases as Database[], options.seeds);
const everyRun = editRuns(
  Object.keys(EDIT_WAYS),
  Object.keys(DATABASES) as Database[],
  Math.max(SEEDS, options.seeds),
);
if (options.results !== undefined)
  await restoreRuns(resultAt("runs"), options.out, (name) =>
    resolvedConfig(
      everyRun.find((run) => run.name === name) ??
        fail(
          `${resultAt("runs")}: "${name}" is not known`,
          "Give as many `--seeds` as it has, or another folder",
        ),
    ),
  );
const at = ({ name }: EditRun) => join(options.out, name);
const started = performance.now();
if (!options.stored)
  for (const run of runs) {
    if ((performance.now() - started) / 60_000 > options.minutes) break;
    if (isOver(at(run))) continue;
    await make(run);
    await keep();
  }
const done = await doneRuns();
const results = editResultsOf(done, { machine: `${cpus()[0]?.model}, 2 threads`, actor: ACTOR });
const rows = [...results.gain, ...results.methods];
const percent = (value: number) => `${value < 0 ? "" : "+"}${(100 * value).toFixed(1)}`;
console.log(
  textTable([
    ["edits", "runs", "usable", "before", "after", "gain", "low", "high"],
    ...rows.map(({ edits, runs, before, after, mean, low, high }) => [
      edits,
      String(runs),
      `${(100 * (results.usable.find((row) => row.edits === edits)?.share ?? 0)).toFixed(0)} %`,
      ...[before, after].map((score) => `${(100 * score).toFixed(1)} %`),
      ...[mean, low, high].map(percent),
    ]),
  ]),
);
if (options.results !== undefined) {
  await keep();
  writeFileSync(resultAt("json"), `${JSON.stringify(results, null, 1)}\n`);
}

async function keep(): Promise<void> {
  if (options.results === undefined) return;
  const over = everyRun.filter((run) => isOver(at(run))).map(({ name }) => name);
  await keepRuns(resultAt("runs"), options.out, over);
}

/** Makes a run, or goes on with it. */
async function make(run: EditRun): Promise<void> {
  console.error(`${run.way}, ${run.database}, seed ${run.seed}`);
  let view: EvolveView | undefined;
  const hooks = {
    onStart: (start: ConstructorParameters<typeof EvolveView>[0]) => {
      view = new EvolveView(start);
    },
    onEvent: (event: Parameters<EvolveView["follow"]>[0]) => view?.follow(event),
  };
  try {
    if (RunFolder.isUsed(at(run))) await resumeRun(at(run), hooks);
    else await startRun(at(run), resolvedConfig(run), hooks);
  } finally {
    view?.[Symbol.dispose]();
  }
}

function resolvedConfig(run: EditRun): RunConfig {
  const hasRuns = readdirSync(options.out).some((name) =>
    existsSync(join(options.out, name, "events.jsonl")),
  );
  const [dev, train] = [resolve(options.dev), resolve(options.train)];
  const places = { dev, train, models, runs: hasRuns ? options.out : undefined };
  const config = configOf(run, places);
  const isScored = EDIT_WAYS[run.way]?.evolve.rounds === 0;
  return isScored ? evalConfig(config, run.name) : resolveConfig(config, run.name);
}

function isOver(path: string): boolean {
  return existsSync(join(path, "events.jsonl")) && eventsOf(path).recall("done", "done") !== undefined;
}

function eventsOf(path: string): SavedJournal {
  return new SavedJournal(join(path, "events.jsonl"));
}

/** Runs that are over, each with the one without edits that it is compared with, if that is over, too. */
async function doneRuns(): Promise<DoneRun[]> {
  const over = runs.filter((run) => isOver(at(run)));
  const nameOf = ({ database, seed }: EditRun, way: string) => [way, database, seed].join();
  const scores = new Map(over.map((run) => [nameOf(run, run.way), testScores(at(run))]));
  const twins = new Map<string, ReadonlySet<string>>();
  const result: DoneRun[] = [];
  for (const run of over) {
    const { evolver = ACTOR, base = "seed", isRival = false } = EDIT_WAYS[run.way] as EditWay;
    const before = scores.get(nameOf(run, base));
    if (isBase(run.way) || before === undefined) continue;
    const own = twins.get(run.database) ?? (await twinsIn(at(run)));
    twins.set(run.database, own);
    const { leaks } = await leaksIn(at(run));
    if (leaks.length > 0)
      fail(`${at(run)}: ${leaks[0]}`, "Look at `lse validate --run`: this run counts for nothing");
    const events = eventsOf(at(run));
    // In a mixed run, those that the evolver wrote.
    const edits = [...events.all("edit")].filter(({ kind }) => kind !== "example");
    result.push({
      ...run,
      evolver,
      isRival,
      tried: edits.length,
      usable: edits.filter(({ rejected }) => rejected === null).length,
      answers: events.count("answer"),
      chosen: scores.get(nameOf(run, run.way)) as Map<string, number>,
      before,
      twins: own,
    });
  }
  return result;
}

const testScores = (path: string): Map<string, number> =>
  new Map(
    [...eventsOf(path).all("answer")]
      .filter(({ phase }) => phase === "test")
      .map(({ problem, outcome }) => [problem, outcome.score]),
  );

/** Questions that have a twin in their database. */
async function twinsIn(path: string): Promise<ReadonlySet<string>> {
  const folder = RunFolder.open(path);
  await using task = await openTask(resolveConfig(folder.readConfig(), folder.configPath).task);
  const keys = new Map<string, string[]>();
  for (const id of task.problemIds)
    for (const key of task.parts?.twinKeys(id) ?? []) keys.set(key, [...(keys.get(key) ?? []), id]);
  return new Set([...keys.values()].filter((own) => own.length > 1).flat());
}
