/** The plan of a run in words, before it is made. */
import { basename } from "node:path";
import { METHODS } from "../evolve/methods.js";
import type { Budget } from "../evolve/plan.js";
import { describeStops, dollars } from "../evolve/stops.js";
import type { RunConfig } from "../runs/config.js";
import { costAtMost, type DryRun } from "../runs/run-budget.js";
import { ASSUMED, type GpuTime } from "../runtime/gpu-time.js";
import { count, formatSeconds, plural } from "./numbers.js";

/** What a run asks for, in one line. */
export function budgetText(budget: Budget, config: RunConfig): string {
  const { evolve } = config;
  const cost = costAtMost(budget, config);
  const { rounds, edits, answers, testAnswers, promptTokens, generatedTokensAtMost } = budget;
  const atMost = METHODS[evolve.method].hasFixedRounds ? "" : "at most ";
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

export function timeText({ gpu, sequences, prompts, perHundredTokens, atMost }: GpuTime): string {
  const time = (hours: number) => formatSeconds(3600 * hours);
  return (
    `On one ${gpu}, estimated at ${100 * ASSUMED.products} % of the arithmetic and ${100 * ASSUMED.memory} % of the memory ` +
    `speed that its data sheet gives, ${sequences} answers at once: ${time(prompts)} for prompts ` +
    `and ${time(perHundredTokens)} for every 100 tokens that an answer has on average; ${time(atMost)} at most.`
  );
}

/** The hours of a GPU as a JSON document has them. */
export const hoursOf = ({ gpu, sequences, prompts, perHundredTokens, atMost }: GpuTime) => ({
  gpu,
  sequences,
  prompts,
  per_hundred_tokens: perHundredTokens,
  at_most: atMost,
});

/** The plan of one run, a line for each thing that somebody may want to change. */
export function dryRunText({ config, task, budget, costAtMost: cost, time }: DryRun): string {
  const { model, evolver, evolve } = config;
  const { sampling } = evolve;
  const { rounds, edits, answers, testAnswers, promptTokens, generatedTokensAtMost } = budget;
  const writer = [evolver.model ?? model.path, evolver.adapter ?? ""]
    .filter(Boolean)
    .map((path) => basename(path));
  const atMost = METHODS[evolve.method].hasFixedRounds ? "" : "at most ";
  const samples = evolve.samples === 1 ? "" : `, ${evolve.samples} answers each`;
  const stops = describeStops(evolve.stop);
  const lines = [
    ["task", task],
    ["model", basename(model.path)],
    ["evolver", writer.join(" with ")],
    [
      "method",
      `${METHODS[evolve.method].label(evolve)}, ${atMost}${plural(rounds, "round")}, seed ${evolve.seed}`,
    ],
    [
      "problems",
      `${evolve.holdout} in the holdout${samples}, batches of ${evolve.batch}, ${(testAnswers - budget.comparisonAnswers) / evolve.samples} in the test`,
    ],
    [
      "sampling",
      `temperature ${sampling.temperature}, top-p ${sampling.topP}, top-k ${sampling.topK}, at most ${count(sampling.maxTokens)} tokens`,
    ],
    [
      "asks for",
      `${plural(edits, "edit")} and ${plural(answers, "answer")} (${count(testAnswers)} of them for the test)`,
    ],
    [
      "tokens",
      `about ${count(promptTokens)} of prompts, most of them shared; at most ${count(generatedTokensAtMost)} generated`,
    ],
    ["cost", cost === null ? "nothing: the models run here, or have no price" : `at most ${dollars(cost)}`],
    ["ends", stops === "" ? "after its last round" : `after its last round, or at ${stops}`],
  ] as const;
  const text = lines.map(([name, value]) => `${name.padEnd(9)} ${value}`).join("\n");
  return time === null ? text : `${text}\n${timeText(time)}`;
}
