import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GgmlType, readGgufFileInfo } from "node-llama-cpp";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LseError } from "#lse/errors.js";
import {
  bool,
  encodeTensor,
  f32,
  type GgufTensor,
  i32s,
  string,
  strings,
  u32,
  writeGguf,
} from "#lse/gguf/writer.js";

const half = (...values: number[]): number[] => [
  ...new Uint16Array(encodeTensor("f16", Float32Array.from(values)).slice().buffer),
];

/** The number a half stands for, by the definition of IEEE 754. */
function halfValue(bits: number): number {
  const exponent = (bits >>> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  return exponent === 0 ? mantissa * 2 ** -24 : (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

describe("f16", () => {
  test("cases by hand", () => {
    expect(half(0, -0, 1, -2, 0.1, 1 / 3)).toEqual([0, 0x8000, 0x3c00, 0xc000, 0x2e66, 0x3555]);
    expect(half(65504, 65519.99, 65520, 1e30, -Infinity)).toEqual([0x7bff, 0x7bff, 0x7c00, 0x7c00, 0xfc00]);
    expect(half(2 ** -14, 2 ** -24, 2 ** -25, -(2 ** -25) * 1.001, 1e-40)).toEqual([0x400, 1, 0, 0x8001, 0]);
    expect(half(NaN)).toEqual([0x7e00]);
  });

  test("every half keeps its value, and what lies between two goes to the nearer, ties to the even one", () => {
    const epsilon = 2 ** -22;
    for (let bits = 0; bits < 0x7bff; bits++) {
      const middle = (halfValue(bits) + halfValue(bits + 1)) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;
      const got = half(halfValue(bits), middle, middle * (1 - epsilon), middle * (1 + epsilon), -middle);
      const want = [bits, even, bits, bits + 1, even | 0x8000];
      if (got.some((value, i) => value !== want[i])) expect.fail(`half ${bits}: ${got}, not ${want}`);
    }
  });
});

describe("q8_0", () => {
  /** Encodes one block that starts with these numbers and goes on with zeros. */
  const block = (...values: number[]) => {
    const padded = Float32Array.from({ length: 32 }, (_, i) => values[i] ?? 0);
    const bytes = Buffer.from(encodeTensor("q8_0", padded));
    expect(bytes.length).toBe(34);
    return { scale: bytes.readUInt16LE(0), numbers: values.map((_, i) => bytes.readInt8(2 + i)) };
  };

  test("halves go away from zero", () => {
    expect(block(-127, 0.5, -0.5, 1.5, -1.5, 2.4, -2.6, 126.5)).toEqual({
      scale: 0x3c00,
      numbers: [-127, 1, -1, 2, -2, 2, -3, 127],
    });
  });

  test("zeros have the scale 0", () => {
    expect(block(0, -0)).toEqual({ scale: 0, numbers: [0, 0] });
  });

  test("the numbers are divided by the scale before it was rounded to a half", () => {
    expect(block(127 * 1.0004, 100.53)).toEqual({ scale: 0x3c00, numbers: [127, 100] });
  });

  test("they are multiplied by the float32 inverse, as ggml does (its quantize_row_q8_0_ref gives 16 and 93)", () => {
    expect(block(6.869546413421631, 0.8384091854095459)).toEqual({ scale: 0x2aec, numbers: [127, 16] });
    expect(block(2.9882888793945312, 2.2000393867492676)).toEqual({ scale: 0x2606, numbers: [127, 93] });
  });
});

describe("the file", () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "lse-gguf-"));
    path = join(folder, "file.gguf");
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const numbers = (count: number) => Float32Array.from({ length: count }, (_, i) => i - count / 2);
  const tensor = (name: string, shape: number[], type: GgufTensor["type"]): GgufTensor => ({
    name,
    shape,
    type,
    data: () => numbers(shape.reduce((product, size) => product * size)),
  });

  test("is read back by node-llama-cpp: metadata, shapes, types and aligned data", async () => {
    const metadata = {
      "general.architecture": string("qwen3"),
      "qwen3.block_count": u32(4_000_000_000),
      "qwen3.rope.freq_base": f32(0.5),
      "tokenizer.ggml.tokens": strings(["Ġ", "", "日本"]),
      "tokenizer.ggml.token_type": i32s([1, -2]),
      "tokenizer.ggml.add_bos_token": bool(true),
      "tokenizer.ggml.scores": { type: "array", of: "f32", value: [] },
      "qwen3.large": { type: "u64", value: 2n ** 53n + 1n },
    } as const;
    const tensors = [tensor("a", [3], "f16"), tensor("b", [32, 3], "q8_0"), tensor("c", [5, 2, 2], "f32")];
    const { bytes } = await writeGguf(path, metadata, tensors);

    const file = await readFile(path);
    expect(bytes).toBe(file.length);
    const info = await readGgufFileInfo(path, { sourceType: "filesystem" });
    expect(info.version).toBe(3);
    expect(info.metadata).toMatchObject({
      general: { architecture: "qwen3" },
      qwen3: { block_count: 4_000_000_000, rope: { freq_base: 0.5 }, large: 2n ** 53n + 1n },
      tokenizer: {
        ggml: { tokens: ["Ġ", "", "日本"], token_type: [1, -2], add_bos_token: true, scores: [] },
      },
    });
    expect(info.fullTensorInfo?.map((t) => [t.name, t.dimensions.map(Number), t.ggmlType])).toEqual([
      ["a", [3], GgmlType.F16],
      ["b", [32, 3], GgmlType.Q8_0],
      ["c", [5, 2, 2], GgmlType.F32],
    ]);
    for (const [i, { shape, type }] of tensors.entries()) {
      const offset = Number(info.fullTensorInfo?.[i]?.fileOffset);
      const data = encodeTensor(type, numbers(shape.reduce((product, size) => product * size)));
      expect(offset % 32).toBe(0);
      expect(file.subarray(offset, offset + data.length)).toEqual(Buffer.from(data));
    }
  });

  test("is the same whether a tensor comes whole or in chunks of one reused buffer", async () => {
    const whole = tensor("a", [64, 3], "q8_0");
    await writeGguf(path, {}, [whole]);
    const chunked = join(folder, "chunked.gguf");
    function* data() {
      const buffer = new Float32Array(96);
      for (const from of [0, 96]) {
        buffer.set(numbers(192).subarray(from, from + 96));
        yield buffer;
      }
    }
    await writeGguf(chunked, {}, [{ ...whole, data }]);
    expect(await readFile(chunked)).toEqual(await readFile(path));
  });

  test("appears only when it is whole: a failure leaves what was there, and nothing else", async () => {
    await writeFile(path, "before");
    const failing: GgufTensor = {
      ...tensor("b", [4], "f32"),
      data: () => {
        expect(existsSync(path)).toBe(true);
        throw new Error("stop");
      },
    };
    await expect(writeGguf(path, {}, [tensor("a", [4], "f32"), failing])).rejects.toThrow("stop");
    await expect(writeGguf(path, {}, [tensor("a", [4], "f32")], AbortSignal.abort())).rejects.toThrow(
      "aborted",
    );
    expect(await readFile(path, "utf8")).toBe("before");
    expect(await readdir(folder)).toEqual(["file.gguf"]);
    await writeGguf(path, {}, [tensor("a", [4], "f32")]);
    expect((await readFile(path)).subarray(0, 4).toString()).toBe("GGUF");
    expect(await readdir(folder)).toEqual(["file.gguf"]);
  });

  test("is refused by name when data and shape disagree or a row is no whole number of blocks", async () => {
    const short = { ...tensor("short", [4], "f32"), data: () => numbers(3) };
    const long = { ...tensor("long", [4], "f32"), data: () => [numbers(3), numbers(3)] };
    await expect(writeGguf(path, {}, [short])).rejects.toThrow("short has 3 numbers, not 4");
    await expect(writeGguf(path, {}, [long])).rejects.toThrow("long");
    await expect(writeGguf(path, {}, [tensor("rows", [48, 2], "q8_0")])).rejects.toThrow(
      /rows has rows of 48 numbers, which q8_0 cannot hold/,
    );
    const twice = [tensor("same", [4], "f32"), tensor("same", [4], "f32")];
    await expect(writeGguf(path, {}, twice)).rejects.toThrow("same is given twice");
    expect(await readdir(folder)).toEqual([]);
  });

  test("that cannot be written is an error the user can act on", async () => {
    await expect(writeGguf(join(folder, "no", "file.gguf"), {}, [])).rejects.toThrow(LseError);
    await mkdir(path);
    await expect(writeGguf(path, {}, [])).rejects.toThrow(/cannot write .*file\.gguf/);
  });
});
