/** Which parameters are trained by which rule. */
import { LseError } from "../../errors.js";
import type { QwenParameter } from "../../runtime/gguf/qwen-layout.js";
import { AdamW } from "./adamw.js";
import { Muon } from "./muon.js";
import type { AdamWOptions, MuonOptions, Optimizer } from "./optimizer.js";

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

/** An optimizer of each group that has parameters, with these. @throws LseError for a parameter in no group */
export function openOptimizers(
  groups: readonly ParameterGroup[],
  trained: readonly QwenParameter[],
  threads: number,
): { optimizer: Optimizer; rate: number; names: string[] }[] {
  const members = groups.map((): QwenParameter[] => []);
  for (const parameter of trained) {
    const group = members[groups.findIndex(({ kinds }) => kinds.includes(parameter.kind))];
    if (group === undefined)
      throw new LseError(
        `no group of the optimizer has parameters of the kind ${parameter.kind}`,
        "Add the kind to one",
      );
    group.push(parameter);
  }
  return groups.flatMap(({ options }, i) => {
    const own = members[i] ?? [];
    if (own.length === 0) return [];
    const optimizer = options.method === "adamw" ? new AdamW(own, options) : new Muon(own, options, threads);
    return [{ optimizer, rate: options.rate, names: own.map(({ name }) => name) }];
  });
}
