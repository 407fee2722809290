/** `lse bird`: scoring predictions and checking gold queries. */
import { existsSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { Command, InvalidArgumentError } from "@commander-js/extra-typings";
import {
  type BirdData,
  type BirdQuestion,
  openBird,
  questionsOf,
  type TiedGold,
  tiedGoldPath,
} from "../bird/dataset.js";
import { engineVersion } from "../bird/engine-version.js";
import {
  changingGold,
  type Evaluation,
  evaluatePredictions,
  goldAsPredictions,
  type Metrics,
  ONLY_EX,
  type Score,
} from "../bird/evaluate.js";
import { ExecutionAccuracy } from "../bird/execution-accuracy.js";
import { defectOf } from "../bird/known-defects.js";
import { officialTable } from "../bird/official-table.js";
import { formatPredictions, type Prediction, readPredictions } from "../bird/predictions.js";
import type { SqlEngine } from "../bird/sql/executor.js";
import { printableLine } from "../lib/printable.js";
import { limitMs } from "../lib/time-limit.js";
import { changingText } from "../terminal/changing-text.js";
import { Progress } from "../terminal/progress.js";
import { Unfinished } from "../terminal/unfinished.js";
import { dialectsCommand } from "./bird-dialects.js";
import { integer, sqlEngineOption, tiedGoldOption, timeoutOption } from "./options.js";

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
        .addOption(sqlEngine())
        .addOption(tiedGoldOption())
        .option("--cache <folder>", "where gold results are kept (your cache folder)")
        .option("--metrics <list>", "of ex, r-ves and soft-f1, separated by commas", metricNames, ["ex"])
        .option("--iterations <count>", "r-ves: how often each query is timed", integer(2), 100)
        .option("--save-official <file>", "also write the predictions in the official form")
        .option("--json", "print one JSON document")
        .action(async (options) => {
          const data = openBird(options.data, options);
          const predictions = readPredictions(options.predictions, data);
          const evaluation = await score(data, predictions, options, metricsOf(options));
          if (options.saveOfficial) writeFileSync(options.saveOfficial, formatPredictions(predictions, data));
          await print(evaluation, data, predictions, options);
        }),
    )
    .addCommand(dialectsCommand())
    .addCommand(
      new Command("report")
        .description("score predictions and print BIRD's official tables")
        .requiredOption("--data <path>", "BIRD's folder, or its question file")
        .requiredOption("--predictions <file>", "predictions, in the official form or as an array")
        .option(flags, description, parse, seconds)
        .addOption(tiedGoldOption())
        .option("--cache <folder>", "where gold results are kept (your cache folder)")
        .option("--metrics <list>", "of ex, r-ves and soft-f1, separated by commas", metricNames, [
          "ex",
          "soft-f1",
        ])
        .option("--iterations <count>", "r-ves: how often each query is timed", integer(2), 100)
        .action(async (options) => {
          const data = openBird(options.data, options);
          const predictions = readPredictions(options.predictions, data);
          console.log(officialTable(await score(data, predictions, options, metricsOf(options))));
        }),
    )
    .addCommand(
      new Command("validate")
        .description("score every gold query against itself")
        .requiredOption("--data <path>", "BIRD's folder, or its question file")
        .option("--db <name>", "only the questions about this database")
        .option(flags, description, parse, seconds)
        .addOption(sqlEngine())
        .addOption(tiedGoldOption())
        .option("--cache <folder>", "where gold results are kept (your cache folder)")
        .option("--json", "print one JSON document")
        .action(async (options) => {
          const data = openBird(options.data, options);
          const questions = options.db === undefined ? data.questions : questionsOf(data, options.db);
          const predictions = goldAsPredictions(questions);
          const evaluation = await score(data, predictions, options, ONLY_EX);
          await print(evaluation, data, predictions, options);
          if (!options.json) {
            printDefects(questions);
            for (const { problem, parts } of changingGold(questions))
              console.log(changingText(problem, parts));
          }
          if (evaluation.correct < evaluation.total) process.exitCode = 1;
        }),
    );
}

const sqlEngine = () =>
  sqlEngineOption("what runs the queries; scores in DuckDB are not BIRD's").default("sqlite" as const);

const METRICS = ["ex", "r-ves", "soft-f1"];

function metricNames(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.every((name) => METRICS.includes(name))) return names;
  throw new InvalidArgumentError(`Give some of ${METRICS.join(", ")}.`);
}

