import { budgetOf } from "../evolve/config.js";
import { type Evolution, requireRunnable } from "../evolve/evolve.js";
import { dollars } from "../evolve/stops.js";
import type { TreeNode } from "../evolve/tree.js";
import { EventFile, EventLog } from "../journal/event-log.js";
import type { CrossValidatedScore } from "../journal/journal.js";
import { PaidCompletions } from "../journal/paid-completions.js";
import { RunFolder } from "../journal/run-folder.js";
import type { Interval } from "../lib/statistics.js";
import type { LanguageModel, Usage } from "../model.js";
import { CachedModel } from "../runtime/cached-model.js";
import { costOf, Purse } from "../runtime/price.js";
import type { Task } from "../task.js";
import { EvolveView } from "../terminal/evolve-view.js";
import { untilInterrupted } from "../terminal/interrupt.js";
import { count, plural } from "../terminal/numbers.js";
import { formatSeconds } from "../terminal/progress.js";
import { renderTree, rewardText } from "../terminal/render-tree.js";
import { openEvolver, openModel, pricesOf, type RunConfig, resolveConfig } from "./config.js";
import { describeBudget } from "./plan.js";
import { evolveInFolder } from "./run-in-folder.js";
import { openTask } from "./tasks.js";

/** What a run is part of. */
export interface Sequel {
  /** The command that goes on with an interrupted run. */
  readonly command: string;
  /** Called when the run is over, with its model still open: what is printed after its result, and put into it. */
  conclude(over: FinishedRun): Promise<{ readonly lines: readonly string[]; readonly result: object }>;
}

export interface FinishedRun {
  readonly folder: RunFolder;
  readonly config: RunConfig;
  readonly evolution: Evolution;
  readonly task: Task;
  readonly model: LanguageModel;
}

/**
 * Evolves in a new run folder and prints the result. The folder is made when nothing but the work itself can
 * fail any more.
 */
export async function startRun(
  path: string,
  config: RunConfig,
  json: boolean,
  sequel?: Sequel,
): Promise<void> {
  RunFolder.requireFree(path);
  const paid = config.reuse === undefined ? undefined : new PaidCompletions(config.reuse);
  await using task = await openTask(config);
  const purse = purseFor(config);
  const opened = await openModel(config, task, purse);
  await using model = opened.model;
  requireRunnable(task, model, config.evolve);
  await using evolver = await openEvolver(config, model, purse);
  const folder = RunFolder.create(path, { ...config, model: opened.resolved });
  await evolveIn(folder, config, task, rolesOf(model, evolver, paid), json, sequel);
}

/**
 * Continues a run that was killed, interrupted or is done already, and prints the result.
 * @param maxCost another limit than the run's own
 */
export async function resumeRun(
  path: string,
  maxCost: number | undefined,
  json: boolean,
  sequel?: Sequel,
): Promise<void> {
  const folder = RunFolder.open(path);
  const config = resolveConfig(folder.readConfig(), folder.configPath);
  if (maxCost !== undefined) config.evolve.stop.cost = maxCost;
  const paid = config.reuse === undefined ? undefined : new PaidCompletions(config.reuse);
  await using task = await openTask(config);
  const purse = purseFor(config);
  const opened = await openModel(config, task, purse);
  await using model = opened.model;
  await using evolver = await openEvolver(config, model, purse);
  if (purse !== undefined) purse.spent = spentBefore(new EventFile(folder.eventsPath), model, config);
  await evolveIn(folder, config, task, rolesOf(model, evolver, paid), json, sequel);
}

const purseFor = ({ evolve: { stop } }: RunConfig) =>
  stop.cost === undefined ? undefined : new Purse(stop.cost, 0);

/** What a run's completions have cost until now, in dollars. */
function spentBefore(events: EventFile, model: LanguageModel, config: RunConfig): number {
  const { answers, edits } = pricesOf(config);
  let spent = 0;
  for (const { fingerprint, completion } of events.all("generation")) {
    const price = fingerprint === model.fingerprint ? answers : edits;
    if (price !== undefined) spent += costOf(price, completion.promptTokens, completion.generatedTokens);
  }
  return spent;
}

/** Who answers, and who writes the edits if that is another. */
interface Roles {
  readonly model: LanguageModel;
  readonly evolver: LanguageModel | undefined;
  /** What other runs have paid for, if they may be used. */
  readonly paid: PaidCompletions | undefined;
}

