/** Opening the models of a configuration: engines in this process, services, journals that are replayed. */
import type { Prices } from "../evolve/run.js";
import { SavedJournal } from "../journal/journal-file.js";
import { defaultCacheFolder } from "../lib/cache-folder.js";
import { limitMs } from "../lib/time-limit.js";
import type { LanguageModel } from "../model.js";
import { AdaptedModel } from "../runtime/adapted-model.js";
import { isModelFolder } from "../runtime/onnx/model-folder.js";
import { costOf, Purse } from "../runtime/price.js";
import { isRemote } from "../runtime/remote/names.js";
import { ReplayedModel } from "../runtime/replayed-model.js";
import type { Task } from "../task.js";
import { type RunConfig, remoteSchema } from "./config.js";

/** The models of a run, open. */
export interface RunModels extends AsyncDisposable {
  /** The action policy: answers problems. */
  readonly policy: LanguageModel;
  /** Writes edits; undefined where the policy does that too. */
  readonly evolver: LanguageModel | undefined;
  /** What may be spent on both together; undefined where there is no limit. */
  readonly purse: Purse | undefined;
  /** The policy's part of the configuration, with what was found to be fast on this machine. */
  readonly resolved: RunConfig["model"];
}

/** Prompts that an engine is tuned for. */
type Workload = Pick<Task, "problemIds" | "seedInstructions" | "prompt">;

/**
 * Opens the models of a configuration.
 * @param workload the problems that the policy will answer, for tuning
 * @param runs that share the models, and whose limits of cost add up
 * @throws LseError for a model that cannot be opened
 */
export async function openModels(config: RunConfig, workload: Workload, runs = 1): Promise<RunModels> {
  const { cost } = config.evolve.stop;
  const purse = cost === undefined ? undefined : new Purse(cost * runs, 0);
  const { model: policy, resolved } = await openModel(config, workload, purse);
  try {
    // With the settings that a resumed run finds in its configuration.
    const evolver = await openEvolver({ ...config, model: resolved }, policy, purse);
    return {
      policy,
      evolver,
      purse,
      resolved,
      async [Symbol.asyncDispose]() {
        await evolver?.[Symbol.asyncDispose]();
        await policy[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await policy[Symbol.asyncDispose]();
    throw error;
  }
}

/** What a run's completions have cost until now, in dollars. */
export function spentBefore(events: SavedJournal, policy: LanguageModel, config: RunConfig): number {
  const { answers, edits } = pricesOf(config);
  let spent = 0;
  for (const { fingerprint, completion } of events.all("generation")) {
    const price = fingerprint === policy.fingerprint ? answers : edits;
    if (price !== undefined) spent += costOf(price, completion.promptTokens, completion.generatedTokens);
  }
  return spent;
}

/**
 * Opens the model of a configuration, tuned for a workload.
 * @returns the model, and its part of the configuration with what was found to be fast on this machine
 */
export async function openModel(
  { model, task: { cache } }: Pick<RunConfig, "model" | "task">,
  workload: Workload,
  purse?: Purse,
): Promise<{ model: LanguageModel; resolved: RunConfig["model"] }> {
  if (model.path.endsWith(".jsonl")) {
    return { model: new ReplayedModel(new SavedJournal(model.path), model.path), resolved: model };
  }
  if (isModelFolder(model.path)) return { model: await openOnnx(model.path, model), resolved: model };
  if (isRemote(model.path))
    return { model: await openService(model.path, model.remote, purse), resolved: model };
  // Loaded when it is needed: the library takes longer to load than all other commands take to run.
  const { LlamaModel, NodeLlamaCppModel, openLlama } = await import("../runtime/llama/open.js");
  const { decodeBatch, sequences, flashAttention, kvCells, context, gpuLayers, threads, template } = model;
  const options = given({ modelPath: model.path, contextSize: context, gpuLayers, threads, template });
  if (model.engine === "exact") return { model: await NodeLlamaCppModel.open(options), resolved: model };
  const folder = cache ?? defaultCacheFolder();
  const opened = await openLlama({
    ...options,
    ...given({ batchSize: decodeBatch, sequences, flashAttention, kvCells }),
    repeatable: true,
    prefixFolder: folder,
    tuning: {
      prompts: workload.problemIds.map((id) => workload.prompt(id, workload.seedInstructions)),
      folder,
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
async function openEvolver(
  { model: answering, evolver: { model: path, adapter, remote, template } }: RunConfig,
  policy: LanguageModel,
  purse?: Purse,
): Promise<LanguageModel | undefined> {
  if (path === undefined) {
    return adapter === undefined ? undefined : await AdaptedModel.open(policy, adapter);
  }
  if (isModelFolder(path)) return await openOnnx(path, { ...answering, template });
  if (isRemote(path)) return await openService(path, remote, purse);
  const { openLlama } = await import("../runtime/llama/open.js");
  const { context, gpuLayers, threads, decodeBatch, sequences, flashAttention, kvCells } = answering;
  const engine = await openLlama({
    ...given({ modelPath: path, contextSize: context, gpuLayers, threads, template }),
    ...given({ batchSize: decodeBatch, sequences, flashAttention, kvCells }),
    repeatable: true,
    tuning: null,
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
  return openRemote({ name, contextSize, ...settings, timeout: limitMs(settings.timeout) / 1000 }, purse);
}

/** What answers and edits cost; nothing for models on this machine. */
export function pricesOf({ model, evolver }: RunConfig): Prices {
  const answers = model.remote?.price;
  return { answers, edits: evolver.model === undefined ? answers : evolver.remote?.price };
}

async function openOnnx(
  folder: string,
  { context, threads, template }: RunConfig["model"],
): Promise<LanguageModel> {
  const { OnnxModel } = await import("../runtime/onnx/onnx-model.js");
  return await OnnxModel.open({ folder, ...given({ contextSize: context, threads, template }) });
}

/** An object without what is undefined. */
function given<T extends object>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}
