/**
 * CPython's random.Random, bit for bit as far as the published code uses it, so that a split or batch drawn there can be
 * drawn here (CPython 3.12: Modules/_randommodule.c, Lib/random.py). The generator is pure-rand's Mersenne Twister;
 * what is CPython's own is how it is seeded and how integers, samples and shuffles come of it.
 */
import { createHash } from "node:crypto";
import { mersenneFromState } from "pure-rand/generator/mersenne";

const WORDS = 624;

/** CPython's random numbers (Mersenne Twister), bit for bit. */
export class PythonRandom {
  readonly #next: () => number;

  /** @param seed not negative */
  constructor(seed: number | bigint) {
    const generator = mersenneFromState([0, ...initialState(wordsOf(BigInt(seed)))]);
    // It twists the state behind what it returns, CPython before: the first turn is the state as it was seeded.
    for (let i = 0; i < WORDS; i++) generator.next();
    this.#next = () => generator.next() >>> 0;
  }

  /** Uniform in [0, 1), of 53 bits. */
  random(): number {
    const high = this.#next() >>> 5;
    const low = this.#next() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  /** Uniform from 0 to n − 1; n from 1 to 2³² − 1. */
  below(n: number): number {
    const bits = 32 - Math.clz32(n);
    for (;;) {
      const value = this.#next() >>> (32 - bits);
      if (value < n) return value;
    }
  }

  choice<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  /** With replacement. */
  choices<T>(items: readonly T[], count: number): T[] {
    return Array.from({ length: count }, () => items[Math.floor(this.random() * items.length)] as T);
  }

  /** Without replacement. @throws RangeError when there are not so many */
  sample<T>(items: readonly T[], count: number): T[] {
    const n = items.length;
    if (count < 0 || count > n) throw new RangeError(`a sample of ${count} out of ${n}`);
    if (n <= largestPool(count)) {
      const pool = [...items];
      return Array.from({ length: count }, (_, i) => {
        const j = this.below(n - i);
        const chosen = pool[j] as T;
        pool[j] = pool[n - i - 1] as T;
        return chosen;
      });
    }
    const taken = new Set<number>();
    while (taken.size < count) taken.add(this.below(n));
    return [...taken].map((j) => items[j] as T);
  }

  shuffled<T>(items: readonly T[]): T[] {
    const result = [...items];
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [result[i], result[j]] = [result[j] as T, result[i] as T];
    }
    return result;
  }
}

/** A seed out of the parts that name a draw (lse/envs/mmlu_env.py: sha256 of the joined parts, its first 64 bits). */
export function stableSeed(...parts: readonly (string | number)[]): bigint {
  return BigInt(`0x${createHash("sha256").update(parts.join("||")).digest("hex").slice(0, 16)}`);
}

/** Up to how many items `sample` takes from a copy of them, rather than remembering what it took. */
function largestPool(count: number): number {
  let extra = 0;
  if (count > 5) for (extra = 4; extra < 3 * count; extra *= 4);
  return 21 + extra;
}

/** 32 bits at a time, the lowest first. */
function wordsOf(seed: bigint): number[] {
  const words: number[] = [];
  for (let left = seed; left > 0n || words.length === 0; left >>= 32n) words.push(Number(left & 0xffffffffn));
  return words;
}

/** The twister's init_by_array (Matsumoto and Nishimura 2002). */
function initialState(key: readonly number[]): number[] {
  const state = [19650218];
  const previous = (i: number) => {
    const word = state[i - 1] as number;
    return word ^ (word >>> 30);
  };
  for (let i = 1; i < WORDS; i++) state.push((Math.imul(1812433253, previous(i)) + i) | 0);
  let i = 1;
  const advance = () => {
    if (++i < WORDS) return;
    state[0] = state[WORDS - 1] as number;
    i = 1;
  };
  for (let step = 0; step < Math.max(WORDS, key.length); step++) {
    const j = step % key.length;
    state[i] = (((state[i] as number) ^ Math.imul(previous(i), 1664525)) + (key[j] as number) + j) | 0;
    advance();
  }
  for (let step = 1; step < WORDS; step++) {
    state[i] = (((state[i] as number) ^ Math.imul(previous(i), 1566083941)) - i) | 0;
    advance();
  }
  state[0] = 0x80000000 | 0;
  return state;
}
