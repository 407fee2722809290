import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readModel } from "#lse/gguf/read-model.js";
import { smallTokenizer } from "#lse/gguf/tokenizer.js";
import { type TrainedModelOptions, writeTrainedModel } from "#lse/gguf/trained-model.js";
import { encodeTensor } from "#lse/gguf/writer.js";
import { initialParameters } from "#lse/train/model/initial.js";

const folder = mkdtempSync(join(tmpdir(), "lse-read-model-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = (name: string) => join(folder, name);

const tokenizer = smallTokenizer();
const shape = { layers: 1, embedding: 64, heads: 2, kvHeads: 1, headDim: 32, feedForward: 96 };
async function write(name: string, changes: Partial<TrainedModelOptions> = {}) {
  const family = changes.family ?? "qwen2";
  const sizes = {
    family,
    shape: changes.shape ?? shape,
    vocabulary: tokenizer.vocabulary,
    contextLength: 128,
  };
  const parameters = initialParameters(sizes, 1);
  const about = { type: "f32", tokenizer, name: "test", parameters } as const;
  await writeTrainedModel(path(name), { ...sizes, ...about, ...changes });
  return parameters;
}

describe("a model read back from its file", () => {
  it.each([
    ["qwen2", true],
    ["qwen3", false],
  ] as const)("%s at f32 is the one that was written", async (family, tied) => {
    const parameters = await write("f32.gguf", { family, shape: { ...shape, tied } });
    const read = await readModel(path("f32.gguf"));
    expect(read).toEqual({
      family,
      shape: { ...shape, tied, ropeBase: 1e6 },
      vocabulary: tokenizer.vocabulary,
      contextLength: 128,
      parameters,
    });
  });

  it.each([
    ["f16", 1e-3],
    ["q8_0", 1e-2],
  ] as const)("at %s is what the file holds, to the bit when it is written again", async (type, tolerance) => {
    const parameters = await write("packed.gguf", { type });
    const read = await readModel(path("packed.gguf"));
    for (const [name, values] of Object.entries(parameters)) {
      const found = read.parameters[name] as Float32Array;
      const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      for (const [i, value] of values.entries())
        expect(Math.abs((found[i] as number) - value)).toBeLessThanOrEqual(tolerance * largest);
    }
    const matrix = read.parameters["blk.0.attn_q.weight"] as Float32Array;
    expect(encodeTensor(type, matrix)).toEqual(
      encodeTensor(type, parameters["blk.0.attn_q.weight"] as Float32Array),
    );
  });

  it("half numbers of every kind: subnormal, infinite, negative", async () => {
    const parameters = await write("odd.gguf", { type: "f16" });
    const odd = Float32Array.from(parameters["blk.0.attn_k.weight"] as Float32Array);
    odd.set([2 ** -24, -(2 ** -20), 65504, -65504, 2 ** -14, 0]);
    await write("odd.gguf", { type: "f16", parameters: { ...parameters, "blk.0.attn_k.weight": odd } });
    const read = await readModel(path("odd.gguf"));
    expect([...(read.parameters["blk.0.attn_k.weight"] as Float32Array).subarray(0, 6)]).toEqual([
      2 ** -24,
      -(2 ** -20),
      65504,
      -65504,
      2 ** -14,
      0,
    ]);
  });

  it("that is cut off, of another make or none at all names the file and what to do", async () => {
    await write("whole.gguf");
    const bytes = readFileSync(path("whole.gguf"));
    writeFileSync(path("cut.gguf"), bytes.subarray(0, bytes.length - 4096));
    await expect(readModel(path("cut.gguf"))).rejects.toThrow(/cut\.gguf: .*ends within tensor .*again/);
    const other = Buffer.from(bytes);
    other.write("llama", other.indexOf("qwen2"));
    writeFileSync(path("other.gguf"), other);
    await expect(readModel(path("other.gguf"))).rejects.toThrow(/other\.gguf: .*qwen2 and qwen3, not llama/);
    writeFileSync(path("none.gguf"), "hello");
    await expect(readModel(path("none.gguf"))).rejects.toThrow(/none\.gguf: not a complete GGUF/);
  });
});
