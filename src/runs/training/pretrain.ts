/** Training a model of the miniature world from random weights, in a folder. */
import { join } from "node:path";
import { writeTrainedModel } from "../../gguf/trained-model.js";
import { makeNewFolder, replaceFile } from "../../lib/files.js";
import { FolderLock } from "../../lib/folder-lock.js";
import { actingFigures } from "../../mini/acting-figures.js";
import { demonstrationsOf, stageOf } from "../../mini/curriculum.js";
import { miniTokenizer } from "../../mini/tokenizer.js";
import { rowOf } from "../../train/lessons.js";
import type { Parameters } from "../../train/model/spec.js";
import { muonAdamW } from "../../train/optimizer/groups.js";
import { latestEvaluation, pretrain } from "../../train/pretrain.js";
import type { PretrainConfig } from "./pretrain-config.js";

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

/** Makes the folder of a training. @throws LseError when it exists */
export function preparePretraining(folder: string, config: PretrainConfig): void {
  FolderLock.requireFree(folder);
  makeNewFolder(folder, "Name a new folder, or resume that training");
  replaceFile(join(folder, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
}

export const stepsOf = ({ stages }: PretrainConfig): number =>
  stages.reduce((sum, stage) => sum + stage.steps, 0);

/** Trains in a folder with a `config.json`, from its checkpoint if it has one. */
export async function pretrainInFolder(
  folder: string,
  config: PretrainConfig,
  { onStart, onStep, onEvaluation, signal }: PretrainHooks = {},
): Promise<{ readonly model: string; readonly steps: number; readonly figures: unknown }> {
  using _lock = FolderLock.take(folder, "lse pretrain");
  const { model, seed, stages, groups, optimizer, development, threads } = config;
  const { family, contextLength, ...shape } = model;
  const spec = { family, shape, vocabulary: miniTokenizer.vocabulary, contextLength };
  const steps = stepsOf(config);
  const { matrixRate, rate, warmup, floor, clipNorm } = optimizer;
  const modelPath = join(folder, "model.gguf");

  const evaluate = async (parameters: Parameters) => {
    await writeTrainedModel(modelPath, {
      family,
      shape,
      parameters,
      type: "f16",
      tokenizer: miniTokenizer,
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
    rowsOf: (step) =>
      demonstrationsOf(stages, seed, step, groups).map((group) => rowOf(group, miniTokenizer)),
    ...(onStart && { onStart }),
    onStep: ({ step, loss }) => onStep?.(step, loss, stageOf(stages, step).name),
    ...(onEvaluation && { onEvaluation }),
  });
  return { model: modelPath, steps, figures: latestEvaluation(folder) };
}
