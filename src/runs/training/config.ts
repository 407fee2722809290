/** What a training of the evolver does: its configuration. */
import { resolve } from "node:path";
import { z } from "zod";
import { checked } from "../../lib/json-file.js";
import { ESTIMATORS } from "../../train/rl/advantages.js";
import { ORDERS } from "../../train/rl/edit-states.js";
import { withMovedPaths } from "../saved-config.js";

const positive = z.int().min(1);
const path = z.string().min(1);

/** What `lse train` does; defaults are the paper's where they make sense on one machine. */
export const trainConfigSchema = z.strictObject({
  /** Where the folder of this file was when it was written, as in a run's. */
  folder: path.optional(),
  /** The evolver, a GGUF of Qwen2 or Qwen3; for `lora: null` in f32, f16 or q8_0. */
  model: path,
  /** The model that answers; the evolver's own without adapter if it is left out. */
  policy: path.optional(),
  /** Folders of runs. */
  trees: path,
  validation: path,
  /** BIRD's folder, for runs of the published code: they do not name it. */
  data: path.optional(),
  order: z.enum(ORDERS).default("potential"),
  estimator: z.enum(ESTIMATORS).default("delta"),
  updates: positive,
  /** Nodes of an update, and edits of each. */
  nodes: positive.default(32),
  rollouts: positive.default(4),
  /** Nodes that validation edits, once each; fewer if there are not so many. */
  validationNodes: positive.default(64),
  validateEvery: positive.default(10),
  /** The adapter on all linear layers; null trains all parameters of the model instead. */
  lora: z
    .strictObject({ rank: positive.default(16), alpha: z.number().positive().default(32) })
    .nullable()
    .prefault({}),
  rate: z.number().positive(),
  /** An adapter to begin with, of the same rank and alpha. */
  start: path.optional(),
  /** Of the rate: constant, or down to a tenth along a cosine. */
  schedule: z.enum(["constant", "cosine"]).default("constant"),
  clip: z.number().gt(0).lt(1).default(0.2),
  /** Of the divergence from the evolver before training, in the loss. */
  kl: z.number().min(0).default(0),
  clipNorm: z.number().positive().default(1),
  seed: z.int().min(0).default(0),
  /** Positions computed at once in training. */
  microTokens: positive.default(1024),
  /** Compute layer by layer, and each again on the way back: less memory, more time. */
  recompute: z.boolean().default(false),
  threads: positive.default(1),
  engine: z
    .strictObject({
      context: positive.optional(),
      gpuLayers: z.int().min(0).optional(),
      sequences: positive.optional(),
      decodeBatch: positive.optional(),
      kvCells: positive.optional(),
      flashAttention: z.boolean().optional(),
    })
    .prefault({}),
});

export type TrainConfig = Omit<z.infer<typeof trainConfigSchema>, "folder">;

const PATHS = ["model", "policy", "start", "trees", "validation", "data"];

/** @param origin the file it comes from, for error messages */
export function checkTrainConfig(value: unknown, origin: string): TrainConfig {
  const example = "Correct that field; configs/mini-lse.json is an example";
  const here = withMovedPaths(value, origin, PATHS);
  const { folder: _, ...config } = checked(trainConfigSchema, here, origin, example);
  const { model, policy, start, trees, validation, data } = config;
  return {
    ...config,
    model: resolve(model),
    trees: resolve(trees),
    validation: resolve(validation),
    ...(policy === undefined ? {} : { policy: resolve(policy) }),
    ...(start === undefined ? {} : { start: resolve(start) }),
    ...(data === undefined ? {} : { data: resolve(data) }),
  };
}
