/** `lse pretrain`: a model of the miniature world from random weights. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { LseError } from "../errors.js";
import { LOCK } from "../lib/folder-lock.js";
import { readJson, readJsonObject } from "../lib/json-file.js";
import { mean } from "../lib/statistics.js";
import { preparePretraining, pretrainInFolder, stepsOf } from "../runs/training/pretrain.js";
import { checkPretrainConfig, type PretrainConfig } from "../runs/training/pretrain-config.js";
import { untilInterrupted } from "../terminal/interrupt.js";
import { Progress } from "../terminal/progress.js";
import { CHECKPOINT } from "../train/checkpoint.js";
import { integer } from "./options.js";

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
        const given = readJsonObject(file);
        const config = checkPretrainConfig({ ...given, ...(threads === undefined ? {} : { threads }) }, file);
        preparePretraining(folder, config);
      }
      try {
        await run(folder, checkPretrainConfig(readJson(configPath), configPath), json === true);
      } catch (error) {
        // A configuration that cannot be trained leaves nothing in the way of its correction.
        const isOurs = resume === undefined && !existsSync(join(folder, LOCK));
        if (isOurs && !existsSync(join(folder, CHECKPOINT))) rmSync(folder, { recursive: true });
        throw error;
      }
    });
}

async function run(folder: string, config: PretrainConfig, json: boolean): Promise<void> {
  const steps = stepsOf(config);
  using progress = new Progress("steps", steps);
  let losses: number[] = [];
  const trained = await untilInterrupted(`Continue with \`lse pretrain --resume ${folder}\``, (signal) =>
    pretrainInFolder(folder, config, {
      signal,
      onStart: (done) => progress.skip(done),
      onStep: (step, loss, stage) => {
        progress.tick();
        losses.push(loss);
        progress.note(`${stage} · loss ${loss.toFixed(3)}`);
        if (step % SAID_EVERY !== 0) return;
        progress.say(`step ${step} of ${steps}, ${stage}: loss ${mean(losses).toFixed(3)}`);
        losses = [];
      },
      onEvaluation: (step, { complete = 0, half = 0, none = 0 }) =>
        progress.say(
          `step ${step} of ${steps}: EX on development databases ${percent(complete)} with all rules, ` +
            `${percent(half)} with half, ${percent(none)} with none`,
        ),
    }),
  );
  if (trained === null) return;
  if (json) console.log(JSON.stringify(trained));
  else console.log(`${trained.model}: trained for ${steps} steps`);
}

const SAID_EVERY = 50;
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
