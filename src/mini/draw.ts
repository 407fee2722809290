/** Random choices from a seed: picks, weights, samples, shuffles. */
import { deriveSeed, uniformStream } from "../lib/random.js";

/** A generator of seeded choices, one after the other. */
export class Draw {
  readonly #uniform: () => number;

  /** @param parts names this series of choices, such as ("mini", "questions", 3) */
  constructor(...parts: readonly (string | number)[]) {
    this.#uniform = uniformStream(deriveSeed(...parts));
  }

  chance(probability: number): boolean {
    return this.#uniform() < probability;
  }

  /** A whole number from `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.#uniform() * (high - low + 1));
  }

  /** One of the items. @throws RangeError when there is none */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError("nothing to pick from");
    return items[this.integer(0, items.length - 1)] as T;
  }

  /** The index of one of the weights, drawn in proportion to them. */
  weighted(weights: readonly number[]): number {
    let rest = this.#uniform() * weights.reduce((sum, weight) => sum + weight, 0);
    for (const [index, weight] of weights.entries()) {
      rest -= weight;
      if (rest < 0) return index;
    }
    return weights.length - 1;
  }

  /** All items in a new order. */
  shuffled<T>(items: readonly T[]): T[] {
    return this.sample(items, items.length);
  }

  /** `count` different items in random order; all of them if there are not as many. */
  sample<T>(items: readonly T[], count: number): T[] {
    const rest = [...items];
    const end = Math.min(count, rest.length);
    for (let i = 0; i < end; i++) {
      const j = this.integer(i, rest.length - 1);
      [rest[i], rest[j]] = [rest[j] as T, rest[i] as T];
    }
    return rest.slice(0, end);
  }
}
