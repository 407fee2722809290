/** Training on quantised weights: read by llama.cpp's own conversions, trained by an adapter, put back on the same file. */
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { GgmlType } from "node-llama-cpp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BLOCKS, readHeader } from "#lse/gguf/header.js";
import { needsDecoders, type ReadModel, readModel, readSizes } from "#lse/gguf/read-model.js";
import type { DecoderOf } from "#lse/gguf/reader.js";
import { writeLora } from "#lse/gguf/trained-model.js";
import { type ChatMessage, PAPER_SAMPLING } from "#lse/model.js";
import type { FileType } from "#lse/runtime/llama/file-types.js";
import { ggmlDecoders, ggmlLibrary } from "#lse/runtime/llama/ggml.js";
import { LlamaModel } from "#lse/runtime/llama/llama-model.js";
import { quantizeModel } from "#lse/runtime/llama/quantize.js";
import { adamW } from "#lse/train/optimizer/groups.js";
import { CONSTANT } from "#lse/train/optimizer/schedule.js";
import { Trainer } from "#lse/train/trainer.js";
import { lse } from "../cli.js";

const folder = mkdtempSync(join(tmpdir(), "lse-quantised-"));
const path = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const shipped = (name: string) => fileURLToPath(new URL(`../../models/${name}`, import.meta.url));
const typesIn = (file: string) => new Set(readHeader(file).tensors.map(({ type }) => GgmlType[type]));

/** A matcher takes seconds for so many numbers. */
const inBytes = ({ parameters, ...sizes }: ReadModel) => ({
  ...sizes,
  parameters: Object.entries(parameters).map(
    ([name, { buffer }]) => `${name} ${createHash("sha256").update(new Uint8Array(buffer)).digest("hex")}`,
  ),
});

const MESSAGES: ChatMessage[] = [{ role: "user", content: "list late treatments ?" }];
let decoders: DecoderOf;
beforeAll(async () => {
  decoders = ggmlDecoders(await ggmlLibrary());
  await quantizeModel(shipped("mini.gguf"), path("packed.gguf"), "Q4_K_M");
});

describe("quantised weights", () => {
  // Rows of 192 and 448 numbers are no whole blocks of 256: K-quants fall back to blocks of 32 there, as in Qwen's 0.5B.
  it.each<[FileType, string, readonly string[]]>([
    ["Q4_K_M", "mini.gguf", ["Q4_K", "Q6_K"]],
    ["Q5_K_M", "mini.gguf", ["Q5_K", "Q6_K"]],
    ["Q3_K_M", "mini.gguf", ["Q3_K"]],
    ["Q4_K_M", "mini-b.gguf", ["Q5_0", "Q8_0"]],
    ["Q4_0", "mini.gguf", ["Q4_0"]],
    ["Q5_1", "mini.gguf", ["Q5_1"]],
    ["IQ4_NL", "mini.gguf", ["IQ4_NL"]],
  ])("%s of %s are read to the bit as llama.cpp writes them out in f32", async (type, source, expected) => {
    const [packed, plain] = [path(`${type}-${source}`), path(`${type}-f32-${source}`)];
    await quantizeModel(shipped(source), packed, type);
    expect([...typesIn(packed)]).toEqual(expect.arrayContaining([...expected]));
    expect(await needsDecoders(packed)).toBe(true);
    await quantizeModel(packed, plain, "F32");
    expect(inBytes(await readModel(packed, decoders))).toEqual(inBytes(await readModel(plain)));
  });

  it("in q8_0 are read without the library, as llama.cpp reads them", async () => {
    expect(await needsDecoders(shipped("mini-q8_0.gguf"))).toBe(false);
    await quantizeModel(shipped("mini-q8_0.gguf"), path("plain.gguf"), "F32");
    const packed = await readModel(shipped("mini-q8_0.gguf"));
    expect(inBytes(packed)).toEqual(inBytes(await readModel(path("plain.gguf"))));
  });

  it("are laid out in files as the header's reader has it", () => {
    const types = Object.values(GgmlType).filter((type) => typeof type === "number");
    const found = types.flatMap((type) => {
      const decoder = decoders(type);
      return decoder === undefined ? [] : [[type, BLOCKS[type], [decoder.block, decoder.bytes]] as const];
    });
    expect(found.length).toBeGreaterThan(20);
    for (const [type, known, ofLibrary] of found) expect(known, GgmlType[type]).toEqual(ofLibrary);
  });

  it("need the library, and a type that llama.cpp can convert", async () => {
    await expect(readModel(path("packed.gguf"))).rejects.toThrow(
      /packed\.gguf: tensor \S+ is of type Q\d_K, which cannot be turned into numbers here\. Take .*F16/,
    );
    for (const type of [GgmlType.Q4_2, GgmlType.I8, 99, -1]) expect(decoders(type)).toBeUndefined();
  });
});

