/** `lse train`: training the evolver, and what belongs to it. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { LseError } from "../errors.js";
import { LOCK } from "../lib/folder-lock.js";
import { readJson, readJsonObject } from "../lib/json-file.js";
import { checkTrainConfig } from "../runs/training/config.js";
import { drawCurve } from "../terminal/curve.js";
import { untilInterrupted } from "../terminal/interrupt.js";
import { signed } from "../terminal/numbers.js";
import { Progress } from "../terminal/progress.js";
import { planText, trainingHooks } from "../terminal/training-text.js";
import { CHECKPOINT } from "../train/checkpoint.js";
import { CURVE, readCurve } from "../train/curve.js";
import type { LearnPoint } from "../train/rl/learn.js";
import { exportGgufCommand, exportPeftCommand, importPeftCommand } from "./adapter-files.js";
import { decimal } from "./options.js";
import { exportVerlCommand } from "./reward-server.js";

export function trainCommand() {
  return new Command("train")
    .description("train the evolver by the improvement its edits bring")
    .enablePositionalOptions()
    .addCommand(curveCommand())
    .addCommand(exportGgufCommand())
    .addCommand(exportPeftCommand())
    .addCommand(importPeftCommand())
    .addCommand(exportVerlCommand())
    .option("--config <file>", "what to train, such as configs/mini-lse.json")
    .option("--trees <folder>", "runs to learn from, of `lse collect` (the configuration's)")
    .option("--validation <folder>", "runs to choose the checkpoint on (the configuration's)")
    .option("--out <folder>", "new folder for adapters, checkpoint and curve")
    .option("--resume <folder>", "go on in this folder, with its own configuration")
    .option("--dry-run", "print what the configuration takes in memory and time, and do nothing")
    .option(
      "--gflops <speed>",
      "for --dry-run: GFLOP/s of the machine meant, in products of matrices",
      decimal(1),
    )
    .option("--json", "print one JSON document")
    .action(async ({ config: file, trees, validation, out, resume, json, dryRun, gflops }) => {
      const given = {
        ...(trees === undefined ? {} : { trees }),
        ...(validation === undefined ? {} : { validation }),
      };
      const configured = (path: string | undefined) => {
        if (path !== undefined) return checkTrainConfig({ ...readJsonObject(path), ...given }, path);
        throw new LseError("--config is missing", "Give configs/mini-lse.json, or your own");
      };
      if (dryRun) {
        const config = configured(file);
        const { planTraining } = await import("../runs/training/plan.js");
        const plan = await planTraining(config, gflops);
        console.log(json ? JSON.stringify(plan) : planText(plan, config));
        return;
      }
      const folder = resume ?? out;
      if (
        folder === undefined ||
        (resume !== undefined && (out ?? file ?? trees ?? validation) !== undefined)
      )
        throw new LseError("either --config and --out, or --resume alone", "See `lse train --help`");
      const configPath = join(folder, "config.json");
      const { prepareTraining, train } = await import("../runs/training/train.js");
      if (resume === undefined) prepareTraining(folder, configured(file));
      await untilInterrupted(`Continue with \`lse train --resume ${folder}\``, async (signal) => {
        try {
          const config = checkTrainConfig(readJson(configPath), configPath);
          using progress = new Progress("updates", config.updates);
          const best = await train(folder, config, { signal, ...trainingHooks(progress, config.updates) });
          if (json) console.log(JSON.stringify(best));
          else
            console.log(
              `${drawCurve(readCurve(join(folder, CURVE)))}\n${best.evolver}: update ${best.step}, where an edit of validation trees brings ${signed(best.reward)}; ` +
                `untrained ${signed(best.untrained)}`,
            );
        } catch (error) {
          // What could not begin leaves nothing in the way of its correction.
          const isOurs = resume === undefined && !existsSync(join(folder, LOCK));
          if (isOurs && !signal.aborted && !existsSync(join(folder, CHECKPOINT)))
            rmSync(folder, { recursive: true });
          throw error;
        }
      });
    });
}

/** `lse train curve`: how a training went. */
function curveCommand() {
  return new Command("curve")
    .description("draw the rewards of a training")
    .argument("<training>", "folder of `lse train`")
    .action((folder) => {
      const path = join(folder, CURVE);
      if (!existsSync(path))
        throw new LseError(`${path}: no such file`, "Give a folder of `lse train` that has a checkpoint");
      console.log(drawCurve(readCurve<LearnPoint>(path)));
    });
}
