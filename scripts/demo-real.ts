/**
 * Ten questions about a real database, answered by a real model of 1.5 billion parameters: the paper's way, and as
 * `lse ask` answers in a workspace with solved questions. Some minutes on two cores:
 *
 *   LSE_REAL_MODELS=models npm run demo:real -- --dev bird/dev
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { styleText } from "node:util";
import { Command } from "@commander-js/extra-typings";
import { WORKSPACE_STRATEGY } from "#lse/answer/strategy.js";
import { BirdTask } from "#lse/bird/task.js";
import { LseError } from "#lse/errors.js";
import { printableLine } from "#lse/lib/printable.js";
import { openLlama } from "#lse/runtime/llama/open.js";
import { Progress } from "#lse/terminal/progress.js";
import { MODELS, WAYS, type Way } from "./reproduce-real/cells.js";
import { divide, measure, type ScoredAnswer } from "./reproduce-real/measure.js";

const { dev, threads, json } = new Command("demo:real")
  .description("Ten questions about a real database, the paper's way and a workspace's.")
  .option("--dev <folder>", "BIRD's dev folder", "../shared/bird/dev")
  .option("--threads <count>", "CPU threads", Number, availableParallelism())
  .option("--json", "print one JSON document")
  .parse()
  .opts();

const QUESTIONS = 10;
const folder = process.env.LSE_REAL_MODELS;
if (folder === undefined) {
  const next = "Let it name the folder that has qwen2.5-coder-1.5b (npx lse models get qwen2.5-coder-1.5b)";
  console.error(new LseError("LSE_REAL_MODELS is not set", next).message);
  process.exit(1);
}
const say = (text: string) => json || console.log(text);

await using task = await BirdTask.open({ dataPath: dev, dbId: "superhero", timeoutMs: 30_000 });
const { test, solved } = divide(task);
await using model = await openLlama({
  modelPath: join(folder, MODELS["qwen2.5-coder-1.5b"]),
  contextSize: 6144,
  threads,
  sequences: 32,
  batchSize: 512,
  flashAttention: true,
  kvCells: 16_384,
  tuning: null,
});
say(
  `${task.id}: ${QUESTIONS} questions that nothing has seen, Qwen2.5-Coder-1.5B on ${threads} threads, ${solved.length} solved questions to take examples from.\n`,
);
const before = await answers("the paper's way: one answer after reasoning", WAYS.paper as Way);
const after = await answers(
  "with 4 similar solved questions as examples, a vote of 5, joins added, and repair",
  WAYS.workspace as Way,
);
for (const [i, problem] of test.slice(0, QUESTIONS).entries()) {
  say(`${i + 1}. ${printableLine(questionOf(problem))}`);
  for (const { answers } of [before, after]) say(`   ${lineOf(answers[i] as ScoredAnswer)}`);
}
say("");
for (const { name, answers, seconds } of [before, after])
  say(`${rightOf(answers)} of ${QUESTIONS} right, ${(seconds / QUESTIONS).toFixed(1)} s a question: ${name}`);
if (json) console.log(JSON.stringify({ before, after }));

async function answers(name: string, way: Way) {
  using progress = new Progress("answers", QUESTIONS);
  progress.note(name);
  const measured = await measure(task, model, way, QUESTIONS, (count) => progress.advance(count));
  return { name, ...measured };
}

function lineOf({ correct, sql, error, confidence }: ScoredAnswer): string {
  const { samples } = WORKSPACE_STRATEGY;
  const agreeing = confidence === null ? "" : ` (${Math.round(samples * confidence)} of ${samples} agree)`;
  const why = error?.startsWith("SQLite:") ? ` ${error}` : "";
  const text = sql === "" ? "(no query)" : printableLine(sql.replace(/\s+/g, " "));
  return styleText(correct ? "green" : "red", `${correct ? "✓" : "✗"} ${text}`) + agreeing + why;
}

function rightOf(answers: readonly ScoredAnswer[]): number {
  return answers.filter(({ correct }) => correct).length;
}

function questionOf(problem: string): string {
  const { question } = task.describe(problem);
  return question.slice(question.lastIndexOf("Question: ") + "Question: ".length);
}
