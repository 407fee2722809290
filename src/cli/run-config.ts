import { resolve } from "node:path";
import { z } from "zod";
import { defaultCacheFolder } from "../bird/gold.js";
import { LseError } from "../errors.js";
import { evolveConfigSchema } from "../evolve/config.js";
import { EventFile } from "../ledger/event-log.js";
import { AdaptedModel } from "../runtime/adapted-model.js";
import type { LanguageModel } from "../runtime/model.js";
import { isModelFolder } from "../runtime/onnx/model-folder.js";
import { RecordedModel } from "../runtime/recorded-model.js";
import type { Task } from "../task.js";
import { evolveDefaults, resolveTask, taskConfigSchema } from "./tasks.js";

const path = z.string().min(1);

/** The whole of a run's configuration, as `config.json` holds it. */
export const runConfigSchema = z.strictObject({
  task: taskConfigSchema,
  model: z.strictObject({
    /** A GGUF file, the folder of an ONNX model, or the events.jsonl of a run to replay. */
    path,
    /**
     * "fast": all answers of a call at once. "exact": one answer at a time, to the bit the same in any company.
     * Both end a killed run like an unbroken one; the fast one computes the call that was cut off again for it.
     */
    engine: z.enum(["fast", "exact"]).default("fast"),
    context: z.int().min(1).optional(),
    gpuLayers: z.int().min(0).optional(),
    /** For the fast engine, what is left out from here on is measured when the model is opened, and filled in. */
    threads: z.int().min(1).optional(),
    decodeBatch: z.int().min(1).optional(),
    sequences: z.int().min(1).max(120).optional(),
    flashAttention: z.boolean().optional(),
    /** Tokens that the KV cache holds; by default as many as memory allows. */
    kvCells: z.int().min(1).optional(),
  }),
  /** What writes the edits, as far as it is not the model that answers. */
  evolver: z.strictObject({ model: path.optional(), adapter: path.optional() }).default({}),
  /** Runs whose completions are used where they are the same. */
  reuse: path.optional(),
  evolve: evolveConfigSchema,
});

export type RunConfig = z.infer<typeof runConfigSchema>;

/**
 * Checks a configuration and fills in its defaults; paths become absolute.
 * @param origin the file it comes from, for error messages
 */
export function resolveConfig(value: unknown, origin: string): RunConfig {
  const parsed = runConfigSchema.safeParse(withTaskDefaults(value));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new LseError(
      `${origin}: field ${issue?.path.join(".") || "(whole file)"}: ${issue?.message}`,
      "Correct that field",
    );
  }
  const { task, model, evolver, reuse, evolve } = parsed.data;
  if (evolve.constrainEdits && model.engine === "exact") {
    throw new LseError(
      `${origin}: field evolve.constrainEdits: the exact engine cannot keep to a grammar`,
      "Take the fast engine, or leave edits unconstrained",
    );
  }
  if (evolve.constrainEdits && evolve.method === "textgrad") {
    throw new LseError(
      `${origin}: field evolve.constrainEdits: the grammar is for other tags than TextGrad's`,
      "Leave edits unconstrained, or take another method",
    );
  }
  if (evolve.schedule === "reference" && !["ucb", "best", "chain"].includes(evolve.method)) {
    throw new LseError(
      `${origin}: field evolve.schedule: the published code's order is for ucb, best and chain`,
      "Take one of these methods, or the schedule algorithm1",
    );
  }
  if (model.path.endsWith(".jsonl") && Object.keys(evolver).length > 0) {
    throw new LseError(
      `${origin}: field evolver: a recording answers for one model only`,
      "Give a model file, or leave the evolver out",
    );
  }
  refuseForOnnx(parsed.data, origin);
  return {
    task: resolveTask(task),
    model: { ...model, path: resolve(model.path) },
    evolver: {
      ...(evolver.model === undefined ? {} : { model: resolve(evolver.model) }),
      ...(evolver.adapter === undefined ? {} : { adapter: resolve(evolver.adapter) }),
    },
    ...(reuse === undefined ? {} : { reuse: resolve(reuse) }),
    evolve,
  };
}

/** What only llama.cpp has. */
const LLAMA_FIELDS = ["gpuLayers", "decodeBatch", "sequences", "flashAttention", "kvCells"] as const;

