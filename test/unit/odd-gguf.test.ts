/** Headers of GGUF files that cannot be right: each is read or refused in one line, at once and in little memory. */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LseError } from "#lse/errors.js";
import { readHeader } from "#lse/gguf/header.js";
import { hashModel, partsOf } from "#lse/gguf/parts.js";
import { writeRandomModel } from "#lse/gguf/random-model.js";
import { readModel, readSizes } from "#lse/gguf/read-model.js";
import { i32s, string, strings, u32, writeGguf } from "#lse/gguf/writer.js";
import { uniformStream } from "#lse/lib/random.js";

const folder = mkdtempSync(join(tmpdir(), "lse-odd-gguf-"));
const path = join(folder, "odd.gguf");
let model: Buffer;
/** A file of a few hundred bytes with a value of each kind and two tensors: mutations hit its header. */
let small: Buffer;
const numbers = () => new Float32Array(32);

beforeAll(async () => {
  const shape = { layers: 1, embedding: 32, heads: 1, kvHeads: 1, headDim: 32, feedForward: 32 };
  await writeRandomModel(path, { shape, type: "f32", tokenizer: "small", seed: 1, contextLength: 128 });
  model = readFileSync(path);
  await writeGguf(
    path,
    { name: string("n"), words: strings(["a", "bc"]), kinds: i32s([1, 2]), "general.alignment": u32(32) },
    [
      { name: "one", shape: [32], type: "f32", data: numbers },
      { name: "two", shape: [16, 2], type: "f32", data: numbers },
    ],
  );
  small = readFileSync(path);
});
afterAll(() => rmSync(folder, { recursive: true }));

const tried = (bytes: Uint8Array) => {
  writeFileSync(path, bytes);
  return () => readHeader(path);
};

/** GGUF of raw parts. */
const raw = (...parts: readonly (string | bigint | number)[]) =>
  Buffer.concat(
    parts.map((part) => {
      if (typeof part === "string") return Buffer.from(part);
      const bytes = Buffer.alloc(typeof part === "bigint" ? 8 : 4);
      if (typeof part === "bigint") bytes.writeBigUInt64LE(part);
      else bytes.writeUInt32LE(part);
      return bytes;
    }),
  );
const ROOM = "\0".repeat(256);
const keyed = (...value: readonly (string | bigint | number)[]) =>
  raw("GGUF", 3, 0n, 1n, 1n, "k", ...value, ROOM);
const tensor = (...entry: readonly (string | bigint | number)[]) =>
  raw("GGUF", 3, 1n, 0n, 1n, "t", ...entry, ROOM);
const HUGE = 10n ** 18n;

