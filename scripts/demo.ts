/**
 * The whole loop on two tiny databases, with a model of random weights, in about a minute:
 *
 *   npm run demo
 *
 * Random weights answer nothing, so no score rises. The run shows what happens, not that it helps.
 */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { NAMED_SHAPES, writeRandomModel } from "../src/runtime/gguf/random-model.js";
import { buildDemoData } from "./demo/build.js";

const RUNS = "runs/demo";
const cli = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

function lse(...options: string[]): void {
  console.log(`\n$ npx lse ${options.join(" ")}`);
  execFileSync(process.execPath, [cli, ...options], { stdio: "inherit" });
}

console.log(`This demo evolves the instructions of a model with RANDOM WEIGHTS on two tiny databases.
Random weights answer nothing: expect scores of 0 and meaningless edits. Everything else is real.`);

rmSync(RUNS, { recursive: true, force: true });
buildDemoData(`${RUNS}/data`);
const model = `${RUNS}/random.gguf`;
await writeRandomModel(model, {
  shape: NAMED_SHAPES["1m"],
  type: "f16",
  tokenizer: "small",
  seed: 1,
  contextLength: 8192,
});

lse("bird", "validate", "--data", `${RUNS}/data`, "--cache", `${RUNS}/cache`);
for (const db of ["bakery", "library"]) {
  const task = ["--data", `${RUNS}/data`, "--db", db, "--cache", `${RUNS}/cache`, "--model", model];
  const size = [
    "--rounds",
    "3",
    "--batch",
    "3",
    "--holdout",
    "6",
    "--max-tokens",
    "400",
    "--tries",
    "12",
    "--seed",
    "1",
  ];
  // All tokens get their turn: only so do random weights close a tag now and then.
  const sampling = ["--temperature", "1", "--top-k", "0", "--top-p", "1"];
  lse("evolve", ...task, ...size, ...sampling, "--out", `${RUNS}/${db}`);
}
lse("tree", `${RUNS}/bakery`);
console.log(
  "\nRandom weights answered nothing, as announced. Give --model a trained GGUF to see scores rise.",
);
