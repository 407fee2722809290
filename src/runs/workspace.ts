/** Evolving the manual of a workspace: its configuration, the run, and what comes of it for the manual. */
import { resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { LseError } from "../errors.js";
import { RunFolder } from "../journal/run-folder.js";
import { FolderLock } from "../lib/folder-lock.js";
import { limitMs } from "../lib/time-limit.js";
import { Workspace } from "../workspace/folder.js";
import { formOf } from "../workspace/forms.js";
import { measureGain } from "../workspace/gain.js";
import { type Problems, partsOf, problemsOf, requireEnough, writeProblems } from "../workspace/problems.js";
import { type Parts, protocolFor } from "../workspace/protocol.js";
import { isDone, readSettled, type Settled, settle } from "../workspace/settle.js";
import { WorkspaceTask } from "../workspace/task.js";
import { overrideConfig, type PartialConfig, type RunConfig, resolveConfig } from "./config.js";
import { type EvolveHooks, resumeRun, startRun } from "./evolve.js";
import type { RunHooks, RunOutcome } from "./run-in-folder.js";

/** What happens around the run, for people to follow. */
export type WorkspaceStep =
  /** A run that was cut off goes on. */
  | { readonly kind: "resumed"; readonly runPath: string }
  /** A run has ended, and its best instructions have become the manual or not. */
  | { readonly kind: "settled"; readonly run: string; readonly settled: Settled; readonly isEarlier: boolean }
  | { readonly kind: "checking"; readonly questions: number }
  | { readonly kind: "checked" }
  | { readonly kind: "divided"; readonly parts: Parts }
  /** lse.json names the run's model from now on. */
  | { readonly kind: "model kept" };

/** Who is told what while a manual evolves. */
export interface WorkspaceHooks extends Pick<RunHooks, "onStart" | "onEvent" | "signal"> {
  readonly onStep?: ((step: WorkspaceStep) => void) | undefined;
}

/** What came of evolving a manual. */
export interface WorkspaceOutcome {
  readonly outcome: RunOutcome;
  readonly settled: Settled;
}

type WorkspaceRunConfig = RunConfig & { readonly task: Extract<RunConfig["task"], { name: "own" }> };

/**
 * Evolves the manual of a workspace: a run that was cut off goes on, else a new one starts from the manual.
 * @param over fields of the run's configuration, over those of the workspace
 * @throws LseError for questions that do not suffice, gold queries that fail, and fields that the workspace decides
 */
export async function evolveWorkspace(
  path: string,
  over: PartialConfig = {},
  hooks: WorkspaceHooks = {},
): Promise<WorkspaceOutcome> {
  const folder = Workspace.open(path);
  using _lock = FolderLock.take(path, "lse evolve");
  const last = folder.runs().at(-1);
  if (last !== undefined && !isDone(folder, last)) {
    const isBegun = RunFolder.isUsed(folder.runPath(last));
    // One that failed before it had paid for anything begins anew, if it is asked for in another way.
    if (isBegun || resumable(over).given.length === 0) return await goOn(folder, last, over, hooks);
    return await begin(folder, last, await prepare(folder, over, hooks), hooks);
  }
  // A kill came between the end of the run and the manual.
  if (last !== undefined && readSettled(folder, last) === null) {
    const settled = settle(folder, last, null);
    hooks.onStep?.({ kind: "settled", run: last, settled, isEarlier: true });
  }
  return await begin(folder, runAfter(last), await prepare(folder, over, hooks), hooks);
}

/** The name of the run after one, of at least three digits. */
const runAfter = (last = "0") => String(Number(last) + 1).padStart(3, "0");

/**
 * The configuration of a new run on what is in the workspace now; every gold query is executed for it.
 * @throws as `evolveWorkspace`
 */
export async function workspaceConfig(
  path: string,
  over: PartialConfig = {},
  hooks: Pick<WorkspaceHooks, "onStep"> = {},
): Promise<WorkspaceRunConfig> {
  return (await prepare(Workspace.open(path), over, hooks)).config;
}

/** A run that can begin. */
interface Prepared {
  readonly config: WorkspaceRunConfig;
  readonly problems: Problems;
}

async function prepare(
  folder: Workspace,
  over: PartialConfig,
  { onStep }: Pick<WorkspaceHooks, "onStep">,
): Promise<Prepared> {
  refuseFields(over);
  const problems = problemsOf(folder);
  const { evolve, prompts, engine, timeout } = folder.config;
  const { model, evolver } = folder.models();
  const own: PartialConfig = {
    task: { name: "own", data: folder.path, db: folder.name, timeout },
    // Another model has settings of its own.
    model: isAnother(over.model?.path, model.path) ? {} : model,
    evolver: isAnother(over.evolver?.model, evolver.model) ? {} : evolver,
    ...(folder.runs().length === 0 ? {} : { reuse: folder.runsPath }),
    evolve,
  };
  const { path: modelPath } = overrideConfig(own, over).model ?? {};
  const usual: PartialConfig = { evolve: formOf(prompts, engine).settings(modelPath) };
  const chosen = overrideConfig(overrideConfig(usual, own), over);
  const { sampling, strategy } = resolveConfig(chosen, folder.configPath).evolve;
  const isSettled = sampling.temperature === 0 || strategy.samples > 1;
  const protocol: PartialConfig = { evolve: { ...protocolFor(partsOf(problems), isSettled) } };
  const config = resolveConfig(overrideConfig(protocol, chosen), folder.configPath);
  if (config.evolve.schedule === "reference")
    throw new LseError(
      `${folder.configPath}: field evolve.schedule: the published code's splits do not keep a question's role`,
      "Leave it out",
    );
  onStep?.({ kind: "checking", questions: problems.questions.length });
  await requireGold(folder, config, () => onStep?.({ kind: "checked" }));
  requireEnough(problems, folder.questionsPath);
  return { config: withOwnTask(config), problems };
}

/** Whether a model that is asked for is not the one that lse.json names, if it names one. */
const isAnother = (asked: unknown, known: unknown): boolean =>
  typeof asked === "string" && known !== asked && known !== resolve(asked);

/** @throws LseError naming a field that the workspace decides */
function refuseFields({ task = {}, reuse, evolve = {} }: PartialConfig): void {
  const refused = [
    ...Object.keys(task)
      .filter((name) => name !== "timeout" && name !== "cache")
      .map((name) => `task.${name}`),
    ...(reuse === undefined ? [] : ["reuse"]),
    ...(["schedule", "instructions"] as const)
      .filter((name) => evolve[name] !== undefined)
      .map((name) => `evolve.${name}`),
  ];
  if (refused.length > 0)
    throw new LseError(
      `\`${refused[0]}\` does not go with a workspace`,
      "Leave it out: the folder says what is evolved, and keeps the runs",
    );
}

/** @throws LseError naming the questions whose gold fails */
async function requireGold(folder: Workspace, config: RunConfig, onQuestion: () => void): Promise<void> {
  const { task } = withOwnTask(config);
  await using opened = await WorkspaceTask.open({
    dataPath: task.data,
    timeoutMs: limitMs(task.timeout),
    cacheFolder: task.cache,
  });
  await opened.requireGold(folder.questionsPath, onQuestion);
}

function withOwnTask(config: RunConfig): WorkspaceRunConfig {
  const { task } = config;
  if (task.name !== "own") throw new Error(`a workspace has a task of its own, not ${task.name}`);
  return { ...config, task };
}

async function begin(
  folder: Workspace,
  run: string,
  { config, problems }: Prepared,
  hooks: WorkspaceHooks,
): Promise<WorkspaceOutcome> {
  hooks.onStep?.({ kind: "divided", parts: partsOf(problems) });
  // Written before the run's folder: a run that is there has its problems.
  writeProblems(folder.problemsPath(run), problems);
  const task = { ...config.task, data: folder.problemsPath(run) };
  return await settledAfter(folder, run, hooks, (evolveHooks) =>
    startRun(folder.runPath(run), { ...config, task }, evolveHooks),
  );
}

async function goOn(
  folder: Workspace,
  run: string,
  over: PartialConfig,
  hooks: WorkspaceHooks,
): Promise<WorkspaceOutcome> {
  const { given, maxCost } = resumable(over);
  if (given.length > 0)
    throw new LseError(
      `${folder.runPath(run)} is not over, and goes on with its own configuration (${given.map((field) => `\`${field}\``).join(", ")})`,
      "Drop the other options; or delete that folder to start anew",
    );
  hooks.onStep?.({ kind: "resumed", runPath: folder.runPath(run) });
  return await settledAfter(folder, run, hooks, (evolveHooks) =>
    resumeRun(folder.runPath(run), evolveHooks, { maxCost }),
  );
}

/** The limit of cost, which a run may get anew, and the names of all other fields. */
function resumable(over: PartialConfig): { given: string[]; maxCost: number | undefined } {
  const fields = (value: unknown, path: string): string[] =>
    typeof value === "object" && value !== null
      ? Object.entries(value).flatMap(([name, own]) => fields(own, path === "" ? name : `${path}.${name}`))
      : value === undefined
        ? []
        : [path];
  const stop = over.evolve?.stop as { readonly cost?: number } | undefined;
  const given = fields(over, "").filter((field) => field !== "evolve.stop.cost");
  return { given, maxCost: stop?.cost };
}

/** Carries out a run and settles, with its model still open, what comes of it for the manual. */
async function settledAfter(
  folder: Workspace,
  run: string,
  { onStep, ...hooks }: WorkspaceHooks,
  carryOut: (hooks: EvolveHooks) => Promise<RunOutcome>,
): Promise<WorkspaceOutcome> {
  let settled: Settled | undefined;
  const outcome = await carryOut({
    ...hooks,
    conclude: async (over) => {
      if (keepModels(folder, over.config)) onStep?.({ kind: "model kept" });
      settled = settle(folder, run, await measureGain(over));
    },
  });
  if (settled === undefined) throw new Error(`${folder.runPath(run)} ended without being settled`);
  onStep?.({ kind: "settled", run, settled, isEarlier: false });
  return { outcome, settled };
}

/**
 * The workspace uses from now on what its last run used: which models, and how a service is asked.
 * @returns whether that is something new
 */
function keepModels(
  folder: Workspace,
  { model: { path, remote, template, context, gpuLayers }, evolver }: RunConfig,
): boolean {
  const known = folder.models();
  const given = Object.entries({ path, remote, template, context, gpuLayers }).filter(
    ([, value]) => value !== undefined,
  );
  const before = known.model.path === path ? known.model : {};
  const models = { model: { ...before, ...Object.fromEntries(given) }, evolver };
  if (isDeepStrictEqual(models, known)) return false;
  folder.remember(models);
  return true;
}