describe("a header that cannot be right says why", () => {
  it.each<[string, Uint8Array, RegExp]>([
    ["an empty file", raw(), /ends within its header/],
    ["another file", raw("PK\x03\x04", ROOM), /begins with "PK/],
    ["only the magic", raw("GGUF"), /ends within its header/],
    ["version 1", raw("GGUF", 1, ROOM), /version is 1/],
    ["big-endian order", raw("GGUF", 3 << 24, ROOM), /big-endian/],
    ["10^18 tensors", raw("GGUF", 3, HUGE, 0n, ROOM), /10{18} tensors/],
    ["10^18 key-values", raw("GGUF", 3, 0n, HUGE, ROOM), /10{18} key-values/],
    ["more key-values than bytes", raw("GGUF", 3, 0n, 1000n, ROOM), /more than fit/],
    ["a key longer than the file", raw("GGUF", 3, 0n, 1n, 1000n, ROOM), /claims to be 1000 bytes/],
    ["a key of -1 bytes", raw("GGUF", 3, 0n, 1n, 2n ** 64n - 1n, ROOM), /claims to be 18446744073709551615/],
    ["a string longer than the file", keyed(8, HUGE), /"k" claims to be 10{18} bytes/],
    ["an unknown type", keyed(13), /"k" is of the unknown type 13/],
    ["an array of an unknown type", keyed(9, 99, 2n), /"k" is of the unknown type 99/],
    ["an array of arrays", keyed(9, 9, 1n), /"k" is an array of arrays/],
    ["an array of 10^9 bytes", keyed(9, 0, 10n ** 9n), /1000000000 elements of "k"/],
    ["an array larger than the file", keyed(9, 12, 100n), /100 elements of "k", more than fit/],
    ["a key twice", raw("GGUF", 3, 0n, 2n, 1n, "k", 4, 1, 1n, "k", 4, 1, ROOM), /"k" is there twice/],
    ["5 dimensions", tensor(5), /"t" has 5 dimensions/],
    [
      "sizes whose product overflows",
      tensor(3, 2n ** 22n, 2n ** 21n, 2n ** 21n, 0, 0n),
      /"t" has .* numbers/,
    ],
    ["a size of 0", tensor(2, 4n, 0n, 0, 0n), /"t" has 4 × 0 numbers/],
    ["a size beyond all numbers", tensor(1, 2n ** 63n, 0, 0n), /size 9223372036854775808/],
    ["an offset beyond the file", tensor(1, 1n, 0, 2n ** 40n), /ends within tensor "t"/],
    ["an offset of -1", tensor(1, 1n, 0, 2n ** 64n - 1n), /size 18446744073709551615/],
    ["a tensor longer than the file", tensor(1, 10n ** 9n, 0, 0n), /ends within tensor "t"/],
    ["half a block of q8_0", tensor(1, 16n, 8, 0n), /rows of 16 numbers in blocks of 32/],
    ["lines in a name", raw("GGUF", 3, 0n, 1n, 3n, "a\nb", 99, ROOM), /"a\\nb" is of/],
    [
      "an alignment of 0",
      raw("GGUF", 3, 0n, 1n, 17n, "general.alignment", 4, 0, ROOM),
      /general\.alignment is 0/,
    ],
  ])("%s", (_what, bytes, why) => {
    let error: unknown;
    try {
      tried(bytes)();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(LseError);
    expect((error as Error).message).toMatch(why);
    expect((error as Error).message).toMatch(/^\S+odd\.gguf: not a complete GGUF file \([^\n]+$/);
  });

  it("counts that fit into a file with a hole are refused all the same", () => {
    writeFileSync(path, keyed(9, 8, 10n ** 9n));
    truncateSync(path, 2 ** 34);
    expect(() => readHeader(path)).toThrow(/1000000000 elements/);
    writeFileSync(path, raw("GGUF", 3, 0n, 60_000n));
    truncateSync(path, 2 ** 34);
    expect(() => readHeader(path)).toThrow(/"" is there twice/);
  });

  it.each([
    ["block_count", /block_count is 4000000000/],
    ["embedding_length", /embedding_length is 4000000000/],
    ["attention.head_count", /head_count is 4000000000/],
  ])("a %s that no model has does not reach the trainer", async (key, why) => {
    const bytes = Buffer.from(model);
    const name = `qwen3.${key}`;
    bytes.writeUInt32LE(4e9, bytes.indexOf(name) + name.length + 4);
    writeFileSync(path, bytes);
    await expect(readSizes(path)).rejects.toThrow(why);
    await expect(readModel(path)).rejects.toThrow(LseError);
  });
});

describe("a model in several files", () => {
  const part = (no: number) => join(folder, `split-0000${no}-of-00002.gguf`);

  it("has the fingerprint of all its parts", async () => {
    writeFileSync(part(1), small);
    writeFileSync(part(2), small);
    const before = await hashModel(part(1));
    expect(partsOf(part(1))).toEqual([part(1), part(2)]);
    const other = Buffer.from(small);
    other[other.length - 1] = 1;
    writeFileSync(part(2), other);
    expect(await hashModel(part(1))).not.toBe(before);
  });

  it("names the part that is missing, and the first where another was given", () => {
    writeFileSync(part(1), small);
    rmSync(part(2), { force: true });
    expect(() => partsOf(part(1))).toThrow(/split-00002-of-00002\.gguf: no such file.*all 2 parts/);
    expect(() => partsOf(part(2))).toThrow(/part 2 of a model in 2 files\. Give the first, .*00001-of-00002/);
  });
});

const ATTACKS = 200 * Number(process.env.LSE_ATTACKS ?? 1);
const ABSURD = [0n, 1n, 255n, 2n ** 31n - 1n, 2n ** 32n, 10n ** 9n, HUGE, 2n ** 63n, 2n ** 64n - 1n];

it(`${ATTACKS} damaged headers are read or refused in one line, in little memory`, () => {
  const uniform = uniformStream(11);
  const below = (count: number) => Math.floor(uniform() * count);
  const mutations: ((bytes: Buffer) => Buffer)[] = [
    (bytes) => {
      for (let i = 0; i <= below(4); i++) {
        const at = below(bytes.length);
        bytes[at] = (bytes[at] as number) ^ (1 << below(8));
      }
      return bytes;
    },
    (bytes) => {
      bytes.writeBigUInt64LE(ABSURD[below(ABSURD.length)] as bigint, below(bytes.length - 8));
      return bytes;
    },
    (bytes) => {
      bytes.writeBigUInt64LE(ABSURD[below(ABSURD.length)] as bigint, 8 + 8 * below(2));
      return bytes;
    },
    (bytes) => bytes.subarray(0, below(bytes.length)),
    (bytes) => {
      const at = below(bytes.length);
      return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(below(64), below(256)), bytes.subarray(at)]);
    },
  ];
  const before = process.memoryUsage().rss;
  let refused = 0;
  for (let i = 0; i < ATTACKS; i++) {
    const original = i % 10 === 0 ? model.subarray(0, 8192) : small;
    const mutate = mutations[i % mutations.length] as (typeof mutations)[number];
    try {
      tried(mutate(Buffer.from(original)))();
    } catch (error) {
      refused++;
      expect(error).toBeInstanceOf(LseError);
      expect((error as Error).message).not.toContain("\n");
    }
  }
  expect(refused).toBeGreaterThan(ATTACKS / 4);
  expect(process.memoryUsage().rss - before).toBeLessThan(256 * 2 ** 20);
});