const metricsOf = ({ metrics, iterations }: { metrics: string[]; iterations: number }): Metrics => ({
  softF1: metrics.includes("soft-f1"),
  timings: metrics.includes("r-ves") ? iterations : 0,
});

function printDefects(questions: readonly BirdQuestion[]): void {
  for (const { questionId, dbId } of questions) {
    const defect = defectOf(questionId, dbId);
    if (defect !== undefined) console.log(`known: ${dbId} ${questionId}: ${defect.what} (${defect.source})`);
  }
}

async function score(
  data: BirdData,
  predictions: readonly Prediction[],
  options: { timeout: number; cache?: string | undefined; sqlEngine?: SqlEngine },
  metrics: Metrics,
): Promise<Evaluation> {
  const { timeout, cache, sqlEngine: engine } = options;
  await using accuracy = new ExecutionAccuracy(data, limitMs(timeout), cache, engine);
  using progress = new Progress("questions", predictions.length);
  using unfinished = new Unfinished(
    progress,
    predictions.map(({ question }) => question.id),
  );
  const done = ({ id }: BirdQuestion) => {
    progress.tick();
    unfinished.end(id);
  };
  return await evaluatePredictions(predictions, accuracy, done, metrics);
}

/** Which gold queries the predictions are compared with. */
function goldText({ questionsPath }: BirdData, tied: number, how: TiedGold): string {
  const file = tiedGoldPath(questionsPath);
  if (!existsSync(file)) return `Gold queries: ${basename(questionsPath)}.`;
  const others = how === "ignore" ? `${basename(file)} is ignored` : `${tied} of ${basename(file)}`;
  return `Gold queries: ${basename(questionsPath)}; ${others}.`;
}

/** Scores that are not BIRD's have names of their own: `ex_duckdb`. */
const renamed = (evaluation: object): unknown =>
  JSON.parse(JSON.stringify(evaluation), (_, value: unknown) =>
    typeof value !== "object" || value === null || Array.isArray(value)
      ? value
      : Object.fromEntries(
          Object.entries(value).map(([key, own]) => [SCORES.includes(key) ? `${key}_duckdb` : key, own]),
        ),
  );

const SCORES: readonly string[] = ["ex", "soft_f1", "r_ves", "speed_reward"];

interface Printed {
  readonly json?: true | undefined;
  readonly sqlEngine: SqlEngine;
  readonly tiedGold: TiedGold;
}

async function print(
  evaluation: Evaluation,
  data: BirdData,
  predictions: readonly Prediction[],
  { json, sqlEngine: engine, tiedGold }: Printed,
): Promise<void> {
  const isBirds = engine === "sqlite";
  const version = await engineVersion(engine);
  const tied = predictions.filter(({ question }) => data.tiedGold.has(question.id)).length;
  if (json) {
    const document = { ...evaluation, engine: version, tied_gold: tied };
    console.log(JSON.stringify(isBirds ? document : renamed(document)));
    return;
  }
  const named = (metric: string) => (isBirds ? metric : `${metric} (DuckDB)`);
  console.log(`Queries run in ${version}. ${goldText(data, tied, tiedGold)}`);
  const groups = [
    ...[evaluation.difficulties, evaluation.databases].flatMap((parts) =>
      Object.entries(parts).map(([name, part]): [string, Score] => [printableLine(name), part]),
    ),
    ["all", evaluation] satisfies [string, Score],
  ];
  const width = Math.max(...groups.map(([name]) => name.length));
  for (const [name, { total, correct, ex, r_ves, soft_f1 }] of groups) {
    const others = [
      ...(r_ves === undefined ? [] : [`${named("R-VES")} ${r_ves.toFixed(2)}`]),
      ...(soft_f1 === undefined ? [] : [`${named("Soft-F1")} ${soft_f1.toFixed(2)}`]),
    ];
    const ours = `${named("EX")} ${ex.toFixed(2).padStart(6)} %  ${correct} of ${total}`;
    console.log([name.padEnd(width), ours, ...others].join("  "));
  }
  if (evaluation.clean !== null) {
    const { total, correct, ex } = evaluation.clean;
    console.log(
      `Without questions that are known to be wrong or unfair: ${named("EX")} ${ex.toFixed(2)} %, ${correct} of ${total}`,
    );
  }
  for (const { question_id, db_id, error } of evaluation.questions) {
    if (error !== null) console.log(printableLine(`${db_id} ${question_id}: ${error}`));
  }
}
