/** What `lse pretrain` does: its configuration. */
import { z } from "zod";
import { checked } from "../../lib/json-file.js";

const positive = z.int().min(1);

/** What `lse pretrain` does; the shipped ones are in `configs/`. */
export const pretrainConfigSchema = z.strictObject({
  model: z.strictObject({
    family: z.enum(["qwen2", "qwen3"]),
    layers: positive,
    embedding: positive,
    heads: positive,
    kvHeads: positive,
    headDim: positive,
    feedForward: positive,
    contextLength: positive,
  }),
  /** Of the first weights and of the order of demonstrations. */
  seed: z.int().min(0),
  /** Whether some heads are written to look things up from the start; see `addLookupHeads`. */
  lookupHeads: z.boolean(),
  /** Groups of demonstrations in a step: databases, or summaries to write edits for. */
  groups: positive,
  stages: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        steps: positive,
        evolve: z.number().min(0).max(1),
        sloppy: z.boolean(),
        /** Share of the evolving steps whose edits are changes of single rules. */
        delta: z.number().min(0).max(1).default(0),
      }),
    )
    .min(1),
  optimizer: z.strictObject({
    /** Muon's rate for the layers' matrices. */
    matrixRate: z.number().positive(),
    /** AdamW's rate for everything else. */
    rate: z.number().positive(),
    warmup: z.int().min(0),
    /** The rates end at this share of themselves, along a cosine. */
    floor: z.number().min(0).max(1),
    clipNorm: z.number().positive(),
  }),
  checkpointEvery: positive,
  evaluateEvery: positive,
  /** Databases and problems of each that evaluations ask. */
  development: z.strictObject({ databases: positive, problems: positive }),
  /** The same number gives the same weights to the last bit. Defaults to 1. */
  threads: positive.default(1),
});

export type PretrainConfig = z.infer<typeof pretrainConfigSchema>;

/** @param origin the file it comes from, for error messages */
export const checkPretrainConfig = (value: unknown, origin: string): PretrainConfig =>
  checked(pretrainConfigSchema, value, origin, "Correct that field; configs/mini.json is an example");
