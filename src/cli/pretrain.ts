import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { LseError } from "../errors.js";
import { writeTrainedModel } from "../gguf/trained-model.js";
import { readJson } from "../lib/json-file.js";
import { actingFigures } from "../mini/acting-figures.js";
import { demonstrationsOf, stageOf } from "../mini/curriculum.js";
import { miniTokenizer } from "../mini/tokenizer.js";
import { checkPretrainConfig, type PretrainConfig } from "../runs/training/pretrain-config.js";
import { untilInterrupted } from "../terminal/interrupt.js";
import { Progress } from "../terminal/progress.js";
import { CHECKPOINT } from "../train/checkpoint.js";
import { rowOf } from "../train/lessons.js";
import type { Parameters } from "../train/model/spec.js";
import { muonAdamW } from "../train/optimizer/groups.js";
import { latestEvaluation, pretrain } from "../train/pretrain.js";
import { integer } from "./options.js";

/** Positions computed at once: four times as many take longer each, because they leave the cache. */
const MICRO_TOKENS = 1024;

export function pretrainCommand() {
  return new Command("pretrain")
    .description("train a model of the miniature world from random weights")
    .option("--config <file>", "what to train, such as configs/mini.json")
    .option("--out <folder>", "new folder for weights, checkpoint and curve")
    .option("--resume <folder>", "go on in this folder, with its own configuration")
    .option("--threads <count>", "CPU threads (the configuration's)", integer(1))
    .option("--json", "print one JSON document")
    .action(async ({ config: file, out, resume, threads, json }) => {
      const folder = resume ?? out;
      if (folder === undefined || (resume !== undefined && (out ?? file ?? threads) !== undefined)) {
        throw new LseError("either --config and --out, or --resume alone", "See `lse pretrain --help`");
      }
      const configPath = join(folder, "config.json");
      if (resume === undefined) {
        if (file === undefined)
          throw new LseError("--config is missing", "Give configs/mini.json, or your own");
        if (existsSync(folder)) {
          throw new LseError(`${folder} exists already`, "Name a new folder, or go on with --resume");
        }
        const given = readJson(file) as object;
        const config = checkPretrainConfig({ ...given, ...(threads === undefined ? {} : { threads }) }, file);
        mkdirSync(folder, { recursive: true });
        writeFileSync(configPath, `${JSON.stringify(config, null, 2)}\n`);
      }
      try {
        await run(folder, checkPretrainConfig(readJson(configPath), configPath), json === true);
      } catch (error) {
        // A configuration that cannot be trained leaves nothing in the way of its correction.
        if (resume === undefined && !existsSync(join(folder, CHECKPOINT)))
          rmSync(folder, { recursive: true });
        throw error;
      }
    });
}

async function run(folder: string, config: PretrainConfig, json: boolean): Promise<void> {
  const { model, seed, stages, groups, optimizer, development, threads } = config;
  const { family, contextLength, ...shape } = model;
  const spec = { family, shape, vocabulary: miniTokenizer.vocabulary, contextLength };
  const steps = stages.reduce((sum, stage) => sum + stage.steps, 0);
  const { matrixRate, rate, warmup, floor, clipNorm } = optimizer;
  const modelPath = join(folder, "model.gguf");

  const evaluate = async (parameters: Parameters) => {
    const about = { type: "f16", tokenizer: miniTokenizer, name: "lse mini", contextLength } as const;
    await writeTrainedModel(modelPath, { family, shape, parameters, ...about });
    const { openLlama } = await import("../runtime/llama/open.js");
    await using engine = await openLlama({ modelPath, threads, gpuLayers: 0 });
    return await actingFigures(engine, development.databases, development.problems);
  };

  using progress = new Progress("steps", steps);
  let sum = 0;
  let count = 0;
  const trained = await untilInterrupted(`Continue with \`lse pretrain --resume ${folder}\``, (signal) =>
    pretrain({
      ...{ folder, seed, steps, evaluate, signal },
      ...{ lookupHeads: config.lookupHeads, checkpointEvery: config.checkpointEvery },
      evaluateEvery: config.evaluateEvery,
      trainer: {
        ...{ spec, threads, clipNorm, provider: "cpu", microTokens: MICRO_TOKENS },
        groups: muonAdamW(matrixRate, rate),
        schedule: { kind: "cosine", warmup, steps, floor },
      },
      rowsOf: (step) =>
        demonstrationsOf(stages, seed, step, groups).map((group) => rowOf(group, miniTokenizer)),
      onStart: (done) => progress.skip(done),
      onStep: ({ step, loss }) => {
        progress.tick();
        sum += loss;
        count++;
        progress.note(`${stageOf(stages, step).name} · loss ${loss.toFixed(3)}`);
        if (step % SAID_EVERY !== 0) return;
        progress.say(
          `step ${step} of ${steps}, ${stageOf(stages, step).name}: loss ${(sum / count).toFixed(3)}`,
        );
        sum = 0;
        count = 0;
      },
      onEvaluation: (step, { complete = 0, half = 0, none = 0 }) =>
        progress.say(
          `step ${step} of ${steps}: EX on development databases ${percent(complete)} with all rules, ` +
            `${percent(half)} with half, ${percent(none)} with none`,
        ),
    }),
  );
  if (trained === null) return;
  if (json) console.log(JSON.stringify({ model: modelPath, steps, figures: latestEvaluation(folder) }));
  else console.log(`${modelPath}: trained for ${steps} steps`);
}

const SAID_EVERY = 50;
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
