/** `lse train`: training the evolver, and what belongs to it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { LseError } from "../errors.js";
import { readJsonObject } from "../lib/json-file.js";
import { checkTrainConfig } from "../runs/training/config.js";
import { drawCurve } from "../terminal/curve.js";
import { untilInterrupted } from "../terminal/interrupt.js";
import { signed } from "../terminal/numbers.js";
import { Progress } from "../terminal/progress.js";
import { planText, trainingHooks } from "../terminal/training-text.js";
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
      const { resumeTraining, startTraining, trainConfigIn } = await import("../runs/training/train.js");
      const settings = resume === undefined ? configured(file) : trainConfigIn(resume);
      const { planTraining } = await import("../runs/training/plan.js");
      console.error(planText(await planTraining(settings), settings));
      await untilInterrupted(`Continue with \`lse train --resume ${folder}\``, async (signal) => {
        using progress = new Progress("updates", settings.updates);
        const hooks = { signal, ...trainingHooks(progress, settings.updates) };
        const best = await (resume === undefined
          ? startTraining(folder, settings, hooks)
          : resumeTraining(folder, hooks));
        if (json) console.log(JSON.stringify(best));
        else
          console.log(
            `${drawCurve(readCurve(join(folder, CURVE)))}\n${best.evolver}: update ${best.step}, where an edit of validation trees brings ${signed(best.reward)}; ` +
              `untrained ${signed(best.untrained)}`,
          );
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
