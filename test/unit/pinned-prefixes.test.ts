import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { KvCache } from "#lse/runtime/llama/kv-cache.js";
import { PinnedPrefixes, type StateMemory, sharedTokens } from "#lse/runtime/llama/pinned-prefixes.js";
import { PrefixFolder } from "#lse/runtime/llama/prefix-files.js";
import { FakeMemory } from "../fake-memory.js";

const folder = mkdtempSync(join(tmpdir(), "lse-prefixes-"));
afterAll(() => rmSync(folder, { recursive: true }));

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i);
/** Ends a turn. */
const END = 77;
const SCHEMA = numbers(70);
const [FIRST, SECOND] = [
  [...SCHEMA, ...numbers(60, 200)],
  [...SCHEMA, ...numbers(60, 400)],
];

/** What it puts into a cell depends on all that floating point depends on: company, place, and the cells before. */
class FakeContext extends FakeMemory implements StateMemory {
  readonly maxRows = 1;
  readonly rows = 0;
  evaluated = 0;
  #batch: { token: number; position: number; sequence: number }[] = [];

  constructor(
    readonly batchSize = 512,
    /** Another model refuses what this one has saved. */
    private readonly kind = 1,
  ) {
    super(4096);
  }

  get batched() {
    return this.#batch.length;
  }

  reset() {
    this.#batch = [];
  }

  add(token: number, position: number, sequence: number) {
    this.#batch.push({ token, position, sequence });
  }

  async decode() {
    for (const { token, position, sequence } of this.#batch) {
      const before = this.cells.reduce((sum, cell) => (sum * 31 + cell.token) % 9973, this.#batch.length);
      this.#fill(sequence, position, (before * 31 + token + 7 * this.cells.length) % 9973);
    }
    this.evaluated += this.#batch.length;
    return "done" as const;
  }

  row() {
    return new Float32Array();
  }

  save(sequence: number) {
    return new Uint8Array(Uint16Array.of(this.kind, ...this.tokens(sequence)).buffer);
  }

  restore(sequence: number, bytes: Uint8Array) {
    expect(this.cells).toEqual([]);
    const [kind, ...tokens] = new Uint16Array(bytes.slice().buffer);
    if (kind !== this.kind) return false;
    for (const [position, token] of tokens.entries()) this.#fill(sequence, position, token);
    return true;
  }

  #fill(sequence: number, position: number, token: number) {
    this.cells.push({ position, token, sequences: new Set([sequence]) });
  }
}

function engine(
  path: string | null = null,
  mostBytes?: number,
  context = new FakeContext(),
  memory?: number,
  leastSeconds = 0,
) {
  const files = path === null ? null : new PrefixFolder(join(folder, path), ["model"], mostBytes);
  const cache = new KvCache(context, context.size, 8);
  const pinned = new PinnedPrefixes(context, cache, (token) => token === END, files, leastSeconds, memory);
  /** What the cells hold after a call. */
  const place = async (tokens: readonly number[], name = "") => {
    const evaluated = await pinned.place(name, tokens);
    const path = cache.want(name, [[...tokens, -1]])[0]?.node.path() ?? [];
    const cached = path.reduce((sum, { cached }) => sum + cached, 0);
    return { evaluated, cached, cells: context.cells.map(({ token }) => token) };
  };
  return { pinned, place };
}

const filesIn = (path: string) =>
  readdirSync(join(folder, path), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".kv"))
    .map((name) => join(folder, path, name));

describe("what prompts share", () => {
  it("is their common beginning, but for the last token of each", () => {
    const never = () => expect.unreachable();
    expect(sharedTokens([FIRST, SECOND], never)).toEqual(SCHEMA);
    expect(sharedTokens([FIRST, FIRST.slice(0, 50)], never)).toEqual(FIRST.slice(0, 49));
  });

  it("is what comes before the question where all ask the same", () => {
    const opening = () => [...SCHEMA, 999];
    expect(sharedTokens([FIRST], opening)).toEqual(SCHEMA);
    expect(sharedTokens([FIRST, [...FIRST], FIRST], opening)).toEqual(SCHEMA);
    expect(sharedTokens([SCHEMA], () => SCHEMA)).toEqual(SCHEMA.slice(0, -1));
    expect(sharedTokens([FIRST], () => [])).toEqual([]);
  });
});

