#!/usr/bin/env node
/** The command line: loads the command that is asked for, and prints errors in one line. */
import { createRequire } from "node:module";
import { Command } from "@commander-js/extra-typings";
import { failureText } from "./failure.js";

const { version } = createRequire(import.meta.url)("../../package.json") as { version: string };

/** By name, each loaded when it is asked for: together they take longer to load than most take to run. */
const COMMANDS = {
  init: async () => (await import("./init.js")).initCommand(),
  evolve: async () => (await import("./evolve.js")).evolveCommand(),
  eval: async () => (await import("./eval.js")).evalCommand(),
  ask: async () => (await import("./ask.js")).askCommand(),
  manual: async () => (await import("./manual.js")).manualCommand(),
  tree: async () => (await import("./tree.js")).treeCommand(),
  report: async () => (await import("./report.js")).reportCommand(),
  watch: async () => (await import("./watch.js")).watchCommand(),
  compare: async () => (await import("./compare.js")).compareCommand(),
  query: async () => (await import("./query.js")).queryCommand(),
  export: async () => (await import("./query.js")).exportCommand(),
  bird: async () => (await import("./bird.js")).birdCommand(),
  mini: async () => (await import("./mini.js")).miniCommand(),
  pretrain: async () => (await import("./pretrain.js")).pretrainCommand(),
  validate: async () => (await import("./validate.js")).validateCommand(),
  collect: async () => (await import("./collect.js")).collectCommand(),
  train: async () => (await import("./train.js")).trainCommand(),
  "reward-server": async () => (await import("./reward-server.js")).rewardServerCommand(),
  data: async () => (await import("./download.js")).dataCommand(),
  models: async () => (await import("./download.js")).modelsCommand(),
};

const isCommand = (name: string | undefined): name is keyof typeof COMMANDS =>
  name !== undefined && name in COMMANDS;

async function programFor(asked: string | undefined) {
  const program = new Command("lse")
    .description("Learning to Self-Evolve: instructions that learn from their mistakes")
    .version(version)
    .showSuggestionAfterError()
    // `train` has options and commands with options of the same names.
    .enablePositionalOptions();
  // Help and corrections of wrong names are about all of them.
  const commands = isCommand(asked) ? [COMMANDS[asked]] : Object.values(COMMANDS);
  for (const load of commands) program.addCommand(await load());
  return program;
}

async function fail(error: unknown): Promise<void> {
  process.exitCode = 1;
  console.error(`lse: ${await failureText(error)}`);
}

/** An error that nobody waits for ends the program. */
async function failAtOnce(error: unknown): Promise<void> {
  await fail(error);
  process.exit(1);
}

process.on("uncaughtException", (error) => void failAtOnce(error));
process.on("unhandledRejection", (error) => void failAtOnce(error));
// A file that may not grow further (ulimit -f) fails to be written, as on a full disk, and does not end the program.
process.on("SIGXFSZ", () => {});
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // Whoever reads has seen enough, as `head` has.
  if (error.code === "EPIPE") process.exit(0);
  void failAtOnce(error);
});
process.stderr.on("error", () => process.exit(1));

// Work that waits for what never comes, such as a promise in a task's own file, ends the program without a word.
let isOver = false;
process.on("beforeExit", () => {
  if (isOver) return;
  isOver = true;
  process.exitCode = 1;
  console.error(
    "lse: something that is waited for never comes. Look at the task's own file, if there is one.",
  );
});

programFor(process.argv[2])
  .then((program) => program.parseAsync())
  .catch(fail)
  .finally(() => {
    isOver = true;
  });
