/** Reads rows of logits without allocating: a row has up to 150,000 numbers, and one is read per token. */
import { readFileSync } from "node:fs";
import type { TokenRow } from "../sampler.js";

/** A row is looked at in blocks of this many numbers, padded with −∞. */
const BLOCK = 256;

interface Rows {
  readonly memory: { readonly buffer: ArrayBuffer };
  reserve(bytes: number): void;
  blockMaxima(row: number, count: number, block: number, out: number): void;
  sumOfExponentials(row: number, count: number, highest: number, scale: number): number;
}

/** Node has it, but its types come with those of browsers only. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

const wasm = new WebAssembly.Module(readFileSync(new URL("./wasm/rows.wasm", import.meta.url)));
const rows = new WebAssembly.Instance(wasm, {}).exports as Rows;
/** The row that was copied to WebAssembly's memory last, the maxima of its blocks behind it. */
let values = new Float32Array();
let maxima = new Float32Array();

/** Copies a row to where WebAssembly can read it and finds the largest number of each block. */
function load(row: Float32Array): void {
  const blocks = Math.ceil(row.length / BLOCK);
  if (values.length !== blocks * BLOCK) {
    rows.reserve(4 * (blocks * BLOCK + blocks));
    values = new Float32Array(rows.memory.buffer, 0, blocks * BLOCK);
    maxima = new Float32Array(rows.memory.buffer, 4 * blocks * BLOCK, blocks);
  }
  values.set(row);
  values.fill(Number.NEGATIVE_INFINITY, row.length);
  rows.blockMaxima(0, values.length, BLOCK, 4 * values.length);
}

/** ln Σ exp(logit), exact to 2e-7. */
export function logSumExp(row: Float32Array): number {
  load(row);
  const highest = maxima.reduce((a, b) => Math.max(a, b));
  return highest + Math.log(rows.sumOfExponentials(0, values.length, highest, 1));
}

/** Σ exp((logit − highest) ∕ temperature) over all tokens but some; a term e^−x is exact to (2 + x) · 1e-7 of itself. */
function weightSum(
  row: Float32Array,
  highest: number,
  temperature: number,
  except: Iterable<number>,
): number {
  load(row);
  for (const token of except) values[token] = Number.NEGATIVE_INFINITY;
  return rows.sumOfExponentials(0, values.length, highest, 1 / temperature);
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
    load(row);
    for (let block = 0; block < maxima.length; block++) {
      if ((maxima[block] as number) <= least) continue;
      const end = Math.min(row.length, (block + 1) * BLOCK);
      for (let token = Math.max(size, block * BLOCK); token < end; token++) {
        if ((row[token] as number) <= least) continue;
        logits[0] = row[token] as number;
        tokens[0] = token;
        this.#sink(0, size);
        least = logits[0] as number;
      }
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

const top = new TopTokens();

/** A row as the sampler asks about it, until the next row is asked about. */
export const rowTokens = (row: Float32Array): TokenRow => ({
  size: row.length,
  logit: (token) => row[token] as number,
  top: (count) => top.of(row, count),
  weightSum: (highest, temperature, except) => weightSum(row, highest, temperature, except),
});
