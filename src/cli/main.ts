#!/usr/bin/env node
import { createRequire } from "node:module";
import { Command } from "@commander-js/extra-typings";
import { LseError } from "../errors.js";
import { birdCommand } from "./bird.js";
import { collectCommand } from "./collect.js";
import { compareCommand } from "./compare.js";
import { dataCommand, modelsCommand } from "./download.js";
import { evolveCommand } from "./evolve.js";
import { miniCommand } from "./mini.js";
import { pretrainCommand } from "./pretrain.js";
import { exportCommand, queryCommand } from "./query.js";
import { reportCommand } from "./report.js";
import { rewardServerCommand } from "./reward-server.js";
import { trainCommand } from "./train.js";
import { treeCommand } from "./tree.js";
import { watchCommand } from "./watch.js";

const { version } = createRequire(import.meta.url)("../../package.json") as { version: string };

const program = new Command("lse")
  .description("Learning to Self-Evolve: instructions that learn from their mistakes")
  .version(version)
  .showSuggestionAfterError()
  // `train` has options and commands with options of the same names.
  .enablePositionalOptions()
  .addCommand(evolveCommand())
  .addCommand(treeCommand())
  .addCommand(reportCommand())
  .addCommand(watchCommand())
  .addCommand(compareCommand())
  .addCommand(queryCommand())
  .addCommand(exportCommand())
  .addCommand(birdCommand())
  .addCommand(miniCommand())
  .addCommand(pretrainCommand())
  .addCommand(collectCommand())
  .addCommand(trainCommand())
  .addCommand(rewardServerCommand())
  .addCommand(dataCommand())
  .addCommand(modelsCommand());

try {
  await program.parseAsync();
} catch (error) {
  // Anything else is a defect of this program, and whoever reports it needs the stack.
  console.error(error instanceof LseError ? `lse: ${error.message}` : error);
  process.exitCode = 1;
}