describe("a pinned prefix", () => {
  it("is the same to the bit whatever was evaluated before it", async () => {
    const alone = await engine().place(FIRST);
    expect(alone).toMatchObject({ evaluated: 128, cached: 128 });
    const { place } = engine();
    // A beginning, something else, a sibling that shares two chunks, one that goes on from it.
    for (const tokens of [SCHEMA, numbers(64, 900), SECOND, [...FIRST, ...numbers(40, 600)]])
      await place(tokens);
    expect(await place(FIRST)).toEqual({ ...alone, evaluated: 0 });
    // Without chunks of a fixed size it would show: otherwise this test could not fail.
    const small = await engine(null, undefined, new FakeContext(16)).place(FIRST);
    expect(small.cells).not.toEqual(alone.cells);
  });

  it("is evaluated once: later calls evaluate what is new to them", async () => {
    const { place } = engine();
    const counts = [];
    for (const tokens of [FIRST, FIRST, SECOND, FIRST, SECOND, SCHEMA])
      counts.push((await place(tokens)).evaluated);
    expect(counts).toEqual([128, 0, 64, 0, 0, 0]);
  });

  it("is nothing to another adapter, and nothing where prompts share less than a chunk", async () => {
    const { place } = engine();
    await place(FIRST);
    expect(await place(FIRST, "adapter")).toMatchObject({ evaluated: 128 });
    expect(await place(FIRST.slice(0, 31))).toEqual({ evaluated: 0, cached: 0, cells: [] });
  });

  it("ends with the turn where its prompts do, and may be gone on with from there", async () => {
    const { place } = engine();
    const system = [...SCHEMA, END];
    const alone = await place([...system, ...numbers(20, 300)]);
    expect(alone).toMatchObject({ evaluated: 71, cached: 71 });
    expect(await place([...system, ...numbers(40, 500)])).toMatchObject({ evaluated: 32, cached: 103 });
    expect(await place([...system, ...numbers(20, 700)])).toEqual({ ...alone, evaluated: 0 });
  });

  it("goes when memory is short, the one that was used longest ago first", async () => {
    const { place } = engine(null, undefined, undefined, 600);
    const others = numbers(128, 1000);
    for (const tokens of [FIRST, others, FIRST, numbers(128, 2000)]) await place(tokens);
    expect(await place(FIRST)).toMatchObject({ evaluated: 0 });
    expect(await place(others)).toMatchObject({ evaluated: 128 });
  });

  it("stops when it is told to", async () => {
    const { pinned } = engine();
    await expect(pinned.place("", FIRST, AbortSignal.abort("enough"))).rejects.toBe("enough");
  });
});

describe("prefixes on disk", () => {
  it("are read by later processes: a schema at once, the last instructions after the end", async () => {
    const first = engine("shared");
    const alone = await first.place(FIRST);
    const second = await first.place(SECOND);
    // As after a kill.
    expect(await engine("shared").place(FIRST)).toEqual({ ...alone, evaluated: 0 });
    expect(await engine("shared").place(SECOND)).toEqual({ ...second, evaluated: 64 });
    first.pinned.close();
    expect(await engine("shared").place(SECOND)).toEqual({ ...second, evaluated: 0 });
    expect(await engine("shared").place(SECOND, "adapter")).toMatchObject({ evaluated: 128 });
  });

  it("are made anew where they are damaged, cut off, or of another kind", async () => {
    const alone = await engine("damaged").place(FIRST);
    const [path] = filesIn("damaged") as [string];
    const whole = readFileSync(path);
    const flipped = Buffer.from(whole);
    flipped[whole.length - 3] = (flipped[whole.length - 3] as number) ^ 1;
    for (const content of [flipped, whole.subarray(0, -8), whole.subarray(0, 40), Buffer.from("\n"), ""]) {
      writeFileSync(path, content);
      expect(await engine("damaged").place(FIRST)).toEqual(alone);
      expect(await engine("damaged").place(FIRST)).toEqual({ ...alone, evaluated: 0 });
    }
    const other = engine("damaged", undefined, new FakeContext(512, 2));
    expect(await other.place(FIRST)).toMatchObject({ evaluated: 128, cached: 128 });
  });

  it("take no more room than they may: those that were used longest ago go", async () => {
    const make = async (from: number) => engine("small", 2000).place(numbers(128, from));
    await make(1000);
    const [old] = filesIn("small") as [string];
    utimesSync(old, 1, 1);
    await make(2000);
    expect(filesIn("small")).toHaveLength(2);
    expect(await make(1000)).toMatchObject({ evaluated: 0 });
    await make(3000);
    expect(filesIn("small")).toContain(old);
    expect(filesIn("small")).toHaveLength(2);
    expect(filesIn("small").reduce((sum, path) => sum + statSync(path).size, 0)).toBeLessThan(2000);
  });

  it("are not written where evaluating them takes no time", async () => {
    const { pinned, place } = engine("quick", undefined, undefined, undefined, 60);
    await place(FIRST);
    pinned.close();
    expect(await engine("quick").place(FIRST)).toMatchObject({ evaluated: 128 });
  });

  it("are done without where they cannot be read or written", async () => {
    writeFileSync(join(folder, "file"), "");
    expect(await engine("file/below").place(FIRST)).toMatchObject({ evaluated: 128, cached: 128 });
    // In the place of a model's folder, too.
    await engine("odd").place(FIRST);
    const [kept] = filesIn("odd") as [string];
    rmSync(dirname(kept), { recursive: true });
    writeFileSync(dirname(kept), "");
    expect(await engine("odd").place(FIRST)).toMatchObject({ evaluated: 128, cached: 128 });
  });
});
