/**
 * How well a model of the miniature world acts, and what its edits are worth beside perfect ones:
 *
 *   npm run measure-mini -- --model models/mini.gguf                                    the figures of its card
 *   npm run measure-mini -- --model models/mini.gguf --adapter models/mini-lse.gguf     with a trained adapter
 *   npm run measure-mini -- --model models/mini-delta.gguf --edits delta                of a model that knows deltas
 */
import { Command, Option } from "@commander-js/extra-typings";
import { answer, answerSeeds, eachSample, scoreOf } from "#lse/answer/answer.js";
import { evolveConfigSchema } from "#lse/evolve/config.js";
import { bootstrapMean } from "#lse/lib/statistics.js";
import { Draw } from "#lse/mini/draw.js";
import { editGains, editStarts, perfectGains } from "#lse/mini/edit-gains.js";
import { rulesText } from "#lse/mini/rules.js";
import { rulesInState, type State } from "#lse/mini/states.js";
import { MiniGrader, MiniTask } from "#lse/mini/task.js";
import type { LanguageModel } from "#lse/model.js";
import { AdaptedModel } from "#lse/runtime/adapted-model.js";
import { LlamaModel } from "#lse/runtime/llama/open.js";
import { together } from "#lse/runtime/together.js";
import { intervalText } from "#lse/terminal/numbers.js";

const options = new Command("measure-mini")
  .description("How well a model of the miniature world acts, and what its edits are worth.")
  .requiredOption("--model <file>", "the model, in both roles")
  .option("--adapter <file>", "a trained adapter, on the evolver only")
  .option("--databases <count>", "databases of each split", Number, 20)
  .option("--samples <count>", "edits of a summary at temperature 1 and 0.5", Number, 4)
  .addOption(new Option("--only <part>", "only one of the two").choices(["acting", "edits"] as const))
  .addOption(
    new Option("--edits <kind>", "what its edits are")
      .choices(["rewrite", "delta"] as const)
      .default("rewrite" as const),
  )
  .option("--threads <count>", "CPU threads", Number, 2)
  .option("--json", "print one JSON document")
  .parse()
  .opts();
const { model, adapter, databases, samples, only, edits: kind, threads, json } = options;

const SEED = 1;
const TIMEOUT_MS = 2000;
const greedy = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  presencePenalty: 0,
  maxTokens: 160,
  stop: [],
};
const config = evolveConfigSchema.parse({
  batch: 5,
  holdout: 20,
  seed: SEED,
  sampling: greedy,
  edits: kind,
});

await using policy = await LlamaModel.open({
  modelPath: model,
  threads,
  gpuLayers: 0,
  repeatable: true,
  contextSize: 768,
  kvCells: 1536,
  flashAttention: true,
});
const evolver = adapter === undefined ? policy : await AdaptedModel.open(policy, adapter);
await using grader = new MiniGrader(TIMEOUT_MS);
const tasksOf = (split: "dev" | "test") =>
  Array.from({ length: databases }, (_, seed) => MiniTask.open({ split, seed }, grader));

const figures = {
  acting: only === "edits" ? [] : await acting(),
  edits: only === "acting" ? [] : await edits(),
};
if (json) console.log(JSON.stringify({ model, adapter, databases, kind, ...figures }));

/** EX on the problems that evolution does not see, by how many of the true rules are in the instructions. */
async function acting() {
  const rows = [];
  for (const split of ["dev", "test"] as const) {
    const tasks = tasksOf(split);
    for (const state of ["complete", "half", "none"] as const) {
      const scores = await together(tasks.map((task) => (seat) => exOf(seat(policy), task, state)));
      const row = { split, state, ex: bootstrapMean(scores, SEED) };
      rows.push(row);
      if (!json) console.log(`${split}, rules ${state}: EX ${intervalText(row.ex)}`);
    }
  }
  return rows;
}

async function exOf(model: LanguageModel, task: MiniTask, state: State) {
  const rules = rulesInState(task.database, state, new Draw("figures", state, task.database.seed));
  const answers = await answer(task, model, {
    instructions: rulesText(rules),
    asked: eachSample(task.testIds, 1),
    sampling: greedy,
    seedOf: answerSeeds(SEED, "holdout"),
  });
  return scoreOf(answers).score;
}

/** What an edit changes of EX on test databases, from no rules and from half of the true ones. */
async function edits() {
  const rows = [];
  const tasks = tasksOf("test");
  for (const state of ["none", "half"] as const) {
    const starts = await editStarts(policy, tasks, state, config);
    const perfect = bootstrapMean(await perfectGains(policy, starts), SEED);
    for (const temperature of [1, 0.5, 0]) {
      const sampling = { ...greedy, temperature };
      const drawn = { sampling, samples: temperature === 0 ? 1 : samples, seed: SEED };
      const gains = await editGains({ policy, evolver }, starts, drawn);
      const gain = bootstrapMean(
        gains.map((own) => own.gain),
        SEED,
      );
      const invalid = gains.reduce((sum, own) => sum + own.invalid, 0) / gains.length;
      const row = { state, temperature, gain, perfect, invalid };
      rows.push(row);
      if (json) continue;
      console.log(
        `from ${state}, temperature ${temperature}: an edit ${intervalText(row.gain)}, a perfect one ${intervalText(row.perfect)}, ` +
          `${(100 * row.invalid).toFixed(0)} % invalid`,
      );
    }
  }
  return rows;
}