/** @throws LseError naming a field that an ONNX model has no use for */
function refuseForOnnx({ model, evolver, evolve }: RunConfig, origin: string): void {
  const refuse = (field: string, why: string) => {
    throw new LseError(`${origin}: field ${field}: ${why}`, "Leave it out, or give a GGUF file");
  };
  const writing = evolver.model ?? model.path;
  if (isModelFolder(model.path)) {
    const given = LLAMA_FIELDS.find((field) => model[field] !== undefined);
    if (given !== undefined) refuse(`model.${given}`, "an ONNX model does not have that setting");
    if (model.engine === "exact") refuse("model.engine", "an ONNX model has one engine, which is exact");
  }
  if (!isModelFolder(writing)) return;
  if (evolver.adapter !== undefined) refuse("evolver.adapter", "an ONNX model takes no adapter");
  if (evolve.constrainEdits) refuse("evolve.constrainEdits", "an ONNX model cannot keep to a grammar");
}

/** A configuration with its task's own defaults for what it leaves open. */
function withTaskDefaults(value: unknown): unknown {
  if (!isObject(value) || !isObject(value.task)) return value;
  const { evolve = {} } = value;
  const defaults = evolveDefaults(value.task.name);
  if (!isObject(evolve) || defaults.sampling === undefined) return value;
  const { sampling = {} } = evolve;
  const merged = isObject(sampling) ? { ...defaults.sampling, ...sampling } : sampling;
  return { ...value, evolve: { ...defaults, ...evolve, sampling: merged } };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

/**
 * Opens the model of a configuration, on the problems of `task` as the workload to tune it for.
 * @returns the model, and its part of the configuration with what was found to be fast on this machine
 */
export async function openModel(
  { model, task: { cache } }: RunConfig,
  task: Task,
): Promise<{ model: LanguageModel; resolved: RunConfig["model"] }> {
  if (model.path.endsWith(".jsonl")) {
    return { model: new RecordedModel(new EventFile(model.path), model.path), resolved: model };
  }
  if (isModelFolder(model.path)) return { model: await openOnnx(model.path, model), resolved: model };
  // Loaded when it is needed: the library takes longer to load than all other commands take to run.
  const { LlamaModel, NodeLlamaCppModel, openLlama } = await import("../runtime/llama/open.js");
  const { decodeBatch, sequences, flashAttention, kvCells, context, gpuLayers, threads } = model;
  const options = given({ modelPath: model.path, contextSize: context, gpuLayers, threads });
  if (model.engine === "exact") return { model: await NodeLlamaCppModel.open(options), resolved: model };
  const opened = await openLlama({
    ...options,
    ...given({ batchSize: decodeBatch, sequences, flashAttention, kvCells }),
    repeatable: true,
    tuning: {
      prompts: task.problemIds.map((id) => task.prompt(id, task.seedInstructions)),
      folder: cache ?? defaultCacheFolder(),
    },
  });
  if (!(opened instanceof LlamaModel)) return { model: opened, resolved: model };
  const { batchSize, ...settings } = opened.settings;
  const { kvCells: cells } = opened;
  return { model: opened, resolved: { ...model, ...settings, decodeBatch: batchSize, kvCells: cells } };
}

/**
 * Opens what writes the edits: another model, an adapter on it, or an adapter on the model that answers.
 * @returns undefined where the model that answers does that too
 */
export async function openEvolver(
  { model: answering, evolver: { model: path, adapter } }: RunConfig,
  policy: LanguageModel,
): Promise<LanguageModel | undefined> {
  if (path === undefined) {
    return adapter === undefined ? undefined : await AdaptedModel.open(policy, adapter);
  }
  if (isModelFolder(path)) return await openOnnx(path, answering);
  const { openLlama } = await import("../runtime/llama/open.js");
  const { context, gpuLayers, threads, decodeBatch, sequences, flashAttention, kvCells } = answering;
  const engine = await openLlama({
    ...given({ modelPath: path, contextSize: context, gpuLayers, threads }),
    ...given({ batchSize: decodeBatch, sequences, flashAttention, kvCells }),
    repeatable: true,
  });
  if (adapter !== undefined) await engine.useAdapter(adapter);
  return engine;
}

async function openOnnx(folder: string, { context, threads }: RunConfig["model"]): Promise<LanguageModel> {
  const { OnnxModel } = await import("../runtime/onnx/onnx-model.js");
  return await OnnxModel.open({ folder, ...given({ contextSize: context, threads }) });
}

/** An object without what is undefined. */
function given<T extends object>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}
