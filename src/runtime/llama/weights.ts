/** Loading weights, and sizing the KV cache by the memory that is free. */
import { GgmlType } from "node-llama-cpp";
import { offLoop } from "./context.js";
import { explainingFailure, type LoadedModel, notEnoughMemory, precisionOf } from "./load.js";
import { type NativeLlama, NativeUnavailable, type Pointer } from "./native.js";

/** Cells that each completion finds for its own tokens, where memory allows it. */
const ANSWER_CELLS = 1024;

/**
 * Loads the weights of a GGUF.
 * @throws LseError for a damaged file; NativeUnavailable for an architecture that the fast engine cannot drive
 */
export async function loadWeights(
  native: NativeLlama,
  { llama }: LoadedModel,
  modelPath: string,
  gpuLayers: number,
): Promise<Pointer> {
  const params = { ...native.model_default_params(), n_gpu_layers: gpuLayers };
  const weights = await explainingFailure(llama, modelPath, () =>
    offLoop<Pointer>((done) => native.model_load_from_file.async(modelPath, params, done)),
  );
  if (
    native.model_is_recurrent(weights) ||
    native.model_is_hybrid(weights) ||
    native.model_has_encoder(weights)
  ) {
    native.model_free(weights);
    throw new NativeUnavailable("this architecture keeps a state that cannot be cut at a token");
  }
  return weights;
}

/** As many as node-llama-cpp would put there. */
export async function gpuLayersFor({ llama, model }: LoadedModel, wanted: number | "auto"): Promise<number> {
  if (llama.gpu === false) return 0;
  if (wanted !== "auto") return wanted;
  const { gpuLayers } = await model.fileInsights.configurationResolver.resolveModelGpuLayersV2("auto");
  return gpuLayers;
}

/**
 * What attention to one cell costs a token, as a share of evaluating the token. Roughly: a token takes two
 * operations for each weight, and a cell two for its key and two for its value in each layer, at the width of the
 * embedding; that is 1/1000 for a model of 1M parameters and 1/20,000 for one of 4B.
 */
export function costOfCell(native: NativeLlama, weights: Pointer): number {
  const operations = 4 * native.model_n_layer(weights) * native.model_n_embd(weights);
  return operations / (2 * Number(native.model_n_params(weights)));
}

/**
 * Tokens that the KV cache holds: what is asked for, or a context and room for the answers, in half of what
 * memory is free.
 * @throws LseError when there is not enough memory for the cells asked for
 */
export async function cellsFor(
  loaded: LoadedModel,
  gpuLayers: number,
  contextSize: number,
  sequences: number,
  wanted: number | undefined,
): Promise<number> {
  const { llama } = loaded;
  const [fewer, more] = [await memoryFor(loaded, gpuLayers, 4096), await memoryFor(loaded, gpuLayers, 8192)];
  const onGpu = more.gpuVram - fewer.gpuVram > more.cpuRam - fewer.cpuRam;
  const perCell = (onGpu ? more.gpuVram - fewer.gpuVram : more.cpuRam - fewer.cpuRam) / 4096;
  const { free } = onGpu ? await llama.getVramState() : await llama.getRamState();
  const affordable = Math.floor(free / 2 / perCell);
  const cells = Math.max(contextSize, wanted ?? Math.min(contextSize + ANSWER_CELLS * sequences, affordable));
  if (cells * perCell > free) throw notEnoughMemory(cells);
  return cells;
}

/** What a context of so many tokens takes, by node-llama-cpp's estimate. */
function memoryFor(loaded: LoadedModel, modelGpuLayers: number, contextSize: number) {
  const kvType = GgmlType[precisionOf(loaded).kvType];
  return loaded.model.fileInsights.estimateContextResourceRequirementsV2({
    contextSize,
    modelGpuLayers,
    sequences: 1,
    kvCacheKeyType: kvType,
    kvCacheValueType: kvType,
  });
}
