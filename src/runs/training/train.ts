/** A training of the evolver in a folder, from its checkpoint if it has one. */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { LseError } from "../../errors.js";
import { editTokensOf } from "../../evolve/config.js";
import { readLora } from "../../gguf/read-model.js";
import { FolderLock } from "../../lib/folder-lock.js";
import { readJson } from "../../lib/json-file.js";
import type { Sampling } from "../../model.js";
import { CURVE, readCurve } from "../../train/curve.js";
import type { Parameters } from "../../train/model/spec.js";
import { adamW } from "../../train/optimizer/groups.js";
import { type LearnPoint, learn, type UpdatePoint, type ValidationPoint } from "../../train/rl/learn.js";
import { savedConfig } from "../saved-config.js";
import { TaskPool } from "../tasks.js";
import { checkTrainConfig, type TrainConfig } from "./config.js";
import { openTrainEngine } from "./engine.js";
import { configPathIn, inNewFolder } from "./new-folder.js";
import { trainedSizes } from "./sizes.js";
import { checkScorer, trainStates } from "./states.js";
import { TrainedEvolver } from "./trained-evolver.js";

/** What holds the lock of a training's folder. */
const COMMAND = "lse train";

/** What came of a training. */
export interface TrainResult {
  /** File of the update that did best on validation trees: an adapter, or a model. */
  readonly evolver: string;
  readonly step: number;
  /** Mean reward of an edit of validation trees, then and before training. */
  readonly reward: number;
  readonly untrained: number;
}

/** Who is told what while an evolver is trained. */
export interface TrainHooks {
  /** @param done updates of earlier processes */
  readonly onStart?: (done: number) => void;
  readonly onUpdate?: (point: UpdatePoint) => void;
  readonly onValidation?: (point: ValidationPoint) => void;
  /** Ends the training at once; what was paid for is kept. */
  readonly signal?: AbortSignal;
}

/**
 * Trains in a new folder. What fails before the first checkpoint leaves no folder.
 * @param config checked (`checkTrainConfig`)
 * @throws LseError for a folder that exists, and for trees and models that do not fit each other
 */
export const startTraining = (folder: string, config: TrainConfig, hooks: TrainHooks = {}) =>
  inNewFolder(
    folder,
    COMMAND,
    () => savedConfig(folder, config),
    () => train(folder, config, hooks),
    hooks.signal,
  );

/**
 * Goes on with a training, from its checkpoint if it has one.
 * @throws LseError for a folder without a configuration, and for trees and models that do not fit each other
 */
export async function resumeTraining(folder: string, hooks: TrainHooks = {}): Promise<TrainResult> {
  const config = trainConfigIn(folder);
  using _lock = FolderLock.take(folder, COMMAND);
  return await train(folder, config, hooks);
}

/** The configuration in the folder of a training. */
export const trainConfigIn = (folder: string): TrainConfig =>
  checkTrainConfig(readJson(configPathIn(folder)), configPathIn(folder));

async function train(
  folder: string,
  config: TrainConfig,
  { onStart, onUpdate, onValidation, signal }: TrainHooks,
): Promise<TrainResult> {
  await using tasks = new TaskPool();
  const spec = await trainedSizes(config);
  const states = await trainStates(config, tasks);
  const { lora } = config;
  const adapter = config.start === undefined ? {} : { adapter: await startFrom(config.start, lora) };
  await using engine = await openTrainEngine(config.model, config);
  await using other = config.policy === undefined ? undefined : await openTrainEngine(config.policy, config);

  checkScorer(states, other ?? engine, config);
  await using trained = new TrainedEvolver({
    folder,
    modelPath: config.model,
    engine,
    openModel: (path) => openTrainEngine(path, config),
    spec,
    lora,
  });
  const best = join(folder, "best.gguf");
  const curve = join(folder, CURVE);
  const [first] = states.training;
  await learn({
    folder,
    states: states.training,
    validation: states.validation,
    policy: other ?? engine,
    start: { from: "file", path: config.model, ...adapter, seed: config.seed },
    updates: config.updates,
    nodes: config.nodes,
    rollouts: config.rollouts,
    clip: config.clip,
    kl: config.kl,
    estimator: config.estimator,
    seed: config.seed,
    validateEvery: config.validateEvery,
    sampling: { ...EDITS, maxTokens: first === undefined ? 1 : editTokensOf(first.run.config) },
    trainer: {
      spec,
      ...(lora && { lora }),
      clipNorm: config.clipNorm,
      threads: config.threads,
      microTokens: config.microTokens,
      recompute: config.recompute,
      provider: "cpu",
      groups: adamW(config.rate),
      schedule: { kind: config.schedule, warmup: 0, steps: config.updates, floor: 0.1 },
    },
    encode: (messages) => engine.encode(messages),
    evolverOf: (parameters) => trained.open(parameters),
    ...(onStart && { onStart }),
    ...(onUpdate && { onUpdate }),
    onValidation: (point) => {
      if (isBest(point, curve)) copyFileSync(trained.path, best);
      onValidation?.(point);
    },
    signal,
  });
  const validations = validationsIn(curve);
  const chosen = validations.reduce((a, b) => (b.reward > a.reward ? b : a));
  return { evolver: best, step: chosen.step, reward: chosen.reward, untrained: validations[0]?.reward ?? 0 };
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
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  presencePenalty: 0,
  stop: [],
};

const validationsIn = (curve: string) =>
  readCurve<LearnPoint>(curve).filter((point): point is ValidationPoint => point.kind === "validation");

/** Whether a validation beats all that the curve holds, of earlier updates. */
const isBest = ({ step, reward }: ValidationPoint, curve: string): boolean =>
  validationsIn(curve).every((earlier) => earlier.step >= step || earlier.reward < reward);
