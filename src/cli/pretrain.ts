/** `lse pretrain`: a model of the miniature world from random weights. */
import { Command } from "@commander-js/extra-typings";
import { LseError } from "../errors.js";
import { readJsonObject } from "../lib/json-file.js";
import { mean } from "../lib/statistics.js";
import {
  type PretrainHooks,
  pretrainConfigIn,
  resumePretraining,
  startPretraining,
  stepsOf,
} from "../runs/training/pretrain.js";
import { checkPretrainConfig, type PretrainConfig } from "../runs/training/pretrain-config.js";
import { untilInterrupted } from "../terminal/interrupt.js";
import { Progress } from "../terminal/progress.js";
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
      const config = resume === undefined ? configured(file, threads) : pretrainConfigIn(resume);
      await run(folder, config, resume === undefined, json === true);
    });
}

function configured(file: string | undefined, threads: number | undefined): PretrainConfig {
  if (file === undefined) throw new LseError("--config is missing", "Give configs/mini.json, or your own");
  return checkPretrainConfig(
    { ...readJsonObject(file), ...(threads === undefined ? {} : { threads }) },
    file,
  );
}

async function run(folder: string, config: PretrainConfig, isNew: boolean, json: boolean): Promise<void> {
  const steps = stepsOf(config);
  using progress = new Progress("steps", steps);
  let losses: number[] = [];
  const trained = await untilInterrupted(`Continue with \`lse pretrain --resume ${folder}\``, (signal) => {
    const hooks: PretrainHooks = {
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
    };
    return isNew ? startPretraining(folder, config, hooks) : resumePretraining(folder, hooks);
  });
  if (trained === null) return;
  if (json) console.log(JSON.stringify(trained));
  else console.log(`${trained.model}: trained for ${steps} steps`);
}

const SAID_EVERY = 50;
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
