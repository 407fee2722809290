/**
 * Two methods on one database of BIRD, in run folders, and how much they differ.
 *
 *   npx tsx examples/compare-methods.ts bird/dev superhero model.gguf runs/example
 */
import { compareRuns, finishedRun, resolveConfig, startRun } from "lse";

const [data, db, model, out = "runs/example"] = process.argv.slice(2);
const methods = ["ucb", "chain"];
for (const method of methods) {
  const config = resolveConfig(
    {
      task: { name: "bird", data, db },
      model: { path: model },
      // Few, so that it takes minutes; leave them out for the paper's.
      evolve: { method, rounds: 2, batch: 3, holdout: 4, test: 2, sampling: { maxTokens: 400 } },
    },
    "this example",
  );
  await startRun(`${out}/${method}`, config, {
    onEvent: (event) => {
      if (event.type === "node")
        console.log(`${method}: node ${event.node} scores ${event.score.toFixed(3)}`);
    },
  });
}

const comparison = compareRuns(methods.map((method) => finishedRun(`${out}/${method}`)));
for (const { method, honest } of comparison.methods)
  console.log(
    `${method}: ${honest?.mean.toFixed(3)} [${honest?.low.toFixed(3)}, ${honest?.high.toFixed(3)}]`,
  );
for (const { a, b, mean, low, high } of comparison.differences)
  console.log(`${a} − ${b}: ${mean.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`);
