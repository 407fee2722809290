import { resolve } from "node:path";
import { z } from "zod";
import { defaultCacheFolder } from "../bird/gold.js";
import { LseError } from "../errors.js";
import { evolveConfigSchema } from "../evolve/config.js";
import type { Prices } from "../evolve/run.js";
import { EventFile } from "../journal/event-log.js";
import { checked } from "../lib/json-file.js";
import type { LanguageModel } from "../model.js";
import { AdaptedModel } from "../runtime/adapted-model.js";
import { isModelFolder } from "../runtime/onnx/model-folder.js";
import type { Purse } from "../runtime/price.js";
import { RecordedModel } from "../runtime/recorded-model.js";
import { isRemote } from "../runtime/remote/names.js";
import type { Task } from "../task.js";
import { evolveDefaults, resolveTask, taskConfigSchema } from "./tasks.js";

const path = z.string().min(1);

/** How to ask a model behind a service. */
const remoteSchema = z.strictObject({
  /** Of a server that is not the provider's own. */
  baseUrl: z.url().optional(),
  /** Tokens that prompt and completion share. */
  context: z.int().min(1).default(128_000),
  /** Requests under way at once. */
  parallel: z.int().min(1).default(16),
  requestsPerMinute: z.number().positive().optional(),
  /** Attempts at one request. */
  attempts: z.int().min(1).default(6),
  /** Seconds that one attempt may take. */
  timeout: z.number().positive().default(600),
  /** Dollars for a million tokens. */
  price: z.strictObject({ input: z.number().min(0), output: z.number().min(0) }).optional(),
});

/** The whole of a run's configuration, as `config.json` holds it. */
export const runConfigSchema = z.strictObject({
  task: taskConfigSchema,
  model: z.strictObject({
    /** A GGUF file, the folder of an ONNX model, a service's model such as openai:gpt-5, or a run's events.jsonl. */
    path,
    remote: remoteSchema.optional(),
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
  evolver: z
    .strictObject({ model: path.optional(), adapter: path.optional(), remote: remoteSchema.optional() })
    .default({}),
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
  const config = checked(runConfigSchema, withTaskDefaults(value), origin, "Correct that field");
  const { task, model, evolver, reuse, evolve } = config;
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
  refuseForOnnx(config, origin);
  refuseForRemote(config, origin);
  return {
    task: resolveTask(task),
    model: { ...model, path: located(model.path) },
    evolver: {
      ...evolver,
      ...(evolver.model === undefined ? {} : { model: located(evolver.model) }),
      ...(evolver.adapter === undefined ? {} : { adapter: resolve(evolver.adapter) }),
    },
    ...(reuse === undefined ? {} : { reuse: resolve(reuse) }),
    evolve,
  };
}

/** Paths become absolute; names of services' models stay. */
const located = (model: string) => (isRemote(model) ? model : resolve(model));

/** @throws LseError naming a field that a service's model, or no other, has a use for */
function refuseForRemote({ model, evolver, evolve }: RunConfig, origin: string): void {
  const refuse = (field: string, why: string, next: string) => {
    throw new LseError(`${origin}: field ${field}: ${why}`, next);
  };
  const isRemoteModel = isRemote(model.path);
  const isRemoteEvolver = evolver.model === undefined ? isRemoteModel : isRemote(evolver.model);
  if (isRemoteModel) {
    const given = ([...LLAMA_FIELDS, "threads", "context"] as const).find(
      (field) => model[field] !== undefined,
    );
    if (given !== undefined)
      refuse(`model.${given}`, "a model behind a service does not have that setting", "Leave it out");
  } else if (model.remote !== undefined) {
    refuse(
      "model.remote",
      `${model.path} is not behind a service`,
      "Leave it out, or name a model such as openai:gpt-5",
    );
  }
  if (evolver.remote !== undefined && (evolver.model === undefined || !isRemoteEvolver))
    refuse("evolver.remote", "the evolver is not a service's model of its own", "Name it in evolver.model");
  if (isRemoteEvolver && evolver.adapter !== undefined)
    refuse("evolver.adapter", "no adapter can be put on a service's model", "Leave it out");
  if (isRemoteEvolver && evolve.constrainEdits)
    refuse(
      "evolve.constrainEdits",
      "a service's model cannot keep to a grammar",
      "Leave edits unconstrained",
    );
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
  { model, task: { cache } }: Pick<RunConfig, "model" | "task">,
  task: Pick<Task, "problemIds" | "seedInstructions" | "prompt">,
  purse?: Purse,
): Promise<{ model: LanguageModel; resolved: RunConfig["model"] }> {
  if (model.path.endsWith(".jsonl")) {
    return { model: new RecordedModel(new EventFile(model.path), model.path), resolved: model };
  }
  if (isModelFolder(model.path)) return { model: await openOnnx(model.path, model), resolved: model };
  if (isRemote(model.path))
    return { model: await openService(model.path, model.remote, purse), resolved: model };
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
  { model: answering, evolver: { model: path, adapter, remote } }: RunConfig,
  policy: LanguageModel,
  purse?: Purse,
): Promise<LanguageModel | undefined> {
  if (path === undefined) {
    return adapter === undefined ? undefined : await AdaptedModel.open(policy, adapter);
  }
  if (isModelFolder(path)) return await openOnnx(path, answering);
  if (isRemote(path)) return await openService(path, remote, purse);
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

async function openService(
  name: string,
  remote: RunConfig["model"]["remote"],
  purse: Purse | undefined,
): Promise<LanguageModel> {
  const { openRemote } = await import("../runtime/remote/open.js");
  const { context: contextSize, ...settings } = remote ?? remoteSchema.parse({});
  return openRemote({ name, contextSize, ...settings }, purse);
}

/** What answers and edits cost; nothing for models on this machine. */
export function pricesOf({ model, evolver }: RunConfig): Prices {
  const answers = model.remote?.price;
  return { answers, edits: evolver.model === undefined ? answers : evolver.remote?.price };
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
