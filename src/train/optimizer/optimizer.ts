/** From gradients to the next parameters. */
import { LseError } from "../../errors.js";
import type { QwenParameter } from "../../gguf/qwen-layout.js";
import type { Parameters } from "../model/spec.js";

/** A rule for some parameters. It keeps its state by parameter and can be stopped and continued with it. */
export interface Optimizer {
  /** Changes the parameters in place. @param rate the learning rate of this step, from 1 */
  step(step: number, rate: number, parameters: Parameters, gradients: Parameters): Promise<void>;
  /** What the next step depends on, by a name that contains the parameter's. */
  state(): Parameters;
  /** @throws LseError when something is missing */
  restore(state: Parameters): void;
  release(): Promise<void>;
}

/** Adam with decoupled weight decay (Loshchilov and Hutter 2019). */
export interface AdamWOptions {
  readonly method: "adamw";
  readonly rate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
}

/** Momentum made orthogonal (Jordan et al. 2024), for matrices. */
export interface MuonOptions {
  readonly method: "muon";
  readonly rate: number;
  readonly momentum: number;
  readonly weightDecay: number;
}

export function zerosLike(parameters: readonly QwenParameter[]): Map<string, Float32Array> {
  return new Map(
    parameters.map(({ name, dims: [rows, columns = 1] }) => [name, new Float32Array(rows * columns)]),
  );
}

/** The state kept under `${prefix}${name}` for each parameter, copied into `into`. */
export function restoreArrays(
  prefix: string,
  into: ReadonlyMap<string, Float32Array>,
  state: Parameters,
): void {
  for (const [name, array] of into) {
    const kept = state[`${prefix}${name}`];
    if (kept?.length !== array.length)
      throw new LseError(
        `the checkpoint has no ${prefix}${name} of ${array.length} numbers`,
        "Continue with the model and the optimizer that it was written with",
      );
    array.set(kept);
  }
}
