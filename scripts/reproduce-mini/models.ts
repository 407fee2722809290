/** The models of the experiment: who answers, and who writes the edits. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { LanguageModel } from "#lse/model.js";
import { AdaptedModel } from "#lse/runtime/adapted-model.js";
import { LlamaModel } from "#lse/runtime/llama/open.js";
import type { EvolverName, Method } from "./plan.js";

export const HOME = fileURLToPath(new URL("../../", import.meta.url));

/** The trained adapters; null for one that is not there yet. */
export type Adapters = Readonly<Record<"lse" | "post-edit", string | null>>;

export interface Models extends AsyncDisposable {
  /** @throws Error for an evolver that has not been trained */
  of(roles: Pick<Method, "policy" | "evolver">): { policy: LanguageModel; evolver: LanguageModel };
}

/** An engine for a model of the miniature world. */
export const openEngine = (modelPath: string, threads: number): Promise<LlamaModel> =>
  LlamaModel.open({
    modelPath,
    gpuLayers: 0,
    threads,
    repeatable: true,
    flashAttention: true,
    contextSize: 768,
    kvCells: 1536,
    sequences: 32,
    batchSize: 512,
  });

/** Adapters are on models/mini.gguf; its 8-bit weights answer, 1.4 times as fast. */
export async function openModels(adapters: Adapters, threads: number): Promise<Models> {
  const open = (name: string) => openEngine(join(HOME, "models", name), threads);
  const policies = { mini: await open("mini-q8_0.gguf"), "mini-b": await open("mini-b.gguf") };
  const mini = await open("mini.gguf");
  const adapted = (path: string | null) => (path === null ? null : AdaptedModel.open(mini, path));
  const evolvers: Record<EvolverName, LanguageModel | null> = {
    untrained: mini,
    lse: await adapted(adapters.lse),
    "post-edit": await adapted(adapters["post-edit"]),
    "mini-b": policies["mini-b"],
  };
  return {
    of({ policy, evolver: name }) {
      const evolver = evolvers[name];
      if (evolver === null) throw new Error(`the evolver ${name} has not been trained`);
      return { policy: policies[policy], evolver };
    },
    async [Symbol.asyncDispose]() {
      for (const model of [mini, ...Object.values(policies)]) await model[Symbol.asyncDispose]();
    },
  };
}
