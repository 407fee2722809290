/** AdamW. */
import type { QwenParameter } from "../../gguf/qwen-layout.js";
import type { Parameters } from "../model/spec.js";
import { type AdamWOptions, type Optimizer, restoreArrays, zerosLike } from "./optimizer.js";

/** Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2). */
export class AdamW implements Optimizer {
  /** Running means of the gradient and of its square. */
  readonly #first: ReadonlyMap<string, Float32Array>;
  readonly #second: ReadonlyMap<string, Float32Array>;

  constructor(
    parameters: readonly QwenParameter[],
    private readonly options: AdamWOptions,
  ) {
    this.#first = zerosLike(parameters);
    this.#second = zerosLike(parameters);
  }

  async step(step: number, rate: number, parameters: Parameters, gradients: Parameters): Promise<void> {
    const { beta1, beta2, epsilon, weightDecay } = this.options;
    const stepSize = rate / (1 - beta1 ** step);
    const secondScale = 1 / (1 - beta2 ** step);
    const keep = 1 - rate * weightDecay;
    for (const [name, first] of this.#first) {
      const second = this.#second.get(name) as Float32Array;
      const values = parameters[name] as Float32Array;
      const gradient = gradients[name] as Float32Array;
      for (let i = 0; i < values.length; i++) {
        const g = gradient[i] as number;
        const m = beta1 * (first[i] as number) + (1 - beta1) * g;
        const v = beta2 * (second[i] as number) + (1 - beta2) * g * g;
        first[i] = m;
        second[i] = v;
        values[i] = keep * (values[i] as number) - (stepSize * m) / (Math.sqrt(v * secondScale) + epsilon);
      }
    }
  }

  state(): Parameters {
    return Object.fromEntries([
      ...[...this.#first].map(([name, values]) => [`adamw.first.${name}`, values]),
      ...[...this.#second].map(([name, values]) => [`adamw.second.${name}`, values]),
    ]);
  }

  restore(state: Parameters): void {
    restoreArrays("adamw.first.", this.#first, state);
    restoreArrays("adamw.second.", this.#second, state);
  }

  async release(): Promise<void> {}
}
