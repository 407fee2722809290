/**
 * A real model improves by evolution, in a minute or two on one core:
 *
 *   npm run demo                      a database of the miniature world, models/mini.gguf in both roles
 *   npm run demo -- --db 7 --json     another database; one JSON document
 *
 * The model is asked with empty instructions, evolves them with the UCB tree, and is asked again. Both times it
 * answers questions that evolution has not seen, so the difference is not owed to the choice of the best node.
 */
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Command } from "@commander-js/extra-typings";
import { answer, answerSeeds, eachSample } from "#lse/answer/answer.js";
import { RunFolder } from "#lse/journal/run-folder.js";
import { type Interval, wilson } from "#lse/lib/statistics.js";
import { parseRules } from "#lse/mini/rules.js";
import { parseAddress } from "#lse/mini/splits.js";
import { MiniTask } from "#lse/mini/task.js";
import { resolveConfig } from "#lse/runs/config.js";
import { runInFolder } from "#lse/runs/run-in-folder.js";
import { openLlama } from "#lse/runtime/llama/open.js";
import { renderTree } from "#lse/terminal/render-tree.js";

const TIMEOUT_MS = 2000;

const { db, rounds, seed, json } = new Command("demo")
  .description("Evolve a small trained model on a database of the miniature world.")
  .option("--db <seed>", "which test database", "3")
  .option("--rounds <count>", "edits to make", Number, 12)
  .option("--seed <number>", "seed of everything random", Number, 1)
  .option("--json", "print one JSON document")
  .parse()
  .opts();

const started = performance.now();
const say = (text: string) => json || console.log(text);
const modelPath = fileURLToPath(new URL("../models/mini.gguf", import.meta.url));
// Measuring takes longer than what it would save here.
await using model = await openLlama({ modelPath, gpuLayers: 0, tuning: null });
await using task = MiniTask.open(parseAddress(db), TIMEOUT_MS);
say(`${task.id}: ${task.database.domain}. Its business terms have meanings that the schema does not show.\n`);

const config = resolveConfig(
  {
    task: { name: "mini", db, timeout: TIMEOUT_MS / 1000 },
    model: { path: modelPath, gpuLayers: 0 },
    evolve: { rounds, seed, holdout: 40, test: 0 },
  },
  "the demo",
);

const before = await test(task.seedInstructions);
say(`Without rules: ${percent(before)} of ${task.testIds.length} test questions are answered right.\n`);

// A demo's run is made anew each time; `lse tree`, `lse report` and `lse query` show it afterwards.
const path = `runs/demo-${db.replaceAll("/", "-")}`;
rmSync(path, { recursive: true, force: true });
const { evolution } = await runInFolder(
  RunFolder.create(path, config),
  config,
  { task, policy: model },
  {
    onEvent: (event) =>
      event.type === "node" &&
      say(
        `${event.round === 0 ? "without rules" : `round ${event.round} of ${rounds}`}: ${event.score.toFixed(3)} on the holdout`,
      ),
  },
);
const { tree } = evolution;
const best = tree.best();
say(`\n${renderTree(tree)}\n`);

const truth = new Map(task.database.conventions.map(({ term, meaning }) => [term, meaning]));
const written = new Map(parseRules(best.instructions).map(({ term, meaning }) => [term, meaning]));
say("The rules it wrote, beside what is true in this database:");
for (const term of new Set([...truth.keys(), ...written.keys()])) {
  const [right, found] = [truth.get(term) ?? "(nothing)", written.get(term) ?? "(no rule)"];
  say(`  ${right === found ? "✓" : " "} ${term.padEnd(10)} ${found.padEnd(28)} ${right}`);
}

const after = await test(best.instructions);
const minutes = (performance.now() - started) / 60_000;
const answers = model.usage.completions;
say(
  `\nTest questions answered right: ${percent(before)} before, ${percent(after)} after, with 95 % intervals.`,
);
say(`${answers} answers and edits in ${minutes.toFixed(1)} minutes. Look at them: npx lse report ${path}`);
if (json) console.log(JSON.stringify({ seed: before, best: after, answers, minutes }));

/** The share of the test questions that is answered right under some instructions. */
async function test(instructions: string): Promise<Interval> {
  const graded = await answer(task, model, {
    instructions,
    asked: eachSample(task.testIds, 1),
    sampling: { ...config.evolve.sampling, temperature: 0 },
    seedOf: answerSeeds(seed, "holdout"),
  });
  return wilson(graded.filter(({ outcome }) => outcome.correct).length, graded.length);
}

function percent({ mean, low, high }: Interval): string {
  const number = (value: number) => (100 * value).toFixed(0);
  return `${number(mean)} % [${number(low)}–${number(high)}]`;
}
