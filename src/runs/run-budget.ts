/** What a run will ask for, cost and take, before its model is opened. */
import { existsSync, statSync } from "node:fs";
import { LseError } from "../errors.js";
import { type Budget, planRun } from "../evolve/plan.js";
import { qwenParameters } from "../gguf/qwen-layout.js";
import { type GpuName, type GpuTime, gpuTime, type ModelToRun } from "../runtime/gpu-time.js";
import { costOf, type Price } from "../runtime/price.js";
import type { RunConfig } from "./config.js";
import { pricesOf } from "./open-models.js";
import { openTask } from "./tasks.js";

const HALF_BYTES = 2;

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
  const { budget } = planRun(task, null, config.evolve);
  return {
    config,
    task: task.id,
    budget,
    costAtMost: costAtMost(budget, config),
    time: gpu === undefined ? null : await timeOn(gpu, [budget], config),
  };
}

/**
 * How long runs would take on a GPU, estimated from its data sheet.
 * @throws LseError for a model whose sizes are not known, or that the GPU cannot hold
 */
export async function timeOn(gpu: GpuName, budgets: readonly Budget[], config: RunConfig): Promise<GpuTime> {
  const { path } = config.model;
  const sum = (of: (budget: Budget) => number) => budgets.reduce((total, budget) => total + of(budget), 0);
  const completions = sum(({ answers, edits }) => answers + edits);
  const time = gpuTime(gpu, await modelToRun(path), {
    completions,
    promptTokens: sum(({ promptTokensEvaluated }) => promptTokensEvaluated),
    promptLength: sum(({ promptTokens }) => promptTokens) / completions,
    maxTokens: config.evolve.sampling.maxTokens,
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
  { answers, edits, promptTokens, editPromptTokens }: Budget,
  config: RunConfig,
): number | null {
  const prices = pricesOf(config);
  if (prices.answers === undefined && prices.edits === undefined) return null;
  const { maxTokens } = config.evolve.sampling;
  const part = (price: Price | undefined, prompts: number, completions: number) =>
    price === undefined ? 0 : costOf(price, prompts, completions * maxTokens);
  return (
    part(prices.answers, promptTokens - editPromptTokens, answers) +
    part(prices.edits, editPromptTokens, edits)
  );
}