describe("lse models quantize", () => {
  const quantize = (...args: string[]) => lse("models", "quantize", ...args);

  it("writes a model in another type, which answers", async () => {
    const out = path("small.gguf");
    writeFileSync(`${out}.part`, "a download");
    const { status, stdout } = quantize(shipped("mini.gguf"), "--type", "Q4_0", "--out", out);
    expect(stdout).toMatch(/small\.gguf: \S+ [kM]B, before \S+ MB\n$/);
    expect(status).toBe(0);
    expect(readFileSync(`${out}.part`, "utf8")).toBe("a download");
    expect(statSync(out).size).toBeLessThan(0.7 * statSync(shipped("mini.gguf")).size);
    await using model = await LlamaModel.open({ modelPath: out, threads: 1, gpuLayers: 0 });
    const sampling = { ...PAPER_SAMPLING, maxTokens: 5 };
    const [completion] = await model.generate([{ messages: MESSAGES, sampling, seed: 1, sample: 0 }]);
    expect(completion?.generatedTokens).toBeGreaterThan(0);
  });

  it("refuses what cannot be, in one line", () => {
    const model = shipped("mini.gguf");
    const failures = [
      [[model], /No type is given\. Give `--type`, or `--measure`/],
      [[model, "--type", "Q4_K_M", "--out", path("packed.gguf")], /packed\.gguf: this file exists/],
      [[path("none.gguf"), "--type", "Q4_0"], /none\.gguf: no such model file/],
      [
        [model, "--type", "Q4_0", "--out", path("no/such/folder.gguf")],
        /folder\.gguf: llama\.cpp could not write/,
      ],
    ] as const;
    for (const [args, message] of failures) {
      const { status, stderr } = quantize(...args);
      expect(stderr).toMatch(message);
      expect(stderr.trim().split("\n")).toHaveLength(1);
      expect(status).toBe(1);
    }
  });

  it("measures types without keeping them", () => {
    const args = ["--measure", "--types", "Q4_0", "--rounds", "1", "--threads", "1"];
    const model = path("measured.gguf");
    copyFileSync(shipped("mini.gguf"), model);
    const before = readdirSync(folder);
    const { stdout, status } = quantize(model, ...args);
    expect(stdout).toMatch(/as it is +\S+ MB( +\d+\.\d){3}\nQ4_0 +\S+ [kM]B( +\d+\.\d){3}\n$/);
    expect(status).toBe(0);
    expect(readdirSync(folder)).toEqual(before);
  });
});

