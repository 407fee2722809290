/** The configuration of a run: its fields, their defaults, and which of them go together. */
import { resolve } from "node:path";
import { z } from "zod";
import { LseError } from "../errors.js";
import { evolveConfigSchema, METHOD_NAMES } from "../evolve/config.js";
import { METHODS, settled } from "../evolve/methods.js";
import { checked } from "../lib/json-file.js";
import { isModelFolder } from "../runtime/onnx/model-folder.js";
import { isRemote } from "../runtime/remote/names.js";
import { templateSettingsSchema } from "../runtime/template-choice.js";
import { withMovedPaths } from "./saved-config.js";
import { evolveDefaults, resolveTask, taskConfigSchema } from "./tasks.js";

const path = z.string().min(1);

/** How to ask a model behind a service. */
export const remoteSchema = z.strictObject({
  /** Of a server that is not the provider's own. */
  baseUrl: z.url().optional(),
  /** Tokens that prompt and completion share. */
  context: z.int().min(1).default(128_000),
  /** Requests under way at once. */
  parallel: z.int().min(1).default(16),
  requestsPerMinute: z.number().min(0.001).optional(),
  /** Attempts at one request. */
  attempts: z.int().min(1).default(6),
  /** Seconds that one attempt may take. */
  timeout: z.number().positive().default(600),
  /** Dollars for a million tokens. */
  price: z.strictObject({ input: z.number().min(0), output: z.number().min(0) }).optional(),
});

/** The whole of a run's configuration, as `config.json` holds it. */
export const runConfigSchema = z.strictObject({
  /** Where editors find the schema of this file; lse does not look at it. */
  $schema: z.string().optional(),
  /** Where the folder of this file was when it was written: its paths are looked for from there first, if it has moved. */
  folder: path.optional(),
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
    /** The chat template of a model on this machine: which one, and what it is told. */
    template: templateSettingsSchema.optional(),
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
    .strictObject({
      model: path.optional(),
      adapter: path.optional(),
      remote: remoteSchema.optional(),
      /** Of a model of its own, as `model.template`. */
      template: templateSettingsSchema.optional(),
    })
    .default({}),
  /** Runs whose completions are used where they are the same. */
  reuse: path.optional(),
  evolve: evolveConfigSchema.prefault({}),
});

export type RunConfig = Omit<z.infer<typeof runConfigSchema>, "$schema" | "folder">;

type Fields = Readonly<Record<string, unknown>>;

/** Some fields of a configuration, as files and options give them: nothing is checked yet. */
export interface PartialConfig {
  readonly task?: Fields;
  readonly model?: Fields;
  readonly evolver?: Fields;
  readonly evolve?: Fields;
  readonly reuse?: string | undefined;
}

/** `base` with the fields that `over` gives, part by part. */
export const overrideConfig = (base: PartialConfig, over: PartialConfig): PartialConfig =>
  merged(base as Fields, over as Fields);

function merged(base: Fields, over: Fields): Fields {
  const given = Object.entries(over).filter(([, value]) => value !== undefined);
  const parts = given.map(([name, value]) => {
    const before = base[name];
    return [name, isObject(before) && isObject(value) ? merged(before, value) : value] as const;
  });
  return { ...base, ...Object.fromEntries(parts) };
}

/**
 * Checks a configuration and fills in its defaults; paths become absolute.
 * @param origin the file it comes from, for error messages
 */
export function resolveConfig(value: unknown, origin: string): RunConfig {
  const here = withMovedPaths(value, origin, PATHS);
  const config = checked(runConfigSchema, withTaskDefaults(here), origin, "Correct that field");
  const { task, model, evolver, reuse, evolve } = config;
  if (evolve.constrainEdits && model.engine === "exact") {
    throw new LseError(
      `${origin}: field evolve.constrainEdits: the exact engine cannot keep to a grammar`,
      "Take the fast engine, or leave edits unconstrained",
    );
  }
  if (evolve.constrainEdits && settled(evolve).edits === "example") {
    throw new LseError(
      `${origin}: field evolve.constrainEdits: no model writes these edits`,
      "Leave edits unconstrained",
    );
  }
  if (evolve.constrainEdits && !METHODS[evolve.method].canConstrainEdits) {
    throw new LseError(
      `${origin}: field evolve.constrainEdits: the grammar is for other tags than ${METHODS[evolve.method].label(evolve)}'s`,
      "Leave edits unconstrained, or take another method",
    );
  }
  for (const field of ["editContext", "editReports"] as const) {
    if (evolve[field] === undefined) continue;
    if (settled(evolve).edits === "example")
      throw new LseError(`${origin}: field evolve.${field}: no model writes these edits`, "Leave it out");
    if (!METHODS[evolve.method].canChooseContext)
      throw new LseError(
        `${origin}: field evolve.${field}: ${METHODS[evolve.method].label(evolve)} has prompts of its own`,
        "Leave it out, or take another method",
      );
  }
  // The default stands for the method's own kind.
  if (evolve.edits !== "rewrite" && !METHODS[evolve.method].edits.includes(evolve.edits)) {
    throw new LseError(
      `${origin}: field evolve.edits: ${METHODS[evolve.method].label(evolve)} has a way of its own to write edits`,
      "Leave it out, or take another method",
    );
  }
  if (evolve.schedule === "reference" && evolve.edits !== "rewrite") {
    throw new LseError(
      `${origin}: field evolve.edits: the published code's order of steps has rewrites alone`,
      "Leave it out, or take the schedule algorithm1",
    );
  }
  if (evolve.schedule === "reference" && !METHODS[evolve.method].hasReferenceOrder) {
    const others = METHOD_NAMES.filter((name) => METHODS[name].hasReferenceOrder);
    throw new LseError(
      `${origin}: field evolve.schedule: the published code's order of steps is for ${others.join(", ")}`,
      "Take one of these methods, or the schedule algorithm1",
    );
  }
  if (evolve.rounds === 0 && evolve.schedule === "reference")
    throw new LseError(
      `${origin}: field evolve.rounds: the published code's order of steps scores no instructions before its first round`,
      "Take the schedule algorithm1, and give the instructions of such a run in `evolve.instructions`",
    );
  if (evolve.strategy.samples > 1 && evolve.sampling.temperature === 0)
    throw new LseError(
      `${origin}: field evolve.strategy.samples: at temperature 0 all answers to a question are the same`,
      "Raise `evolve.sampling.temperature`, or draw 1 answer",
    );
  if (model.path.endsWith(".jsonl") && Object.keys(evolver).length > 0) {
    throw new LseError(
      `${origin}: field evolver: a journal answers for one model only`,
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

/** Fields that are paths; names of services' models are none. */
const PATHS = [
  ...["task.data", "task.path", "task.cache", "reuse"],
  ...["model.path", "evolver.model", "evolver.adapter"],
];

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
    const given = ([...LLAMA_FIELDS, "threads", "context", "template"] as const).find(
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
  if (evolver.template !== undefined && (evolver.model === undefined || isRemoteEvolver))
    refuse(
      "evolver.template",
      "the evolver is not a model of its own on this machine",
      "Leave it out, or name one in evolver.model",
    );
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
  const whole = isObject(sampling) ? { ...defaults.sampling, ...sampling } : sampling;
  return { ...value, evolve: { ...defaults, ...evolve, sampling: whole } };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
