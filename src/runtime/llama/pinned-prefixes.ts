/** What the prompts of a call share, evaluated alone and kept, so that the next call finds it whatever came before. */
import { commonPrefix } from "../prompt-blocks.js";
import type { CellMemory, KvCache } from "./kv-cache.js";
import type { Prefix, PrefixFolder } from "./prefix-files.js";
import type { Decoder } from "./scheduler.js";

/**
 * Most tokens that are evaluated at once. A prefix ends with a chunk, so that fewer tokens than these are evaluated again
 * in each call; smaller chunks would be evaluated more slowly.
 */
const CHUNK = 32;

/** Bytes of kept prefixes in memory: a dozen schemas of a small model. */
const MOST_BYTES = 2 ** 30;

/** A prefix in memory. */
interface Kept extends Prefix {
  readonly name: string;
  /** What it took this process to evaluate. */
  readonly seconds: number;
}

/** What of llama.cpp this needs: cells that can be taken out of a sequence and put back. */
export interface StateMemory extends Decoder, CellMemory {
  save(sequence: number): Uint8Array;
  /** Puts saved cells into a sequence of an empty cache, from its first cell on. @returns whether they fit */
  restore(sequence: number, bytes: Uint8Array): boolean;
}

/**
 * Prefixes that were evaluated before, in memory and on disk.
 *
 * Floating point depends on how many tokens are evaluated together and on where their cells lie. So a prefix is always
 * evaluated alone, from position 0, in chunks that its tokens decide, and always put back into the first cells of an
 * empty cache: its bytes, and all that is evaluated behind it, do not depend on how it came to be there.
 */
export class PinnedPrefixes {
  /** By name and tokens; the last used is last. */
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;
  readonly #chunk: number;

  constructor(
    private readonly context: StateMemory,
    private readonly cache: KvCache,
    /** Whether a turn ends with this token; a chunk does then, too. */
    private readonly isTurnEnd: (token: number) => boolean,
    private readonly files: PrefixFolder | null = null,
    /** What took less to evaluate is not written. */
    private readonly leastSeconds = 1,
    private readonly mostBytes = MOST_BYTES,
  ) {
    this.#chunk = Math.min(CHUNK, context.batchSize);
  }

  /**
   * Leaves the cache with nothing in it but these tokens up to the end of a chunk.
   * @param name what they are evaluated under: the adapter
   * @returns how many had to be evaluated
   * @throws `signal.reason` when aborted, at the latest after the chunk that is running
   */
  async place(name: string, tokens: readonly number[], signal?: AbortSignal): Promise<number> {
    const wanted = tokens.slice(0, this.#ends(tokens).at(-1) ?? 0);
    this.cache.clear();
    if (wanted.length === 0) return 0;
    const known = this.#known(name, wanted);
    const missing = wanted.length - (known?.tokens.length ?? 0);
    const started = performance.now();
    const state = known !== null && missing === 0 ? known.state : await this.#evaluate(wanted, known, signal);
    const seconds = (performance.now() - started) / 1000 + (known?.seconds ?? 0);
    const prefix = { name, tokens: wanted, state, seconds };
    this.#keep(prefix);
    // Another schema; other instructions under the same one are many, and few are used again.
    if (missing > wanted.length / 2) this.#write(prefix);
    this.#restore(this.cache.adopt(name, wanted), prefix);
    return missing;
  }

  /** Writes what was used last, if it is not on disk: the next process is likely to begin with it. */
  close(): void {
    const last = [...this.#kept.values()].at(-1);
    if (last !== undefined) this.#write(last);
  }

  #write({ name, tokens, state, seconds }: Kept): void {
    if (seconds >= this.leastSeconds) this.files?.of(name).write({ tokens, state });
  }

  /** The longest beginning of these tokens that is kept, from memory or else from disk. */
  #known(name: string, wanted: readonly number[]): Kept | null {
    const own = [...this.#kept.values()].filter((kept) => kept.name === name);
    const files = this.files?.of(name);
    const ends = this.#ends(wanted);
    const inMemory = longestIn(own, wanted, ends);
    const onDisk = longestIn(files?.list() ?? [], wanted, ends);
    if (files !== undefined && onDisk !== null && onDisk.shared > (inMemory?.shared ?? 0)) {
      const { tokens } = onDisk.prefix;
      const state = files.read(onDisk.prefix);
      const fits = state !== null && this.context.restore(0, state);
      this.context.clear();
      if (fits) return this.#beginning({ name, tokens, state, seconds: 0 }, onDisk.shared);
      files.remove(onDisk.prefix);
    }
    return inMemory && this.#beginning(inMemory.prefix, inMemory.shared);
  }

  /** The first tokens of a kept prefix: the same bytes as if they had been evaluated alone. */
  #beginning(prefix: Kept, length: number): Kept {
    this.#keep(prefix);
    if (prefix.tokens.length === length) return prefix;
    this.#restore(0, prefix);
    this.context.trim(0, length);
    const state = this.context.save(0);
    this.context.clear();
    return { ...prefix, tokens: prefix.tokens.slice(0, length), state };
  }

