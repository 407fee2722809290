/** `lse reward-server` and `lse train export-verl`: rewards for a trainer elsewhere. */
import { Command } from "@commander-js/extra-typings";
import { LseError } from "../errors.js";
import { JournalFile } from "../journal/journal-file.js";
import { FolderLock } from "../lib/folder-lock.js";
import { readJson } from "../lib/json-file.js";
import { serveUntil } from "../lib/listen.js";
import { TaskPool } from "../runs/tasks.js";
import { checkTrainConfig } from "../runs/training/config.js";
import { checkScorer, trainStates } from "../runs/training/states.js";
import { untilInterrupted } from "../terminal/interrupt.js";
import { integer } from "./options.js";

const TOKEN = "LSE_REWARD_TOKEN";
const LOOPBACK = ["127.0.0.1", "::1", "localhost"];

/** `lse train export-verl`: the nodes as data of verl's trainer. */
export function exportVerlCommand() {
  return new Command("export-verl")
    .description(
      "write the nodes of a training as data for verl, with a reward function that asks `lse reward-server`",
    )
    .requiredOption("--config <file>", "the training, such as configs/qwen3-4b-lse.json")
    .requiredOption("--out <folder>", "for train.parquet, validation.parquet and lse_reward.py")
    .action(async ({ config: file, out }) => {
      await using tasks = new TaskPool();
      const states = await trainStates(checkTrainConfig(readJson(file), file), tasks);
      const { exportVerl } = await import("../train/verl.js");
      await exportVerl(out, states);
      console.log(
        `${out}: ${states.training.length} nodes to train on, ${states.validation.length} to validate on`,
      );
    });
}

export function rewardServerCommand() {
  return new Command("reward-server")
    .description("the reward of an edit behind HTTP, for a trainer elsewhere such as verl")
    .requiredOption(
      "--config <file>",
      "the training whose nodes are edited, such as configs/qwen3-4b-lse.json",
    )
    .requiredOption("--out <file>", "keeps every reward; a server that starts again computes none twice")
    .option(
      "--host <address>",
      `address to listen on; others than loopback need a token in ${TOKEN}`,
      "127.0.0.1",
    )
    .option("--port <number>", "port to listen on; 0 takes a free one", integer(0, 65535), 8642)
    .option("--together <count>", "edits that are scored in one go", integer(1), 32)
    .option("--waiting <count>", "edits that may wait; more are told to come back", integer(1), 1024)
    .action(async ({ config: file, out, host, port, together, waiting }) => {
      const token = process.env[TOKEN] || null;
      if (token === null && !LOOPBACK.includes(host))
        throw new LseError(
          `${host} can be reached from other machines, and there is no token`,
          `Set ${TOKEN} to a secret here and where verl runs`,
        );
      const config = checkTrainConfig(readJson(file), file);
      const { openTrainEngine } = await import("../runs/training/engine.js");
      const { rewardService } = await import("../train/reward-service.js");
      await using tasks = new TaskPool();
      const states = await trainStates(config, tasks);
      await using policy = await openTrainEngine(config.policy ?? config.model, config);
      checkScorer(states, policy, config);
      using _lock = FolderLock.takeFor(out, "lse reward-server");
      using journal = new JournalFile(out);
      const all = [...states.training, ...states.validation];
      const server = rewardService({ states: all, policy, together, waiting, token, journal });
      await untilInterrupted("The rewards so far are kept", (signal) =>
        serveUntil(signal, server, { port, host }, ({ address, port: bound, family }) => {
          const name = family === "IPv6" ? `[${address}]` : address;
          console.log(`http://${name}:${bound}: rewards for ${all.length} nodes`);
        }),
      );
    });
}
