/** Seeded choices. */
import { deriveSeed, uniformStream } from "../lib/random.js";

/** Seeded choices, one after the other. */
export class Draw {
  readonly #uniform: () => number;

  /** @param parts what names the decisions, such as ("mini", "questions", 3) */
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

  /** The index of one of the weights, as often as its share of their sum. */
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

  /** So many different items, in any order; all of them when there are no more. */
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
