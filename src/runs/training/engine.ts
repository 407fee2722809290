/** The engine that answers and edits while the evolver is trained. */
import type { LlamaModel } from "../../runtime/llama/llama-model.js";
import type { TrainConfig } from "./config.js";

/** An engine as a training sets it up. */
export async function openTrainEngine(
  modelPath: string,
  { engine, threads }: TrainConfig,
): Promise<LlamaModel> {
  const { LlamaModel } = await import("../../runtime/llama/llama-model.js");
  const { context, decodeBatch, ...settings } = engine;
  return await LlamaModel.open({
    modelPath,
    threads,
    repeatable: true,
    ...(Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as object),
    ...(context === undefined ? {} : { contextSize: context }),
    ...(decodeBatch === undefined ? {} : { batchSize: decodeBatch }),
  });
}
