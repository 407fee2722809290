/** The optimizers of groups of parameters. */
import { LseError } from "../../errors.js";
import type { QwenParameter } from "../../gguf/qwen-layout.js";
import { AdamW } from "./adamw.js";
import type { ParameterGroup } from "./groups.js";
import { Muon } from "./muon.js";
import type { Optimizer } from "./optimizer.js";

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
    const optimizer = optimizerOf(options, own, threads);
    return [{ optimizer, rate: options.rate, names: own.map(({ name }) => name) }];
  });
}

function optimizerOf(options: ParameterGroup["options"], own: QwenParameter[], threads: number): Optimizer {
  switch (options.method) {
    case "adamw":
      return new AdamW(own, options);
    case "muon":
      return new Muon(own, options, threads);
  }
}
