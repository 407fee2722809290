/** Reads rows of logits without allocating: a row has up to 150,000 numbers, and one is read per token. */

const STEPS = 256;
/** Terms below e^−32 of the largest do not change a sum of 150,000 of them by 1e-8. */
const SPAN = 32;
/** e^(−i / STEPS) */
const POWERS = Float64Array.from({ length: SPAN * STEPS + 1 }, (_, i) => Math.exp(-i / STEPS));

/**
 * ln Σ exp(logit). Math.exp takes most of a token's JavaScript time at large vocabularies; a table and the
 * first terms of the series for the rest (at most 1/256) are four times faster and exact to 1e-10.
 */
export function logSumExp(row: Float32Array): number {
  let highest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < row.length; i++) if ((row[i] as number) > highest) highest = row[i] as number;
  let sum = 0;
  for (let i = 0; i < row.length; i++) {
    const distance = (highest - (row[i] as number)) * STEPS;
    // Written so that NaN is left out too.
    if (!(distance < SPAN * STEPS)) continue;
    const whole = distance | 0;
    const rest = (whole - distance) / STEPS;
    sum += (POWERS[whole] as number) * (1 + rest * (1 + rest * (0.5 + rest * (1 / 6 + rest / 24))));
  }
  return highest + Math.log(sum);
}

/** Finds the most likely tokens of a row; keeps its memory from one row to the next. */
export class TopTokens {
  /** A heap: no entry has a larger logit than those at 2i + 1 and 2i + 2. */
  #logits = new Float32Array(64);
  #tokens = new Int32Array(64);

  /** The `count` most likely tokens in no order; of equal ones the first. */
  of(row: Float32Array, count: number): { token: number; logit: number }[] {
    const size = Math.min(count, row.length);
    if (size > this.#logits.length) {
      this.#logits = new Float32Array(2 * size);
      this.#tokens = new Int32Array(2 * size);
    }
    const logits = this.#logits;
    const tokens = this.#tokens;
    for (let i = 0; i < size; i++) {
      logits[i] = row[i] as number;
      tokens[i] = i;
    }
    for (let i = (size >> 1) - 1; i >= 0; i--) this.#sink(i, size);
    let least = logits[0] as number;
    for (let token = size; token < row.length; token++) {
      if ((row[token] as number) <= least) continue;
      logits[0] = row[token] as number;
      tokens[0] = token;
      this.#sink(0, size);
      least = logits[0] as number;
    }
    return Array.from({ length: size }, (_, i) => ({
      token: tokens[i] as number,
      logit: logits[i] as number,
    }));
  }

  /**
   * Moves the entry at `i` down to its place. Of equal logits the larger token counts as the smaller entry, so
   * that it is the first to go.
   */
  #sink(start: number, size: number): void {
    const logits = this.#logits;
    const tokens = this.#tokens;
    const logit = logits[start] as number;
    const token = tokens[start] as number;
    let i = start;
    for (let child = 2 * i + 1; child < size; child = 2 * i + 1) {
      const right = child + 1;
      if (right < size && this.#below(right, logits[child] as number, tokens[child] as number)) child = right;
      if (!this.#below(child, logit, token)) break;
      logits[i] = logits[child] as number;
      tokens[i] = tokens[child] as number;
      i = child;
    }
    logits[i] = logit;
    tokens[i] = token;
  }

  #below(i: number, logit: number, token: number): boolean {
    const own = this.#logits[i] as number;
    return own < logit || (own === logit && (this.#tokens[i] as number) > token);
  }
}
