import { describe, expect, it } from "vitest";
import { uniformStream } from "#lse/lib/random.js";
import { KvCache } from "#lse/runtime/llama/kv-cache.js";
import { type Decoder, type Job, Scheduler } from "#lse/runtime/llama/scheduler.js";
import { FakeMemory } from "../fake-memory.js";

const SEQUENCES = 24;

/** A "model" whose next token is a hash of all tokens before it, on cells that can be taken by force. */
class FakeDecoder implements Decoder {
  readonly batchSize = 16;
  readonly maxRows = 6;
  rows = 0;
  decodes = 0;
  /** Tokens that it evaluated, batch by batch. */
  readonly batches: { readonly position: number; readonly sequence: number }[][] = [];
  /** What the next decodes answer instead of doing it. */
  readonly answers: ("no-room" | "failed")[] = [];
  #batch: { token: number; position: number; sequence: number; wantsRow: boolean }[] = [];
  #rows: Float32Array[] = [];

  constructor(readonly memory: FakeMemory) {}

  get batched() {
    return this.#batch.length;
  }

  reset() {
    this.#batch = [];
    this.rows = 0;
  }

  add(token: number, position: number, sequence: number, wantsRow: boolean) {
    this.#batch.push({ token, position, sequence, wantsRow });
    this.rows += Number(wantsRow);
    expect(this.#batch.length).toBeLessThanOrEqual(this.batchSize);
    expect(this.rows).toBeLessThanOrEqual(this.maxRows);
  }

  async decode() {
    this.decodes++;
    expect(this.#batch.length).toBeGreaterThan(0);
    const answer = this.answers.shift();
    if (answer !== undefined) return answer;
    this.#rows = [];
    this.batches.push(this.#batch);
    for (const { token, position, sequence, wantsRow } of this.#batch) {
      this.memory.write(sequence, position, token);
      if (wantsRow) this.#rows.push(Float32Array.of(next(this.memory.tokens(sequence))));
    }
    return "done" as const;
  }

  row(i: number) {
    return this.#rows[i] as Float32Array;
  }
}

const next = (tokens: readonly number[]) => tokens.reduce((hash, token) => (hash * 31 + token) % 997, 7);

class Chain implements Job {
  readonly tokens: number[] = [];

  constructor(
    readonly prompt: readonly number[],
    private readonly length: number,
  ) {}

  take([token]: Float32Array): boolean {
    this.tokens.push(token as number);
    return this.tokens.length === this.length;
  }

  /** What it has to end with. */
  get wanted(): number[] {
    const all = [...this.prompt];
    for (let i = 0; i < this.length; i++) all.push(next(all));
    return all.slice(this.prompt.length);
  }
}

/** Guesses what it ends with: right up to some token, and right again after a wrong one. */
class Guessing extends Chain {
  constructor(
    prompt: readonly number[],
    length: number,
    private readonly right: (most: number) => number,
  ) {
    super(prompt, length);
  }

  draft(most: number): number[] {
    const right = this.right(most);
    const left = this.wanted.slice(this.tokens.length);
    return left.slice(0, most).map((token, i) => (i === right ? token + 1 : token));
  }
}

function setUp(seed: number, cells = 90) {
  const memory = new FakeMemory(cells);
  const decoder = new FakeDecoder(memory);
  const cache = new KvCache(memory, cells, SEQUENCES, 0.001);
  const uniform = uniformStream(seed);
  const random = (below: number) => Math.floor(uniform() * below);
  const jobs = (count: number) =>
    Array.from({ length: count }, () => {
      const shared = Array.from({ length: random(12) }, (_, i) => i);
      const own = Array.from({ length: 1 + random(6) }, () => random(4));
      return new Chain([...shared, ...own], 1 + random(20));
    });
  return { memory, decoder, scheduler: new Scheduler(decoder, cache, 5), jobs, random };
}

const expectDone = (jobs: readonly Chain[]) => {
  for (const job of jobs) expect(job.tokens).toEqual(job.wanted);
};

describe("Scheduler", () => {
  it.each([
    1, 2, 3,
  ])("gives every job the rows behind its own tokens, over many calls (seed %i)", async (seed) => {
    const { decoder, scheduler, jobs, random } = setUp(seed);
    let evaluated = 0;
    for (let call = 0; call < 20; call++) {
      const some = jobs(1 + random(12));
      await scheduler.run(String(random(2)), some);
      expectDone(some);
      evaluated += some.reduce((sum, { prompt, tokens }) => sum + prompt.length + tokens.length, 0);
    }
    expect(decoder.decodes).toBeLessThan(evaluated / 2);
  });

  it("evaluates the prompts of several jobs together, and none with tokens of completions", async () => {
    const memory = new FakeMemory(1000);
    const decoder = new FakeDecoder(memory);
    const scheduler = new Scheduler(decoder, new KvCache(memory, 1000, SEQUENCES), 6);
    const jobs = Array.from({ length: 24 }, (_, i) => new Chain([100, 101, 200 + i], 3 + ((i * 5) % 7)));
    await scheduler.run("", jobs);
    expectDone(jobs);
    const starts = decoder.batches.map((batch) => batch.filter(({ position }) => position === 2).length);
    for (const [i, batch] of decoder.batches.entries())
      if (starts[i] !== 0) expect(batch.filter(({ position }) => position > 2)).toEqual([]);
    const [, ...later] = starts.filter((count) => count > 0);
    expect(Math.min(...later)).toBeGreaterThanOrEqual(2);
    expect(starts.reduce((sum, count) => sum + count, 0)).toBe(24);
  });

  it.each([1, 2, 3])("keeps guesses as far as they come true, over many calls (seed %i)", async (seed) => {
    const { scheduler, jobs, random } = setUp(seed);
    for (let call = 0; call < 30; call++) {
      const some = jobs(1 + random(4)).map(({ prompt, wanted }) =>
        random(4) === 0
          ? new Chain(prompt, wanted.length)
          : new Guessing(prompt, wanted.length, (most) => random(most + 1)),
      );
      await scheduler.run("", some);
      expectDone(some);
    }
  });

  it("takes fewer decodes with right guesses, and no guesses where many jobs run", async () => {
    const memory = new FakeMemory(1000);
    const decodesOf = async (jobs: readonly Chain[]) => {
      const decoder = new FakeDecoder(memory);
      await new Scheduler(decoder, new KvCache(memory, 1000, SEQUENCES), 6).run("", jobs);
      expectDone(jobs);
      return decoder;
    };
    const all = (most: number) => most;
    expect((await decodesOf([new Chain([1, 2], 19)])).decodes).toBe(19);
    // The prompt, and then six tokens in each decode, as many as there may be rows.
    expect((await decodesOf([new Guessing([1, 2], 19, all)])).decodes).toBe(1 + 18 / 6);
    const many = Array.from({ length: 5 }, (_, i) => new Guessing([1, 2 + i], 9, all));
    expect(Math.max(...(await decodesOf(many)).batches.slice(1).map(({ length }) => length))).toBe(5);
  });

  it("puts jobs back and goes on when llama.cpp finds no room", async () => {
    const { decoder, scheduler, jobs } = setUp(4, 400);
    const some = jobs(12);
    decoder.answers.push("no-room", "no-room");
    await scheduler.run("", some);
    expectDone(some);
    expect(decoder.answers).toEqual([]);
  });

  it("gives up when there is no room for one job in an empty cache", async () => {
    const { decoder, scheduler, jobs } = setUp(5);
    decoder.answers.push(...Array.from({ length: 100 }, () => "no-room" as const));
    await expect(scheduler.run("", jobs(3))).rejects.toThrow(/no room in an empty cache/);
  });

  it("forgets what the cells hold after a failure, and works on", async () => {
    const { memory, decoder, scheduler, jobs } = setUp(6);
    await scheduler.run("", jobs(4));
    decoder.answers.push("failed");
    await expect(scheduler.run("", jobs(4))).rejects.toThrow(/failed to evaluate/);
    expect(memory.cells).toEqual([]);
    const some = jobs(8);
    await scheduler.run("", some);
    expectDone(some);
  });
});
