import { isDeepStrictEqual } from "node:util";
import { LseError } from "../errors.js";
import type { Interval } from "../lib/statistics.js";
import type { GpuName } from "../runtime/gpu-time.js";
import { Progress } from "../terminal/progress.js";
import { OwnFolder } from "../workspace/folder.js";
import { formOf } from "../workspace/forms.js";
import { measureGain } from "../workspace/gain.js";
import { partsOf, problemsOf, requireEnough, writeProblems } from "../workspace/problems.js";
import { protocolFor } from "../workspace/protocol.js";
import { isDone, readSettled, type Settled, settle } from "../workspace/settle.js";
import type { OwnTask } from "../workspace/task.js";
import type { RunConfig } from "./config.js";
import { resumeRun, type Sequel, startRun } from "./evolve.js";
import { dryRun } from "./plan.js";
import { openTask } from "./tasks.js";

export interface OwnEvolveOptions {
  /** Names of the options that were given. */
  readonly given: readonly string[];
  readonly maxCost: number | undefined;
  readonly dryRun: boolean;
  readonly gpu: GpuName | undefined;
  readonly json: boolean;
  /** The configuration that the options make of another one. */
  configOver(base: Partial<RunConfig>): RunConfig;
}

/** Options that the folder answers. */
const REFUSED = [
  "task",
  "taskOption",
  "data",
  "db",
  "subject",
  "testDb",
  "config",
  "out",
  "resume",
  "reuse",
  "schedule",
];

/** Evolves the manual of a folder: a run that was cut off goes on, else a new one starts from the manual. */
export async function evolveOwn(path: string, options: OwnEvolveOptions): Promise<void> {
  const refused = options.given.find((name) => REFUSED.includes(name));
  if (refused !== undefined)
    throw new LseError(
      `--${refused.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} does not go with a folder`,
      "Leave it out: the folder says what is evolved, and keeps the runs",
    );
  const folder = OwnFolder.open(path);
  const last = folder.runs().at(-1);
  if (last !== undefined && !isDone(folder, last)) {
    await goOn(folder, last, options);
    return;
  }
  // A kill came between the end of the run and the manual.
  if (last !== undefined && readSettled(folder, last) === null)
    console.error(settledLine(folder, last, settle(folder, last, null)));
  const config = await configOf(folder, options);
  if (options.dryRun) await dryRun(config, options.gpu, options.json);
  else await begin(folder, config, options);
}

async function goOn(folder: OwnFolder, run: string, { given, maxCost, json }: OwnEvolveOptions) {
  const extra = given.filter((name) => !["json", "maxCost"].includes(name));
  if (extra.length > 0)
    throw new LseError(
      `${folder.runPath(run)} is not over, and goes on with its own configuration (${extra.join(", ")})`,
      "Leave the other options away; or delete that folder to begin anew",
    );
  console.error(`${folder.runPath(run)} goes on.`);
  await resumeRun(folder.runPath(run), maxCost, json, sequelOf(folder, run));
}

/** The configuration of a run on what is in the folder now. @throws LseError where that does not do for one */
async function configOf(folder: OwnFolder, { configOver }: OwnEvolveOptions): Promise<RunConfig> {
  const problems = problemsOf(folder);
  const { evolve, prompts, engine, timeout } = folder.config;
  const usual = formOf(prompts, engine).evolve;
  const over = (isGreedy: boolean) =>
    configOver({
      task: { name: "own", data: folder.path, db: folder.name, timeout },
      ...folder.models(),
      ...(folder.runs().length === 0 ? {} : { reuse: folder.runsPath }),
      evolve: {
        ...{ ...protocolFor(partsOf(problems), isGreedy), ...usual, ...evolve },
        sampling: { ...usual.sampling, ...(evolve.sampling as object | undefined) },
      },
    } as unknown as Partial<RunConfig>);
  const config = over(false);
  if (config.evolve.schedule === "reference")
    throw new LseError(
      `${folder.configPath}: field evolve.schedule: the published code's splits do not keep a question's role`,
      "Leave it out",
    );
  await requireGold(folder, config);
  requireEnough(problems, folder.questionsPath);
  return config.evolve.sampling.temperature === 0 ? over(true) : config;
}

/** @throws LseError naming the questions whose gold fails */
async function requireGold(folder: OwnFolder, config: RunConfig): Promise<void> {
  await using task = (await openTask(config)) as OwnTask;
  using progress = new Progress("questions checked", task.problems.questions.length);
  await task.requireGold(folder.questionsPath, () => progress.tick());
}

async function begin(folder: OwnFolder, config: RunConfig, { json }: OwnEvolveOptions): Promise<void> {
  const run = String(Math.max(0, ...folder.runs().map(Number)) + 1).padStart(3, "0");
  const problems = problemsOf(folder);
  const { test, holdout, pool } = partsOf(problems);
  console.error(
    `${problems.questions.length} questions: ${pool} to learn from, ${holdout} to choose by, ${test} for the test.`,
  );
  // Written before the run's folder: a run that is there has its problems.
  writeProblems(folder.problemsPath(run), problems);
  const task = { ...config.task, data: folder.problemsPath(run) } as RunConfig["task"];
  await startRun(folder.runPath(run), { ...config, task }, json, sequelOf(folder, run));
}

const sequelOf = (folder: OwnFolder, run: string): Sequel => ({
  command: `lse evolve ${folder.path}`,
  conclude: async (over) => {
    keepModels(folder, over.config);
    const settled = settle(folder, run, await measureGain(over));
    return { lines: [settledLine(folder, run, settled)], result: { manual: settled } };
  },
});

/** The folder uses from now on what its last run used: which models, and how a service is asked. */
function keepModels(
  folder: OwnFolder,
  { model: { path, remote, context, gpuLayers }, evolver }: RunConfig,
): void {
  const known = folder.models();
  const named = Object.entries({ path, remote, context, gpuLayers }).filter(
    ([, value]) => value !== undefined,
  );
  const models = { model: { ...known.model, ...Object.fromEntries(named) }, evolver };
  if (isDeepStrictEqual(models, known)) return;
  folder.remember(models as Parameters<OwnFolder["remember"]>[0]);
  console.error(`${folder.configPath} keeps the model for the next time.`);
}

/** What came of a run, in one line. */
function settledLine(
  folder: OwnFolder,
  run: string,
  { outcome, holdout, start, best, test, gain }: Settled,
): string {
  const scores = `${start.toFixed(3)} → ${best.toFixed(3)} on the ${holdout} questions that choose`;
  const onTest =
    test === null
      ? "; there is no test"
      : `; on the ${test.problems} test questions ${intervalText(test)}${gain === null ? "" : `, a gain of ${intervalText(gain)}`}`;
  const whyKept =
    start === 1
      ? `it answers all of the ${holdout} questions that choose, and only new questions can show a better one`
      : `nothing scored above ${start.toFixed(3)} on the ${holdout} questions that choose`;
  const what = {
    taken: `${folder.manualPath} is new: ${scores}${onTest}.`,
    kept: `${folder.manualPath} stays as it was: ${whyKept}${onTest}.`,
    edited: `${folder.manualPath} was edited while the run went on and stays: ${scores}${onTest}; the run's best is ${folder.runPath(run)}/best.md.`,
  };
  return what[outcome];
}

const intervalText = ({ mean, low, high }: Interval) =>
  `${mean.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
