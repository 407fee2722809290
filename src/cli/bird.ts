import { writeFileSync } from "node:fs";
import { Command } from "@commander-js/extra-typings";
import { type BirdData, openBird, questionsOf } from "../bird/dataset.js";
import { type Evaluation, evaluatePredictions, goldAsPredictions } from "../bird/evaluate.js";
import { ExecutionAccuracy } from "../bird/execution-accuracy.js";
import { formatPredictions, type Prediction, readPredictions } from "../bird/predictions.js";
import { timeoutOption } from "./options.js";
import { Progress } from "./progress.js";

export function birdCommand() {
  const { flags, description, parse, default: seconds } = timeoutOption;
  return new Command("bird")
    .description("BIRD's files: score predictions, check gold queries")
    .addCommand(
      new Command("eval")
        .description("score predictions by execution accuracy (EX)")
        .requiredOption("--data <path>", "BIRD's folder, or its question file")
        .requiredOption("--predictions <file>", "predictions, in the official form or as an array")
        .option(flags, description, parse, seconds)
        .option("--cache <folder>", "where gold results are kept (default: your cache folder)")
        .option("--save-official <file>", "also write the predictions in the official form")
        .option("--json", "print one JSON document")
        .action(async (options) => {
          const data = openBird(options.data);
          const predictions = readPredictions(options.predictions, data);
          const evaluation = await score(data, predictions, options);
          if (options.saveOfficial) writeFileSync(options.saveOfficial, formatPredictions(predictions, data));
          print(evaluation, data, options.json);
        }),
    )
    .addCommand(
      new Command("validate")
        .description("score every gold query against itself")
        .requiredOption("--data <path>", "BIRD's folder, or its question file")
        .option("--db <name>", "only the questions about this database")
        .option(flags, description, parse, seconds)
        .option("--cache <folder>", "where gold results are kept (default: your cache folder)")
        .option("--json", "print one JSON document")
        .action(async (options) => {
          const data = openBird(options.data);
          const questions = options.db === undefined ? data.questions : questionsOf(data, options.db);
          const evaluation = await score(data, goldAsPredictions(questions), options);
          print(evaluation, data, options.json);
          if (evaluation.correct < evaluation.total) process.exitCode = 1;
        }),
    );
}

async function score(
  data: BirdData,
  predictions: readonly Prediction[],
  options: { timeout: number; cache?: string | undefined },
): Promise<Evaluation> {
  await using accuracy = new ExecutionAccuracy(data, options.timeout * 1000, options.cache);
  using progress = new Progress("questions", predictions.length);
  return await evaluatePredictions(predictions, accuracy, () => progress.tick());
}

function print(evaluation: Evaluation, data: BirdData, json: true | undefined): void {
  if (json) {
    console.log(JSON.stringify(evaluation));
    return;
  }
  if (data.tiedGold > 0) {
    console.log(`Gold queries of ${data.tiedGold} questions are those that allow for ties.`);
  }
  const groups = [
    ...Object.entries(evaluation.difficulties),
    ...Object.entries(evaluation.databases),
    ["all", evaluation] as const,
  ];
  const width = Math.max(...groups.map(([name]) => name.length));
  for (const [name, { total, correct, ex }] of groups) {
    console.log(`${name.padEnd(width)}  EX ${ex.toFixed(2).padStart(6)} %  ${correct} of ${total}`);
  }
  for (const { question_id, db_id, error } of evaluation.questions) {
    if (error !== null) console.log(`${db_id} ${question_id}: ${error}`);
  }
}
