/** Which parameters are trained by which rule. */
import type { QwenParameter } from "../../gguf/qwen-layout.js";
import type { AdamWOptions, MuonOptions } from "./optimizer.js";

/** Parameters that are trained by one rule. */
export interface ParameterGroup {
  /** Which kinds of parameters; the first group that names a kind takes it. */
  readonly kinds: readonly QwenParameter["kind"][];
  readonly options: AdamWOptions | MuonOptions;
}

/** AdamW for all: only matrices and embeddings decay. */
export function adamW(rate: number, weightDecay = 0): ParameterGroup[] {
  const options = { method: "adamw", rate, beta1: 0.9, beta2: 0.98, epsilon: 1e-8 } as const;
  return [
    { kinds: ["matrix", "embedding"], options: { ...options, weightDecay } },
    { kinds: ["norm", "bias"], options: { ...options, weightDecay: 0 } },
  ];
}

/** Muon for the layers' matrices, AdamW without decay for the rest. */
export function muonAdamW(matrixRate: number, rate: number, weightDecay = 0.01): ParameterGroup[] {
  const options = { method: "muon", rate: matrixRate, momentum: 0.95, weightDecay } as const;
  return [{ kinds: ["matrix"], options }, ...adamW(rate)];
}
