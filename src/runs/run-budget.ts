/** What a run will ask for, cost and take, before its model is opened. */
import { existsSync, statSync } from "node:fs";
import { answerSampling } from "../answer/strategy.js";
import { LseError } from "../errors.js";
import { type Budget, planRun, type RunPlan } from "../evolve/plan.js";
import { dollars } from "../evolve/stops.js";
import { qwenParameters } from "../gguf/qwen-layout.js";
import type { LanguageModel } from "../model.js";
import { type GpuName, type GpuTime, gpuTime, type ModelToRun } from "../runtime/gpu-time.js";
import { costOf, type Price } from "../runtime/price.js";
import { isRemote } from "../runtime/remote/names.js";
import type { Task } from "../task.js";
import type { RunConfig } from "./config.js";
import { pricesOf } from "./open-models.js";
import { openTask } from "./tasks.js";

const HALF_BYTES = 2;
/** What a request for a repair takes, at a guess. */
const REPAIR_TOKENS = 200;

/** A run that was planned and not made. */
export interface DryRun {
  readonly config: RunConfig;
  /** The task's id. */
  readonly task: string;
  readonly budget: Budget;
  /** Dollars; null where no model has a price. */
  readonly costAtMost: number | null;
  /** On the GPU that was named. */
  readonly time: GpuTime | null;
}

/** Plans a run without its model. @throws LseError for a run that cannot be made */
export async function dryRun(config: RunConfig, gpu?: GpuName): Promise<DryRun> {
  await using task = await openTask(config.task);
  requirePrices(config);
  const { budget } = planOf(task, null, config);
  return {
    config,
    task: task.id,
    budget,
    costAtMost: costAtMost(budget, config),
    time: gpu === undefined ? null : await timeOn(gpu, [budget], config),
  };
}

/** The plan of a run: in a workspace the old manual answers the test, too, if there may be a new one. @throws as `planRun` */
export const planOf = (task: Task, model: LanguageModel | null, config: RunConfig): RunPlan =>
  planRun(task, model, config.evolve, config.task.name === "own" && config.evolve.rounds > 0);

/** @throws LseError for a limit of cost that limits nothing: a service's model has no price, or no service is asked */
export function requirePrices(config: RunConfig): void {
  const { model, evolver, evolve } = config;
  if (evolve.stop.cost === undefined) return;
  const prices = pricesOf(config);
  const other = evolver.model ?? model.path;
  if (isRemote(model.path) && prices.answers === undefined) throw withoutPrice(model.path, "model");
  if (isRemote(other) && prices.edits === undefined) throw withoutPrice(other, "evolver");
  if (prices.answers === undefined && prices.edits === undefined)
    throw new LseError(
      "`evolve.stop.cost` limits nothing: models on this machine cost nothing",
      "Leave it out, or limit `evolve.stop.tokens`, `evolve.stop.minutes` or `evolve.stop.answers`",
    );
}

const withoutPrice = (name: string, part: "model" | "evolver") =>
  new LseError(
    `\`evolve.stop.cost\` limits nothing: the price of ${name} is not known`,
    `Give \`${part}.remote.price\`, dollars for a million tokens of prompts and of answers, such as 1.25,10`,
  );

/**
 * @throws LseError where a limit of cost does not even suffice for the scores of the seed instructions and the test, if
 * every answer is a single token
 */
export function requireTestPaid(
  model: LanguageModel,
  config: RunConfig,
  { task, split, budget }: RunPlan,
): void {
  const { stop, samples, sampling, strategy } = config.evolve;
  const { answers: price } = pricesOf(config);
  if (stop.cost === undefined || price === undefined) return;
  const compared = budget.comparisonAnswers > 0 ? split.test : [];
  const asked = [...split.holdout, ...split.test, ...compared];
  const ofOneToken = asked.reduce(
    (sum, problem) => sum + costOf(price, model.countTokens(task.prompt(problem, task.seedInstructions)), 1),
    0,
  );
  // A request is sent only if the longest answer could be paid, the last one's too.
  const { maxTokens } = answerSampling(sampling, strategy);
  const least = samples * strategy.samples * ofOneToken + costOf(price, 0, maxTokens - 1);
  if (least <= stop.cost) return;
  throw new LseError(
    `${task.id}: ${dollars(stop.cost)} are not enough: scoring the seed instructions and the test can cost more than ${dollars(least)}`,
    "Raise `evolve.stop.cost`, or lower `evolve.holdout`, `evolve.test`, `evolve.samples` or `evolve.sampling.maxTokens`",
  );
}

/**
 * How long runs would take on a GPU, estimated from its data sheet.
 * @throws LseError for a model whose sizes are not known, or that the GPU cannot hold
 */
export async function timeOn(gpu: GpuName, budgets: readonly Budget[], config: RunConfig): Promise<GpuTime> {
  const { path } = config.model;
  const sum = (of: (budget: Budget) => number) => budgets.reduce((total, budget) => total + of(budget), 0);
  const completions = sum(({ completionsAtMost, edits }) => completionsAtMost + edits);
  const { samples } = config.evolve.strategy;
  const prompts = sum(({ answers, edits }) => answers * samples + edits);
  const time = gpuTime(gpu, await modelToRun(path), {
    completions,
    promptTokens: sum(({ promptTokensEvaluated }) => promptTokensEvaluated),
    promptLength: sum(({ promptTokens }) => promptTokens) / prompts,
    maxTokens: sum(({ generatedTokensAtMost }) => generatedTokensAtMost) / completions,
  });
  if (time !== null) return time;
  throw new LseError(`${path} does not fit into a ${gpu}'s memory`, "Name a larger GPU, or a quantised file");
}

async function modelToRun(path: string): Promise<ModelToRun> {
  const { readSizes } = await import("../gguf/read-model.js");
  const { KNOWN_MODELS, knownSizes } = await import("../train/model/known-models.js");
  const sizes = existsSync(path) ? await readSizes(path) : knownSizes(path);
  if (sizes === null)
    throw new LseError(
      `${path}: no such file, and no model whose sizes are known by name`,
      `Put the model there, or name one of ${KNOWN_MODELS.join(", ")}`,
    );
  const parameters = qwenParameters(sizes.family, sizes.shape, sizes.vocabulary).reduce(
    (total, { dims: [rows, columns = 1] }) => total + rows * columns,
    0,
  );
  const bytes = existsSync(path) ? statSync(path).size : HALF_BYTES * parameters;
  return { parameters, bytes, ...sizes.shape };
}

/** Dollars of a run whose every answer and edit is as long as it may be; null where no model has a price. */
export function costAtMost(
  { completionsAtMost, edits, promptTokens, editPromptTokens, ...budget }: Budget,
  config: RunConfig,
): number | null {
  const prices = pricesOf(config);
  if (prices.answers === undefined && prices.edits === undefined) return null;
  const { repair } = config.evolve.strategy;
  const { answerTokensAtMost, generatedTokensAtMost } = budget;
  const part = (price: Price | undefined, prompts: number, tokens: number) =>
    price === undefined ? 0 : costOf(price, prompts, tokens);
  // A conversation that is repaired has the failed answers in it, and what is said of them.
  const repaired = (1 - 1 / (1 + repair)) * completionsAtMost;
  const repairPrompts = repaired * REPAIR_TOKENS + repair * answerTokensAtMost;
  const answerPrompts = (promptTokens - editPromptTokens) * (1 + repair) + repairPrompts;
  return (
    part(prices.answers, answerPrompts, answerTokensAtMost) +
    part(prices.edits, editPromptTokens, generatedTokensAtMost - answerTokensAtMost)
  );
}
