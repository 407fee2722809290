import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { LseError } from "../errors.js";
import { readJson } from "../json-file.js";
import { readLora, readSizes } from "../runtime/gguf/read-model.js";
import type { LlamaModel } from "../runtime/llama/llama-model.js";
import type { Sampling } from "../runtime/model.js";
import { CHECKPOINT } from "../train/checkpoint.js";
import { readCurve } from "../train/curve.js";
import type { ModelSpec, Parameters } from "../train/model/spec.js";
import { adamW } from "../train/optimizer/groups.js";
import { editStates } from "../train/rl/edit-states.js";
import { type LearnPoint, learn, type UpdatePoint, type ValidationPoint } from "../train/rl/learn.js";
import { exportGgufCommand, exportPeftCommand, importPeftCommand } from "./adapter-files.js";
import { untilInterrupted } from "./interrupt.js";
import { Progress } from "./progress.js";
import { savedRuns } from "./saved-runs.js";
import { TaskPool } from "./tasks.js";
import { checkTrainConfig, type TrainConfig } from "./train-config.js";
import { TrainedEvolver } from "./trained-evolver.js";

export function trainCommand() {
  return new Command("train")
    .description("train the evolver by the improvement its edits bring")
    .addCommand(exportGgufCommand())
    .addCommand(exportPeftCommand())
    .addCommand(importPeftCommand())
    .option("--config <file>", "what to train, such as configs/mini-lse.json")
    .option("--trees <folder>", "runs to learn from, of `lse collect` (the configuration's)")
    .option("--validation <folder>", "runs to choose the checkpoint on (the configuration's)")
    .option("--out <folder>", "new folder for adapters, checkpoint and curve")
    .option("--resume <folder>", "go on in this folder, with its own configuration")
    .option("--json", "print one JSON document")
    .action(async ({ config: file, trees, validation, out, resume, json }) => {
      const folder = resume ?? out;
      if (
        folder === undefined ||
        (resume !== undefined && (out ?? file ?? trees ?? validation) !== undefined)
      )
        throw new LseError("either --config and --out, or --resume alone", "See `lse train --help`");
      const configPath = join(folder, "config.json");
      if (resume === undefined) {
        if (file === undefined)
          throw new LseError("--config is missing", "Give configs/mini-lse.json, or your own");
        const given = {
          ...(trees === undefined ? {} : { trees }),
          ...(validation === undefined ? {} : { validation }),
        };
        prepareTraining(folder, checkTrainConfig({ ...(readJson(file) as object), ...given }, file));
      }
      await untilInterrupted(`Continue with \`lse train --resume ${folder}\``, async (signal) => {
        try {
          const config = checkTrainConfig(readJson(configPath), configPath);
          const best = await train(folder, config, signal);
          if (json) console.log(JSON.stringify(best));
          else
            console.log(
              `${best.evolver}: update ${best.step}, where an edit of validation trees brings ${signed(best.reward)}; ` +
                `untrained ${signed(best.untrained)}`,
            );
        } catch (error) {
          // What could not begin leaves nothing in the way of its correction.
          if (resume === undefined && !signal.aborted && !existsSync(join(folder, CHECKPOINT)))
            rmSync(folder, { recursive: true });
          throw error;
        }
      });
    });
}

/** Makes the folder of a training. @throws LseError when it exists */
export function prepareTraining(folder: string, config: TrainConfig): void {
  if (existsSync(folder))
    throw new LseError(`${folder} exists already`, "Name a new folder, or go on with --resume");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
}

export interface TrainResult {
  /** File of the update that did best on validation trees: an adapter, or a model. */
  readonly evolver: string;
  readonly step: number;
  /** Mean reward of an edit of validation trees, then and before training. */
  readonly reward: number;
  readonly untrained: number;
}

