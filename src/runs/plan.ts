/** What runs will ask for and take, before anything is paid for. */
import { existsSync, statSync } from "node:fs";
import { LseError } from "../errors.js";
import { type Budget, budgetOf } from "../evolve/config.js";
import { describeStops, dollars } from "../evolve/stops.js";
import { qwenParameters } from "../gguf/qwen-layout.js";
import { ASSUMED, type GpuName, type GpuTime, gpuTime, type ModelToRun } from "../runtime/gpu-time.js";
import { costOf } from "../runtime/price.js";
import { count, plural } from "../terminal/numbers.js";
import { formatSeconds } from "../terminal/progress.js";
import { pricesOf, type RunConfig } from "./config.js";
import { openTask } from "./tasks.js";

const HALF_BYTES = 2;

/** Prints what a run would do, without its model. */
export async function dryRun(config: RunConfig, gpu: GpuName | undefined, json: boolean): Promise<void> {
  await using task = await openTask(config);
  const budget = budgetOf(task, config.evolve);
  const time = gpu === undefined ? undefined : await timeOn(gpu, [budget], config);
  if (json) {
    const cost_at_most = costAtMost(budget, config);
    console.log(JSON.stringify({ config, budget, cost_at_most, ...(time && { hours: hoursOf(time) }) }));
    return;
  }
  console.log(`${JSON.stringify(config, null, 2)}\n\n${task.id}: ${describeBudget(budget, config)}`);
  if (time !== undefined) console.log(describeTime(time));
}

/** @throws LseError for a model whose sizes are not known, or that the GPU cannot hold */
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

export const hoursOf = ({ gpu, sequences, prompts, perHundredTokens, atMost }: GpuTime) => ({
  ...{ gpu, sequences, prompts, per_hundred_tokens: perHundredTokens, at_most: atMost },
});

export function describeTime({ gpu, sequences, prompts, perHundredTokens, atMost }: GpuTime): string {
  const time = (hours: number) => formatSeconds(3600 * hours);
  return (
    `On one ${gpu}, estimated from its data sheet at ${100 * ASSUMED.products} % of its products and ` +
    `${100 * ASSUMED.memory} % of its memory's speed, ${sequences} answers at once: ${time(prompts)} for prompts ` +
    `and ${time(perHundredTokens)} for every 100 tokens that an answer has on average; ${time(atMost)} at most.`
  );
}

/** What a run can cost if every answer and edit is as long as it may be; null where no model has a price. */
function costAtMost(
  { answers, edits, promptTokens, editPromptTokens }: Budget,
  config: RunConfig,
): number | null {
  const prices = pricesOf(config);
  if (prices.answers === undefined && prices.edits === undefined) return null;
  const { maxTokens } = config.evolve.sampling;
  const part = (price: typeof prices.answers, prompts: number, completions: number) =>
    price === undefined ? 0 : costOf(price, prompts, completions * maxTokens);
  return (
    part(prices.answers, promptTokens - editPromptTokens, answers) +
    part(prices.edits, editPromptTokens, edits)
  );
}

export function describeBudget(budget: Budget, config: RunConfig): string {
  const { evolve } = config;
  const cost = costAtMost(budget, config);
  const { rounds, edits, answers, testAnswers, promptTokens, generatedTokensAtMost } = budget;
  const atMost = evolve.method === "gepa" ? "at most " : "";
  const stops = describeStops(evolve.stop);
  return (
    `${atMost}${plural(rounds, "round")}, ${plural(edits, "edit")}, ${plural(answers, "answer")}` +
    `${testAnswers === 0 ? "" : ` (${count(testAnswers)} of them for the test)`}; ` +
    `about ${count(promptTokens)} prompt tokens, most of them shared, ` +
    `and at most ${count(generatedTokensAtMost)} generated` +
    (cost === null ? "" : `, for ${dollars(cost)} at most`) +
    (stops === "" ? "" : `; stops earlier at ${stops}`)
  );
}
