/** Measures what the loop of evolution costs beside its model and its SQL. */
/*
 * 25 rounds on a random model of 25M parameters, in a run folder as `lse evolve` makes it. In place of an evolver, a
 * function adds a rule at once.
 *
 *   npm run bench:loop -- --data bird/dev --db superhero
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { BirdTask } from "#lse/bird/task.js";
import { RunFolder } from "#lse/journal/run-folder.js";
import { emptyUsage, type LanguageModel } from "#lse/model.js";
import { resolveConfig } from "#lse/runs/config.js";
import { runInFolder } from "#lse/runs/run-in-folder.js";
import { LlamaModel } from "#lse/runtime/llama/llama-model.js";
import { modelOf } from "./models.js";

const { data, db, rounds, holdout, json } = new Command("bench:loop")
  .description("The share of a run's time outside model and SQL.")
  .requiredOption("--data <path>", "BIRD's folder")
  .option("--db <name>", "which of the databases")
  .option("--rounds <count>", "rounds", Number, 25)
  .option("--holdout <count>", "problems that score a node", Number, 20)
  .option("--json", "print one JSON document")
  .parse()
  .opts();

/** Measures the time in which at least one of several overlapping pieces of work is running. */
class Clock {
  seconds = 0;
  #running = 0;
  #since = 0;

  async during<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running++ === 0) this.#since = performance.now();
    try {
      return await work();
    } finally {
      if (--this.#running === 0) this.seconds += (performance.now() - this.#since) / 1000;
    }
  }
}

const [inModel, inSql, inEither] = [new Clock(), new Clock(), new Clock()];
const folder = mkdtempSync(join(tmpdir(), "lse-loop-"));
try {
  await using task = await BirdTask.open({
    dataPath: data,
    dbId: db,
    timeoutMs: 30_000,
    cacheFolder: folder,
  });
  const modelPath = await modelOf("25m");
  await using model = await LlamaModel.open({
    modelPath,
    threads: 1,
    gpuLayers: 0,
    sequences: 32,
    flashAttention: true,
    repeatable: true,
  });
  const { grade } = task;
  task.grade = (...args) => inEither.during(() => inSql.during(() => grade.apply(task, args)));
  const { generate } = model;
  model.generate = (...args) => inEither.during(() => inModel.during(() => generate.apply(model, args)));
  const config = resolveConfig(
    {
      task: { name: "bird", data, db },
      model: { path: modelPath },
      evolve: { rounds, batch: 10, holdout, test: 0, sampling: { maxTokens: 48 } },
    },
    "the bench",
  );
  const run = RunFolder.create(join(folder, "run"), config);
  const started = performance.now();
  const inputs = { task, policy: model, evolver: addsRules(model) };
  const { evolution, answers } = await runInFolder(run, config, inputs);
  const seconds = (performance.now() - started) / 1000;
  const result = {
    rounds,
    nodes: evolution.tree.nodes.length,
    answers,
    seconds,
    model: inModel.seconds / seconds,
    sql: inSql.seconds / seconds,
    loop: 1 - inEither.seconds / seconds,
  };
  const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
  console.log(
    json
      ? JSON.stringify(result)
      : `${rounds} rounds, ${result.answers} answers, ${seconds.toFixed(1)} s: model ${percent(result.model)}, ` +
          `SQL ${percent(result.sql)} (mostly at the same time), neither ${percent(result.loop)}`,
  );
} finally {
  rmSync(folder, { recursive: true });
}

/** Writes edits that are always usable. */
function addsRules(model: LanguageModel): LanguageModel {
  let edits = 0;
  const completion = (text: string) => ({
    text,
    tokens: [],
    generatedTokens: 0,
    logprobs: [],
    promptTokens: 0,
    seconds: 0,
    finishReason: "stop" as const,
  });
  return {
    fingerprint: "adds rules",
    contextSize: model.contextSize,
    repeats: "request",
    usage: emptyUsage(),
    countTokens: (messages) => model.countTokens(messages),
    generate: async (requests, onCompletion) =>
      requests.map((_, index) => {
        const made = completion(`<prompt>Rule ${++edits}: read the schema closely.</prompt>`);
        onCompletion?.(index, made);
        return made;
      }),
    logprobs: () => Promise.reject(new Error("no logprobs here")),
    useAdapter: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
}
