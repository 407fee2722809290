/** Times the scoring of BIRD predictions beside a plain Python program that does the same with sqlite3. */
/*
 * Both take turns, and both start from nothing: no gold result is kept. Every prediction file is scored `--times` over
 * in one process, as a run of evolution does.
 *
 *   npm run bench:bird -- --data bird/dev alpha.json c3.json
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "@commander-js/extra-typings";
import { openBird } from "#lse/bird/dataset.js";
import { evaluatePredictions } from "#lse/bird/evaluate.js";
import { ExecutionAccuracy } from "#lse/bird/execution-accuracy.js";
import { readPredictions } from "#lse/bird/predictions.js";
import { median } from "../numbers.js";

const program = new Command("bench:bird")
  .description("Scoring predictions beside a plain Python program.")
  .requiredOption("--data <path>", "BIRD's dev folder")
  .argument("<predictions...>", "arrays of {question_id, db_id, predicted_sql}")
  .option("--times <count>", "how often each file is scored", Number, 10)
  .option("--rounds <count>", "interleaved rounds", Number, 5)
  .parse();
const [files] = program.processedArgs;
const { data: path, times, rounds } = program.opts();
const SCRIPT = fileURLToPath(new URL("score.py", import.meta.url));

interface Outcome {
  readonly seconds: number;
  readonly correct: readonly number[];
}

function python(files: readonly string[], times: number): Outcome {
  const lines = execFileSync("python3", [SCRIPT, path, String(times), ...files], { encoding: "utf8" });
  const numbers = lines.trim().split("\n").map(Number);
  return { seconds: numbers.at(-1) as number, correct: numbers.slice(0, -1) };
}

async function ours(files: readonly string[], times: number): Promise<Outcome> {
  const cache = mkdtempSync(join(tmpdir(), "lse-bench-bird-"));
  const started = performance.now();
  try {
    const data = openBird(path);
    await using accuracy = new ExecutionAccuracy(data, 30_000, cache);
    const correct: number[] = [];
    for (const file of files) {
      const predictions = readPredictions(file, data);
      let last = 0;
      for (let i = 0; i < times; i++) last = (await evaluatePredictions(predictions, accuracy)).correct;
      correct.push(last);
    }
    return { seconds: (performance.now() - started) / 1000, correct };
  } finally {
    rmSync(cache, { recursive: true });
  }
}

for (const [what, some, often] of [
  ["one file once, from nothing", files.slice(0, 1), 1],
  [`${files.length} files × ${times}`, files, times],
] as const) {
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const [theirs, own] =
      round % 2 === 0
        ? [python(some, often), await ours(some, often)]
        : [await ours(some, often), python(some, often)].reverse();
    if (theirs === undefined || own === undefined) throw new Error("nothing was measured");
    if (String(theirs.correct) !== String(own.correct))
      throw new Error(`the two disagree: ${theirs.correct} and ${own.correct}`);
    ratios.push(theirs.seconds / own.seconds);
  }
  const [least, most] = [Math.min(...ratios), Math.max(...ratios)];
  console.log(
    `${what}: Python's time ÷ ours ${median(ratios).toFixed(2)} [${least.toFixed(2)}–${most.toFixed(2)}]`,
  );
}
