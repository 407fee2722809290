/** How long a GPU would take for a run, by its maker's data sheet: for plans that are made where there is none. */

export interface Gpu {
  /** Products of half precision with sums in 32 bits, without sparsity, in TFLOP/s. */
  readonly tflops: number;
  /** Memory it reads in a second, in GB. */
  readonly gbps: number;
  /** Memory, in GB. */
  readonly gb: number;
}

/** From the makers' data sheets. */
export const GPUS = {
  t4: { tflops: 65, gbps: 320, gb: 16 },
  l4: { tflops: 121, gbps: 300, gb: 24 },
  a10: { tflops: 125, gbps: 600, gb: 24 },
  "rtx-3090": { tflops: 71, gbps: 936, gb: 24 },
  "rtx-4090": { tflops: 165, gbps: 1008, gb: 24 },
  "rtx-5090": { tflops: 209, gbps: 1792, gb: 32 },
  l40s: { tflops: 362, gbps: 864, gb: 48 },
  a100: { tflops: 312, gbps: 2039, gb: 80 },
  h100: { tflops: 989, gbps: 3350, gb: 80 },
  h200: { tflops: 989, gbps: 4800, gb: 141 },
} as const satisfies Record<string, Gpu>;

export type GpuName = keyof typeof GPUS;

/** Shares of the data sheet's numbers that are assumed to be reached; nothing was measured. */
export const ASSUMED = { products: 0.4, memory: 0.6, usableMemory: 0.9 };
/** Answers that the engine generates at once, at most. */
const MOST_SEQUENCES = 120;
const HALF_BYTES = 2;

export interface ModelToRun {
  readonly parameters: number;
  /** Of the file; as F16 where it is not here yet. */
  readonly bytes: number;
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/** What a run asks of a model. */
export interface WorkToDo {
  /** What is evaluated of the prompts: what they share once. */
  readonly promptTokens: number;
  /** Answers and edits. */
  readonly completions: number;
  /** Tokens of a prompt, on average. */
  readonly promptLength: number;
  /** Most tokens of an answer. */
  readonly maxTokens: number;
}

/** How long a GPU would take, in hours. */
export interface GpuTime {
  readonly gpu: GpuName;
  /** Answers at once, as many as the engine takes or the GPU's memory holds. */
  readonly sequences: number;
  /** Hours for prompts. */
  readonly prompts: number;
  /** Hours more for every hundred tokens that an answer has on average. */
  readonly perHundredTokens: number;
  /** Hours if every answer is as long as it may be. */
  readonly atMost: number;
}

/**
 * Prompts take what their products take; a step of generation what reading the weights and the cache takes, or its
 * products if that is more.
 * @returns null when the weights do not fit
 */
export function gpuTime(name: GpuName, model: ModelToRun, work: WorkToDo): GpuTime | null {
  const { tflops, gbps, gb } = GPUS[name];
  const flops = tflops * 1e12 * ASSUMED.products;
  const bytesPerSecond = gbps * 1e9 * ASSUMED.memory;
  const room = gb * 1e9 * ASSUMED.usableMemory - model.bytes;
  const cellBytes = 2 * HALF_BYTES * model.layers * model.kvHeads * model.headDim;
  const cacheBytes = cellBytes * work.promptLength;
  const sequences = Math.min(MOST_SEQUENCES, Math.floor(room / cacheBytes));
  if (sequences < 1) return null;
  const step = Math.max(
    (model.bytes + sequences * cacheBytes) / bytesPerSecond,
    (2 * model.parameters * sequences) / flops,
  );
  const hours = (seconds: number) => seconds / 3600;
  const prompts = hours((2 * model.parameters * work.promptTokens) / flops);
  const perToken = hours((work.completions / sequences) * step);
  return {
    gpu: name,
    sequences,
    prompts,
    perHundredTokens: 100 * perToken,
    atMost: prompts + work.maxTokens * perToken,
  };
}