/** Trains in a folder with a `config.json`, from its checkpoint if it has one. */
export async function train(folder: string, config: TrainConfig, signal?: AbortSignal): Promise<TrainResult> {
  await using tasks = new TaskPool();
  const [trees, validation] = await Promise.all(
    [config.trees, config.validation].map((path) => savedRuns(path, tasks)),
  );
  const states = editStates(trees ?? [], config.order, config.seed);
  const held = editStates(validation ?? [], "random", config.seed).slice(0, config.validationNodes);
  const spec = await trainedSizes(config);
  const { lora } = config;
  const adapter = config.start === undefined ? {} : { adapter: await startFrom(config.start, lora) };
  await using engine = await openEngine(config.model, config);
  await using other = config.policy === undefined ? undefined : await openEngine(config.policy, config);

  for (const { run } of [...states, ...held]) {
    if (run.policy === (other ?? engine).fingerprint) continue;
    throw new LseError(
      `${run.origin}: its nodes were scored with another model than ${config.policy ?? config.model}`,
      "Name that model as policy, or collect the runs again: rewards are compared with those scores",
    );
  }

  using progress = new Progress("updates", config.updates);
  const openWeights = (path: string) => openEngine(path, config);
  await using trained = new TrainedEvolver(folder, config.model, engine, openWeights, spec, lora);
  const best = join(folder, "best.gguf");
  const curve = join(folder, "curve.jsonl");
  await learn({
    ...{ folder, states, policy: other ?? engine, validation: held },
    start: { from: "file", path: config.model, ...adapter, seed: config.seed },
    ...{
      updates: config.updates,
      nodes: config.nodes,
      rollouts: config.rollouts,
      clip: config.clip,
      kl: config.kl,
    },
    ...{ estimator: config.estimator, seed: config.seed, validateEvery: config.validateEvery },
    ...(signal === undefined ? {} : { signal }),
    sampling: { ...EDITS, maxTokens: states[0]?.run.config.sampling.maxTokens ?? 1 },
    trainer: {
      ...{ spec, ...(lora && { lora }), clipNorm: config.clipNorm, threads: config.threads },
      ...{ microTokens: config.microTokens, recompute: config.recompute, provider: "cpu" },
      groups: adamW(config.rate),
      schedule: { kind: config.schedule, warmup: 0, steps: config.updates, floor: 0.1 },
    },
    encode: (messages) => engine.encode(messages),
    evolverOf: (parameters) => trained.open(parameters),
    onStart: (done) => progress.skip(done),
    onUpdate: (point) => {
      progress.tick();
      progress.note(`reward ${signed(point.reward)}`);
      progress.say(describeUpdate(point, config.updates));
    },
    onValidation: (point) => {
      if (isBest(point, curve)) copyFileSync(trained.path, best);
      progress.say(
        `update ${point.step}: an edit of validation trees brings ${signed(point.reward)} ± ${(1.96 * point.rewardError).toFixed(3)}, ` +
          `${(100 * point.invalid).toFixed(0)} % invalid`,
      );
    },
  });
  const validations = validationsIn(curve);
  const chosen = validations.reduce((a, b) => (b.reward > a.reward ? b : a));
  return { evolver: best, step: chosen.step, reward: chosen.reward, untrained: validations[0]?.reward ?? 0 };
}

/** Sizes of the evolver, its context no longer than the engine's: what is longer cannot have been written. */
export async function trainedSizes({ model, engine }: TrainConfig): Promise<ModelSpec> {
  const { contextLength, ...sizes } = await readSizes(model);
  return { ...sizes, contextLength: Math.min(contextLength, engine.context ?? contextLength) };
}

/** The parameters of an adapter to begin with. */
async function startFrom(path: string, lora: TrainConfig["lora"]): Promise<Parameters> {
  const adapter = await readLora(path);
  if (adapter.rank !== lora?.rank || adapter.alpha !== lora.alpha)
    throw new LseError(
      `${path}: its rank is ${adapter.rank} and its alpha ${adapter.alpha}, not those of the configuration`,
      "Give the field lora these numbers",
    );
  return Object.fromEntries(Object.entries(adapter.tensors).map(([name, { values }]) => [name, values]));
}

/** The evolver's own distribution: what the policy gradient is computed for. */
const EDITS: Omit<Sampling, "maxTokens"> = {
  ...{ temperature: 1, topK: 0, topP: 1, minP: 0, presencePenalty: 0, stop: [] },
};

async function openEngine(modelPath: string, { engine, threads }: TrainConfig): Promise<LlamaModel> {
  const { LlamaModel } = await import("../runtime/llama/llama-model.js");
  const { context, decodeBatch, ...settings } = engine;
  return await LlamaModel.open({
    ...{ modelPath, threads, repeatable: true },
    ...(Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as object),
    ...(context === undefined ? {} : { contextSize: context }),
    ...(decodeBatch === undefined ? {} : { batchSize: decodeBatch }),
  });
}

const validationsIn = (curve: string) =>
  readCurve<LearnPoint>(curve).filter((point): point is ValidationPoint => point.kind === "validation");

/** Whether a validation beats all that the curve holds, of earlier updates. */
const isBest = ({ step, reward }: ValidationPoint, curve: string): boolean =>
  validationsIn(curve).every((earlier) => earlier.step >= step || earlier.reward < reward);

function describeUpdate(
  { step, reward, rewardError, invalid, editTokens, seconds }: UpdatePoint,
  updates: number,
) {
  const { edits, answers, gradient, rest } = seconds;
  const parts = [edits, answers, gradient, rest].map((part) => part.toFixed(1)).join(" + ");
  return (
    `update ${step} of ${updates}: reward ${signed(reward)} ± ${(1.96 * rewardError).toFixed(3)}, ` +
    `${(100 * invalid).toFixed(0)} % invalid, ${editTokens.toFixed(0)} tokens an edit; ` +
    `${parts} s (edits, answers, gradient, rest)`
  );
}

const signed = (value: number) => (value < 0 ? "" : "+") + value.toFixed(3);
