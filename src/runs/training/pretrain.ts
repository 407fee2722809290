/** Training a model of the miniature world from random weights, in a folder. */
import { join } from "node:path";
import { writeTrainedModel } from "../../gguf/trained-model.js";
import { FolderLock } from "../../lib/folder-lock.js";
import { readJson } from "../../lib/json-file.js";
import { actingFigures } from "../../mini/acting-figures.js";
import { demonstrationsOf, stageOf } from "../../mini/curriculum.js";
import { miniDeltaTokenizer, miniTokenizer } from "../../mini/tokenizer.js";
import { rowOf } from "../../train/lessons.js";
import type { Parameters } from "../../train/model/spec.js";
import { muonAdamW } from "../../train/optimizer/groups.js";
import { latestEvaluation, pretrain } from "../../train/pretrain.js";
import { configPathIn, inNewFolder } from "./new-folder.js";
import { checkPretrainConfig, type PretrainConfig } from "./pretrain-config.js";

/** Positions computed at once: four times as many take longer each, because they leave the cache. */
const MICRO_TOKENS = 1024;

/** EX on development databases, by how many of the true rules are in the instructions. */
export interface ActingFigures {
  readonly complete?: number;
  readonly half?: number;
  readonly none?: number;
}

/** Who is told what while a model is trained. */
export interface PretrainHooks {
  /** @param done steps of earlier processes */
  readonly onStart?: (done: number) => void;
  /** @param stage its name in the configuration */
  readonly onStep?: (step: number, loss: number, stage: string) => void;
  readonly onEvaluation?: (step: number, figures: ActingFigures) => void;
  /** Ends the training at once; the last checkpoint stays. */
  readonly signal?: AbortSignal;
}

/** What came of a training. */
export interface PretrainResult {
  /** File of the model. */
  readonly model: string;
  readonly steps: number;
  readonly figures: unknown;
}

/** What holds the lock of a training's folder. */
const COMMAND = "lse pretrain";

export const stepsOf = ({ stages }: PretrainConfig): number =>
  stages.reduce((sum, stage) => sum + stage.steps, 0);

/**
 * Trains in a new folder. What fails before the first checkpoint leaves no folder.
 * @throws LseError for a folder that exists, and for a model that cannot be trained
 */
export const startPretraining = (folder: string, config: PretrainConfig, hooks: PretrainHooks = {}) =>
  inNewFolder(
    folder,
    COMMAND,
    () => config,
    () => train(folder, config, hooks),
    hooks.signal,
  );

/** Goes on with a training, from its checkpoint if it has one. @throws LseError for a folder without a configuration */
export async function resumePretraining(folder: string, hooks: PretrainHooks = {}): Promise<PretrainResult> {
  const config = pretrainConfigIn(folder);
  using _lock = FolderLock.take(folder, COMMAND);
  return await train(folder, config, hooks);
}

/** The configuration in the folder of a training. */
export const pretrainConfigIn = (folder: string): PretrainConfig =>
  checkPretrainConfig(readJson(configPathIn(folder)), configPathIn(folder));

async function train(
  folder: string,
  config: PretrainConfig,
  { onStart, onStep, onEvaluation, signal }: PretrainHooks,
): Promise<PretrainResult> {
  const { model, seed, stages, groups, optimizer, development, threads } = config;
  const { family, contextLength, ...shape } = model;
  const tokenizer = stages.some(({ delta }) => delta > 0) ? miniDeltaTokenizer : miniTokenizer;
  const spec = { family, shape, vocabulary: tokenizer.vocabulary, contextLength };
  const steps = stepsOf(config);
  const { matrixRate, rate, warmup, floor, clipNorm } = optimizer;
  const modelPath = join(folder, "model.gguf");

  const evaluate = async (parameters: Parameters) => {
    await writeTrainedModel(modelPath, {
      family,
      shape,
      parameters,
      type: "f16",
      tokenizer,
      name: "lse mini",
      contextLength,
    });
    const { openLlama } = await import("../../runtime/llama/open.js");
    await using engine = await openLlama({ modelPath, threads, gpuLayers: 0, tuning: null });
    return await actingFigures(engine, development.databases, development.problems);
  };

  await pretrain({
    folder,
    seed,
    steps,
    evaluate,
    ...(signal && { signal }),
    lookupHeads: config.lookupHeads,
    checkpointEvery: config.checkpointEvery,
    evaluateEvery: config.evaluateEvery,
    trainer: {
      spec,
      threads,
      clipNorm,
      provider: "cpu",
      microTokens: MICRO_TOKENS,
      groups: muonAdamW(matrixRate, rate),
      schedule: { kind: "cosine", warmup, steps, floor },
    },
    rowsOf: (step) => demonstrationsOf(stages, seed, step, groups).map((group) => rowOf(group, tokenizer)),
    ...(onStart && { onStart }),
    onStep: ({ step, loss }) => onStep?.(step, loss, stageOf(stages, step).name),
    ...(onEvaluation && { onEvaluation }),
  });
  return { model: modelPath, steps, figures: latestEvaluation(folder) };
}