  /** Evaluates what is missing behind a known beginning, in the empty cache, which it leaves empty. @returns the whole */
  async #evaluate(
    wanted: readonly number[],
    known: Prefix | null,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    if (known !== null) this.#restore(0, known);
    try {
      let i = known?.tokens.length ?? 0;
      for (const end of this.#ends(wanted).filter((end) => end > i)) {
        signal?.throwIfAborted();
        this.context.reset();
        for (; i < end; i++) this.context.add(wanted[i] as number, i, 0, false);
        const result = await this.context.decode();
        if (result !== "done") throw new Error("llama.cpp failed to evaluate what prompts share");
      }
      return this.context.save(0);
    } finally {
      this.context.clear();
    }
  }

  /** Where chunks end. Tokens that come later do not change it. */
  #ends(tokens: readonly number[]): number[] {
    const ends: number[] = [];
    for (const [i, token] of tokens.entries())
      if (this.isTurnEnd(token) || i + 1 - (ends.at(-1) ?? 0) === this.#chunk) ends.push(i + 1);
    return ends;
  }

  #restore(sequence: number, { state }: Prefix): void {
    if (!this.context.restore(sequence, state))
      throw new Error("llama.cpp did not take back cells that it has saved");
  }

  /** Keeps a prefix as the last used; those that were used longest ago make room. */
  #keep(prefix: Kept): void {
    const key = `${prefix.name} ${prefix.tokens.join()}`;
    if (!this.#kept.delete(key)) this.#bytes += prefix.state.length;
    this.#kept.set(key, prefix);
    for (const [other, { state: old }] of this.#kept) {
      if (this.#bytes <= this.mostBytes || other === key) break;
      this.#kept.delete(other);
      this.#bytes -= old.length;
    }
  }
}

/**
 * What the prompts of a call begin with alike, but for the last token of each, whose row is needed.
 * @param opening what the first prompt begins with whatever it asks, which counts where all prompts are the same
 */
export function sharedTokens(
  prompts: readonly (readonly number[])[],
  opening: () => readonly number[],
): readonly number[] {
  const [first = [], ...others] = prompts;
  const isSame = others.every(
    (prompt) => prompt.length === first.length && commonPrefix(first, prompt) === first.length,
  );
  const alike = isSame ? [opening()] : others;
  const lengths = [
    ...alike.map((prompt) => commonPrefix(first, prompt)),
    ...prompts.map(({ length }) => length - 1),
  ];
  return first.slice(0, Math.min(...lengths));
}

/**
 * The one that begins with most of these tokens, and how many that are.
 * @param ends of chunks, at one of which they have to end
 * @returns null where none shares a chunk
 */
function longestIn<P extends { readonly tokens: readonly number[] }>(
  prefixes: readonly P[],
  wanted: readonly number[],
  ends: readonly number[],
): { prefix: P; shared: number } | null {
  let best: { prefix: P; shared: number } | null = null;
  for (const prefix of prefixes) {
    const alike = commonPrefix(prefix.tokens, wanted);
    const shared = ends.findLast((end) => end <= alike) ?? 0;
    if (shared > (best?.shared ?? 0)) best = { prefix, shared };
  }
  return best;
}
