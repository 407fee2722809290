/**
 * What one edit of a model of the miniature world is worth, beside a perfect edit of the same summary:
 *
 *   npm run measure-edits                                         models/mini.gguf, before reinforcement learning
 *   npm run measure-edits -- --adapter models/mini-lse.gguf       with a trained adapter
 */
import { fileURLToPath } from "node:url";
import { Command } from "@commander-js/extra-typings";
import { editGains } from "#lse/cli/mini-edits.js";
import { evolveConfigSchema } from "#lse/evolve/config.js";
import { MiniGrader, MiniTask } from "#lse/mini/task.js";
import { AdaptedModel } from "#lse/runtime/adapted-model.js";
import { LlamaModel } from "#lse/runtime/llama/open.js";
import { bootstrapMean } from "#lse/statistics.js";

const { adapter, databases, samples, json } = new Command("measure-edits")
  .description("What one edit is worth in the miniature world.")
  .option("--adapter <file>", "a trained adapter on the model that writes the edits")
  .option("--databases <count>", "test databases", Number, 64)
  .option("--samples <count>", "edits of a summary at temperature 1 and 0.5", Number, 4)
  .option("--json", "print one JSON document")
  .parse()
  .opts();

const TIMEOUT_MS = 2000;
const greedy = {
  ...{ temperature: 0, topK: 0, topP: 1, minP: 0, presencePenalty: 0 },
  ...{ maxTokens: 160, stop: [] },
};
const config = evolveConfigSchema.parse({ batch: 5, holdout: 20, seed: 1, sampling: greedy });
await using policy = await LlamaModel.open({
  modelPath: fileURLToPath(new URL("../models/mini.gguf", import.meta.url)),
  ...{ gpuLayers: 0, contextSize: 768, kvCells: 1536, flashAttention: true, threads: 2, repeatable: true },
});
const evolver = adapter === undefined ? policy : await AdaptedModel.open(policy, adapter);
await using grader = new MiniGrader(TIMEOUT_MS);
const tasks = Array.from({ length: databases }, (_, seed) => MiniTask.open({ split: "test", seed }, grader));

const rows = [];
for (const state of ["none", "half"] as const) {
  for (const temperature of [1, 0.5, 0]) {
    const edits = { sampling: { ...greedy, temperature }, samples: temperature === 0 ? 1 : samples };
    const gains = await editGains({ policy, evolver }, tasks, state, config, edits);
    const interval = (values: readonly number[]) => bootstrapMean(values, config.seed);
    const row = {
      ...{ state, temperature, gain: interval(gains.map(({ gain }) => gain)) },
      perfect: interval(gains.map(({ perfect }) => perfect)),
      invalid: gains.reduce((sum, { invalid }) => sum + invalid, 0) / gains.length,
    };
    rows.push(row);
    if (json) continue;
    const text = ({ mean, low, high }: ReturnType<typeof interval>) =>
      `${mean.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
    console.log(
      `from ${state}, temperature ${temperature}: ${text(row.gain)} an edit, ${text(row.perfect)} a perfect one; ` +
        `${(100 * row.invalid).toFixed(0)} % invalid`,
    );
  }
}
if (json) console.log(JSON.stringify({ databases, rows }));
