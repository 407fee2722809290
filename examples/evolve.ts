/**
 * Evolution from the library: a task from its file, a model, a journal that keeps what was paid for.
 *
 *   npx tsx examples/evolve.ts
 */
import { fileURLToPath } from "node:url";
import { evolve, evolveConfigSchema, MemoryJournal, openTaskFile } from "lse";
import { ToyModel } from "./toy-model.js";

await using task = await openTaskFile(fileURLToPath(new URL("tickets.js", import.meta.url)), { things: "6" });
await using model = new ToyModel(); // or: await openLlama({ modelPath: "model.gguf" })
const config = evolveConfigSchema.parse({ rounds: 10, batch: 6, holdout: 20, test: 20, seed: 1, ucbC: 0.1 });

const { tree, test } = await evolve(task, model, config, new MemoryJournal(), {
  onRound: ({ tree }, round) => console.log(`round ${round}: best ${tree.best().score.toFixed(2)}`),
});
const best = tree.best();
console.log(`\n${best.instructions}\n`);
console.log(
  best.id === 0
    ? "No edit was better than the seed instructions."
    : `${tree.root.score.toFixed(2)} before, ${best.score.toFixed(2)} after, on the holdout that chose it.`,
);
if (test !== null)
  console.log(
    `On ${test.problems} unseen problems: ${test.mean.toFixed(2)} [${test.low.toFixed(2)}, ${test.high.toFixed(2)}]`,
  );