describe("an adapter that was trained on a quantised model", () => {
  const LORA = { rank: 4, alpha: 8 };

  it("changes llama.cpp's logprobs of that file as it changed the trainer's", async () => {
    const model = path("packed.gguf");
    const { contextLength, ...sizes } = await readSizes(model);
    await using engine = await LlamaModel.open({
      modelPath: model,
      contextSize: 256,
      threads: 1,
      gpuLayers: 0,
      sequences: 4,
      batchSize: 64,
      flashAttention: true,
      repeatable: true,
    });
    await using trainer = await Trainer.open({
      spec: { ...sizes, contextLength: Math.min(contextLength, 256) },
      lora: LORA,
      loss: { kind: "policy-gradient", clip: 0.2 },
      groups: adamW(3e-3),
      schedule: CONSTANT,
      clipNorm: 1,
      start: { from: "file", path: model, seed: 1 },
      provider: "cpu",
      threads: 1,
      microTokens: 256,
      recompute: true,
    });
    const tokens = Array.from({ length: 40 }, (_, i) => 20 + ((i * 37) % 400));
    const prefix = engine.encode(MESSAGES);
    const ofTrainer = async () => [
      ...((await trainer.logprobs([{ prefix, continuations: [{ tokens }] }]))[0]?.[0] ?? []),
    ];
    const ofEngine = async () => [...(await engine.logprobs(MESSAGES, tokens))];
    const apart = (a: readonly number[], b: readonly number[]) =>
      a.reduce((sum, x, i) => sum + Math.abs(x - (b[i] as number)), 0) / a.length;

    const before = await ofTrainer();
    const oldLogprobs = await ofEngine();
    const untrained = apart(before, oldLogprobs);
    const { logprobGap } = await trainer.step([
      { prefix, continuations: [{ tokens, oldLogprobs, advantage: 1 }] },
    ]);
    expect(logprobGap).toBeCloseTo(untrained, 4);
    for (let i = 0; i < 3; i++)
      await trainer.step([
        { prefix, continuations: [{ tokens, oldLogprobs: await ofTrainer(), advantage: 1 }] },
      ]);

    const adapter = path("adapter.gguf");
    await writeLora(adapter, { ...sizes, ...LORA, parameters: await trainer.parameters(), name: "test" });
    await engine.useAdapter(adapter);
    const [trained, adapted] = [await ofTrainer(), await ofEngine()];
    await engine.useAdapter(null);
    console.log(
      `logprobs apart by ${untrained.toFixed(3)} nats before, by ${apart(trained, adapted).toFixed(3)} after training, which moved them by ${apart(before, trained).toFixed(3)}`,
    );
    // llama.cpp rounds the inputs of these matrices to 8 bits.
    expect(untrained).toBeLessThan(0.1);
    expect(apart(trained, adapted)).toBeLessThan(0.1);
    expect(apart(before, trained)).toBeGreaterThan(0.5);
    expect(await ofEngine()).toEqual(oldLogprobs);
  });
});

describe("lse train on a quantised model", () => {
  const config = (lora: object | null) => {
    const training = {
      model: path("packed.gguf"),
      trees: path("none"),
      validation: path("none"),
      updates: 1,
      rate: 1e-4,
      lora,
    };
    writeFileSync(path("training.json"), JSON.stringify({ ...training, engine: { context: 256 } }));
    return ["--config", path("training.json")];
  };

  it("plans an adapter, with its memory and the time of an update", () => {
    const { status, stdout } = lse("train", "--dry-run", "--gflops", "100", ...config({ rank: 4 }));
    expect(stdout).toMatch(/packed\.gguf: 2\.81 million parameters, \S+ million of an adapter trained/);
    expect(stdout).toMatch(/weights 0\.0 GiB.*PFLOP and \d+ s an update/s);
    expect(status).toBe(0);
  });

  it.each([
    ["--dry-run"],
    ["--out", path("training")],
  ])("refuses to train all its parameters (%s)", (...how) => {
    const { status, stderr } = lse("train", ...how, ...config(null));
    expect(stderr).toMatch(
      /^lse: \S+packed\.gguf: field lora is null, and all parameters cannot be trained in a file whose weights are Q\d_K\. Leave `lora` out to train an adapter, or take the model's F32, F16 or Q8_0 file\.\n$/,
    );
    expect(status).toBe(1);
    expect(existsSync(path("training"))).toBe(false);
  });
});