/** Both look among the completions of other runs first, if they may. */
function rolesOf(
  model: LanguageModel,
  evolver: LanguageModel | undefined,
  paid: PaidCompletions | undefined,
): Roles {
  if (paid === undefined) return { model, evolver, paid };
  const cached = (inner: LanguageModel) => new CachedModel(inner, paid);
  return { model: cached(model), evolver: evolver && cached(evolver), paid };
}

async function evolveIn(
  folder: RunFolder,
  config: RunConfig,
  task: Task,
  roles: Roles,
  json: boolean,
  sequel: Sequel | undefined,
): Promise<void> {
  using log = new EventLog(folder.eventsPath);
  const budget = budgetOf(task, config.evolve);
  console.error(`${task.id}: ${describeBudget(budget, config)}`);
  const command = sequel?.command ?? `lse evolve --resume ${folder.path}`;
  const evolution = await untilInterrupted(`Continue with \`${command}\``, async (signal) => {
    using view = new EvolveView(config, budget, log);
    log.onEvent = (event) => view.follow(event);
    const { model, evolver } = roles;
    const options = { evolver, signal, prices: pricesOf(config) };
    return await evolveInFolder(folder, log, task, model, config.evolve, options);
  });
  if (evolution === null) return;
  const more = await sequel?.conclude({ folder, config, evolution, task, model: roles.model });
  if (json) {
    console.log(JSON.stringify({ ...resultOf(folder, evolution, log, roles), ...more?.result }));
  } else {
    printResult(folder, evolution, log, roles);
    if (more !== undefined) console.log(`\n${more.lines.join("\n")}`);
  }
}

function resultOf(
  folder: RunFolder,
  { tree, rejectedEdits, test, crossValidation, spent }: Evolution,
  log: EventLog,
  { model: { usage }, paid }: Roles,
) {
  const summary = ({ id, reward, standardError, instructions }: TreeNode) => ({
    node: id,
    reward,
    standard_error: Number.isNaN(standardError) ? null : standardError,
    instructions,
  });
  return {
    run: folder.path,
    stop_reason: log.recall("done", "done")?.reason ?? null,
    seed: summary(tree.root),
    best: summary(tree.best()),
    test,
    cross_validation: crossValidation,
    nodes: tree.nodes.length,
    rejected_edits: rejectedEdits,
    answers: log.count("answer"),
    generations: log.count("generation"),
    reused: paid?.found ?? 0,
    cost: { answers: spent.answersCost, edits: spent.editsCost },
    usage,
  };
}

function printResult(
  folder: RunFolder,
  { tree, rejectedEdits, test, crossValidation, spent }: Evolution,
  log: EventLog,
  { model: { usage }, paid }: Roles,
): void {
  const best = tree.best();
  const lines = [
    renderTree(tree),
    "",
    best.id === 0
      ? `No edit scored higher than the seed instructions (${rewardText(best)} on the holdout).`
      : `Best: node ${best.id}, ${rewardText(best)} on the holdout; the seed ${rewardText(tree.root)}. ` +
        "It was chosen on that holdout, which is biased upwards.",
    ...(crossValidation === null ? [] : [crossValidationText(crossValidation)]),
    test === null
      ? "There was no test: expect less on new problems."
      : `On ${test.problems} test problems, which nothing else has seen: ${intervalText(test)} (95 % interval).`,
    `Ended because ${log.recall("done", "done")?.reason}: ` +
      `${log.count("answer")} answers, ${plural(rejectedEdits, "edit")} not usable. This process: ${describeUsage(usage)}.`,
    ...(spent.answersCost + spent.editsCost === 0
      ? []
      : [`The answers cost ${dollars(spent.answersCost)}, the edits ${dollars(spent.editsCost)}.`]),
    ...(paid === undefined ? [] : [`${paid.found} completions came from other runs.`]),
    `Instructions: ${folder.path}/best.md. What each edit changed: lse tree ${folder.path}`,
  ];
  console.log(lines.join("\n"));
}

const crossValidationText = ({ folds, mean, deviation, nodes }: CrossValidatedScore) =>
  `Chosen without a fold of the holdout and scored on it, nodes ${[...new Set(nodes)].join(", ")} reach ` +
  `${mean.toFixed(3)} ± ${deviation.toFixed(3)} (${folds} folds).`;

function describeUsage(usage: Usage): string {
  const { completions, promptTokensAsked, promptTokensEvaluated, tokensGenerated, seconds } = usage;
  return (
    `${count(completions)} completions, ${count(tokensGenerated)} tokens generated, ` +
    `${count(promptTokensEvaluated)} of ${count(promptTokensAsked)} prompt tokens evaluated, in ${formatSeconds(seconds)}`
  );
}

const intervalText = ({ mean, low, high }: Interval) =>
  `${mean.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
