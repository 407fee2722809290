/** `lse train --dry-run`: what a training takes, before anything is loaded or paid for. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { freemem } from "node:os";
import { join } from "node:path";
import { editTokensOf } from "../../evolve/config.js";
import { needsDecoders } from "../../gguf/read-model.js";
import { readJson } from "../../lib/json-file.js";
import { mean } from "../../lib/statistics.js";
import { estimateStep } from "../../train/estimate.js";
import type { ModelSpec } from "../../train/model/spec.js";
import { productSpeed } from "../../train/speed.js";
import { resolveConfig } from "../config.js";
import type { TrainConfig } from "./config.js";
import { plannedSizes } from "./sizes.js";

/** Of the speed of plain products, what a training step reaches (`npm run bench:train`). */
export const SHARE_OF_PRODUCTS = 0.8;
/** Of a model that is not here yet: as F16. */
const HALF_BYTES = 2;
/** Of this program and llama.cpp's buffers. */
const PROGRAM_BYTES = 0.3 * 2 ** 30;

/** What a training takes. */
export interface TrainPlan {
  readonly model: {
    readonly from: "file" | "published sizes";
    readonly parameters: number;
    readonly trained: number;
  };
  /** Prompt and edits of one node, at most: the engine's context. */
  readonly positions: number;
  readonly edits: number;
  /** Answers that score them, if none is invalid or equal to another; null while there are no trees. */
  readonly answers: number | null;
  /** Gibibytes in memory. */
  readonly memory: {
    readonly weights: number;
    readonly optimizer: number;
    readonly activations: number;
    /** What answers and edits, and the program itself. */
    readonly engine: number;
    readonly total: number;
    readonly free: number;
  };
  readonly gradient: {
    /** Multiplications and additions of an update. */
    readonly petaflop: number;
    /** What the products run at, in GFLOP/s. */
    readonly speed: number;
    /** Of one update. */
    readonly seconds: number;
    /** Hours of all updates. */
    readonly hours: number;
  };
}

/** @param gflops of another machine, sustained in products of matrices; measured here for a second without it */
export async function planTraining(config: TrainConfig, gflops?: number): Promise<TrainPlan> {
  const { spec, from } = await plannedSizes(config);
  const [first] = runConfigs(config.trees);
  const maxTokens = first === undefined ? spec.contextLength : editTokensOf(first.evolve);
  const positions = spec.contextLength;
  const predicted = Math.min(positions, config.rollouts * maxTokens);
  const step = estimateStep({
    spec,
    lora: config.lora ?? undefined,
    recompute: config.recompute,
    positions,
    predicted,
    rows: Math.max(1, Math.floor(config.microTokens / positions)),
  });
  const edits = config.updates * config.nodes * config.rollouts;
  const perEdit = meanOf(runConfigs(config.trees).map(({ evolve }) => evolve.holdout * evolve.samples));
  const reference = config.kl > 0 ? step.weightBytes : 0;
  const memory = {
    weights: gibibytes(step.weightBytes + reference),
    optimizer: gibibytes(step.optimizerBytes),
    activations: gibibytes(step.activationBytes),
    engine: gibibytes(await engineBytes(config, spec, step.parameters)),
  };
  const speed = gflops ?? (await productSpeed(config.threads)) / 1e9;
  const flops = config.nodes * (step.flops + (config.kl > 0 ? step.forwardFlops : 0));
  const seconds = flops / (SHARE_OF_PRODUCTS * speed * 1e9);
  return {
    model: { from, parameters: step.parameters, trained: step.trained },
    positions,
    edits,
    answers: perEdit === null ? null : Math.round(edits * perEdit),
    memory: {
      ...memory,
      total: memory.weights + memory.optimizer + memory.activations + memory.engine,
      free: gibibytes(freemem()),
    },
    gradient: {
      petaflop: flops / 1e15,
      speed,
      seconds,
      hours: (config.updates * seconds) / 3600,
    },
  };
}

/** The weights of model and policy, with a KV cache of half precision for each. */
async function engineBytes(
  { model, policy, engine }: TrainConfig,
  spec: ModelSpec,
  parameters: number,
): Promise<number> {
  const weightBytes = async (path: string) => {
    if (!existsSync(path)) return HALF_BYTES * parameters;
    // llama.cpp has quantised weights twice: as they lie in the file, and laid out for the processor.
    return statSync(path).size * ((await needsDecoders(path)) ? 2 : 1);
  };
  const { layers, kvHeads, headDim } = spec.shape;
  const cells = engine.kvCells ?? spec.contextLength;
  const cache = 2 * HALF_BYTES * cells * layers * kvHeads * headDim;
  let bytes = PROGRAM_BYTES;
  for (const path of [model, ...(policy === undefined ? [] : [policy])])
    bytes += (await weightBytes(path)) + cache;
  return bytes;
}

/** Configurations of the runs in a folder, without opening their data. */
function runConfigs(folder: string) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .map((name) => join(folder, name, "config.json"))
    .filter((path) => existsSync(path))
    .map((path) => resolveConfig(readJson(path), path));
}

const meanOf = (values: readonly number[]) => (values.length === 0 ? null : mean(values));
const gibibytes = (bytes: number) => bytes / 2 ** 30;
