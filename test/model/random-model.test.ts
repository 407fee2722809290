import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Template } from "@huggingface/jinja";
import { getLlama, type Llama, LlamaLogLevel, type LlamaModel, type Token } from "node-llama-cpp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  countParameters,
  NAMED_SHAPES,
  type RandomModelOptions,
  writeRandomLora,
  writeRandomModel,
} from "#lse/gguf/random-model.js";
import { CHAT_TEMPLATE, smallTokenizer } from "#lse/gguf/tokenizer.js";

const TINY = { layers: 2, embedding: 64, heads: 4, kvHeads: 2, headDim: 32, feedForward: 96 };
const tiny: RandomModelOptions = {
  shape: TINY,
  type: "f32",
  tokenizer: "small",
  seed: 7,
  contextLength: 2048,
};
const TEXTS = [
  "SELECT name FROM customers WHERE id = 10;\n\n  -- a comment\ttab",
  "naïve Ünïcode: 日本語, العربية, emoji 👩‍💻🇫🇷, \u0000 and \u{10ffff}\r\n",
  "Answer: <answer>SELECT 1</answer> inside <prompt>x</prompt>.",
];

let folder: string;
let llama: Llama;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lse-random-"));
  llama = await getLlama({ gpu: false, build: "never", skipDownload: true, logLevel: LlamaLogLevel.error });
});
afterAll(async () => {
  await llama.dispose();
  await rm(folder, { recursive: true, force: true });
});

const sha256 = async (path: string) =>
  createHash("sha256")
    .update(await readFile(path))
    .digest("hex");

async function written(name: string, options: Partial<RandomModelOptions> = {}): Promise<string> {
  const path = join(folder, name);
  await writeRandomModel(path, { ...tiny, ...options });
  return path;
}

async function sample(model: LlamaModel, count: number): Promise<Token[]> {
  const context = await model.createContext({ contextSize: 2048, sequences: 1, threads: 1 });
  const tokens: Token[] = [];
  const options = { temperature: 1, topK: 0, topP: 1, minP: 0, seed: 3, yieldEogToken: true };
  for await (const token of context.getSequence().evaluate(model.tokenize("How many"), options))
    if (tokens.push(token) === count) break;
  await context.dispose();
  return tokens;
}

/** The probability of each next token after a fixed prompt, by token. */
async function nextTokens(model: LlamaModel, lora?: string): Promise<Map<Token, number>> {
  const context = await model.createContext({
    contextSize: 64,
    sequences: 1,
    threads: 1,
    ...(lora && { lora }),
  });
  const prompt = model.tokenize("List the names of all customers");
  const options = { generateNext: { probabilities: true } };
  const input = prompt.map((token, i): Token | [Token, typeof options] =>
    i === prompt.length - 1 ? [token, options] : token,
  );
  const output = await context.getSequence().controlledEvaluate(input);
  const probabilities = output.at(-1)?.next.probabilities ?? new Map<Token, number>();
  await context.dispose();
  return probabilities;
}

function largestDifference(a: Map<Token, number>, b: Map<Token, number>): number {
  return Math.max(...[...a].map(([token, p]) => Math.abs(p - (b.get(token) ?? 0))));
}

describe("a random model", () => {
  test.for([
    { type: "f32", tied: true },
    { type: "f16", tied: false },
    { type: "q8_0", tied: true },
  ] as const)("of $type (tied $tied) loads, keeps every text and samples diverse tokens", async (options) => {
    const path = await written(`${options.type}.gguf`, options);
    const model = await llama.loadModel({ modelPath: path });
    for (const text of TEXTS) expect(model.detokenize(model.tokenize(text))).toBe(text);
    expect(model.trainContextSize).toBe(2048);
    expect(model.embeddingVectorSize).toBe(TINY.embedding);
    expect(new Set(await sample(model, 200)).size).toBeGreaterThan(120);
    await model.dispose();
  });

  test("writes tags as one token and reads them back as text, and ends at the end of a message", async () => {
    const model = await llama.loadModel({ modelPath: await written("tags.gguf") });
    for (const tag of ["<answer>", "</answer>", "<prompt>", "</prompt>"]) {
      const tokens = model.tokenize(tag);
      expect(tokens).toHaveLength(1);
      expect(model.detokenize(tokens, false)).toBe(tag);
    }
    expect(model.tokenize(" SELECT name FROM customers").length).toBeLessThan(8);
    expect(model.tokenize("<|im_end|>").length).toBeGreaterThan(1);
    const [end] = model.tokenize("<|im_end|>", true);
    expect(model.tokens.eos).toBe(end);
    expect(model.tokens.shouldPrependBosToken).toBe(false);
    expect(model.detokenize([end as Token], false)).toBe("");
    expect(model.fileInfo.metadata.tokenizer.chat_template).toBe(CHAT_TEMPLATE);
    await model.dispose();
  });

  test("has near-uniform probabilities, the end token among them", async () => {
    const model = await llama.loadModel({ modelPath: await written("uniform.gguf") });
    const probabilities = await nextTokens(model);
    const entropy = -[...probabilities.values()].reduce((sum, p) => sum + p * Math.log(p), 0);
    expect(probabilities.size).toBe(512);
    expect(entropy).toBeGreaterThan(0.93 * Math.log(512));
    expect(entropy).toBeLessThan(0.999 * Math.log(512));
    expect(probabilities.get(model.tokens.eos as Token)).toBeGreaterThan(1e-4);
    await model.dispose();
  });

  test("is the same file for the same arguments, and another for another seed", async () => {
    const first = await sha256(await written("first.gguf"));
    expect(await sha256(await written("again.gguf"))).toBe(first);
    expect(await sha256(await written("other.gguf", { seed: 8 }))).not.toBe(first);
    // A golden hash, so that a change of the numbers, or a platform that rounds otherwise, is seen.
    expect(first).toBe("e0a16d3aeb9c68bd6103586ec820b47c75c431004d262670e2ab2c1b98bf7d99");
  });

  test("of a named shape has the numbers of the real one, and the file their bytes", async () => {
    expect(countParameters(NAMED_SHAPES["0.6b"], 151_936)).toBe(596_049_920);
    expect(countParameters(NAMED_SHAPES["4b"], 151_936)).toBe(4_022_468_096);
    expect(countParameters(NAMED_SHAPES["7b"], 151_936)).toBe(8_190_735_360);
    const path = join(folder, "1m.gguf");
    const { parameters, bytes } = await writeRandomModel(path, { ...tiny, shape: NAMED_SHAPES["1m"] });
    expect(parameters).toBe(1_000_832);
    expect(bytes).toBe((await stat(path)).size);
    expect(bytes - 4 * parameters).toBeGreaterThan(0);
    expect(bytes - 4 * parameters).toBeLessThan(32_768);
  });

  test("of a shape that cannot be is refused by the name of the size", async () => {
    const refused = (options: Partial<RandomModelOptions>) => expect(written("bad.gguf", options)).rejects;
    await refused({ type: "q8_0", shape: { ...TINY, embedding: 48 } }).toThrow(/embedding is 48, but q8_0/);
    await refused({ type: "q8_0", shape: { ...TINY, feedForward: 100 } }).toThrow(
      /feedForward is 100, but q8_0/,
    );
    await refused({ type: "q8_0", shape: { ...TINY, headDim: 10 } }).toThrow(
      /heads × headDim is 40, but q8_0/,
    );
    await refused({ shape: { ...TINY, kvHeads: 3 } }).toThrow(/4 heads cannot share 3 kvHeads/);
    await refused({ shape: { ...TINY, headDim: 31 } }).toThrow(/headDim 31 is odd/);
    await refused({ shape: { ...TINY, layers: 0 } }).toThrow(/layers is 0/);
    await refused({ seed: 0.5 }).toThrow(/seed is 0.5/);
    expect(existsSync(join(folder, "bad.gguf"))).toBe(false);
  });

  test("takes the vocabulary of Qwen", async () => {
    const shape = { ...TINY, layers: 1, embedding: 32 };
    const model = await llama.loadModel({
      modelPath: await written("qwen.gguf", { shape, tokenizer: "qwen" }),
    });
    // The ids that Qwen's own tokenizer gives.
    expect(model.tokenize("Hello, world!")).toEqual([9707, 11, 1879, 0]);
    expect(model.tokens.eos).toBe(151_645);
    for (const text of TEXTS) expect(model.detokenize(model.tokenize(text))).toBe(text);
    await model.dispose();
  });
});

describe("a random LoRA adapter", () => {
  const lora = { shape: TINY, rank: 4, alpha: 8, seed: 5 };

  test("changes the probabilities, more so when it is larger, and not at all at scale 0", async () => {
    const model = await llama.loadModel({ modelPath: await written("base.gguf") });
    const without = await nextTokens(model);
    const differences: number[] = [];
    for (const scale of [0, 0.01, 0.3]) {
      const path = join(folder, `lora-${scale}.gguf`);
      await writeRandomLora(path, { ...lora, scale });
      differences.push(largestDifference(without, await nextTokens(model, path)));
    }
    const [none = NaN, little = NaN, much = NaN] = differences;
    expect(none).toBeLessThan(1e-7);
    expect(little).toBeGreaterThan(1e-6);
    expect(much).toBeGreaterThan(3 * little);
    await model.dispose();
  });

  test("is the same file for the same arguments, and another for another seed", async () => {
    const write = async (name: string, seed: number) => {
      await writeRandomLora(join(folder, name), { ...lora, scale: 1, seed });
      return await sha256(join(folder, name));
    };
    const first = await write("lora.gguf", 5);
    expect(await write("lora.gguf", 5)).toBe(first);
    expect(await write("lora.gguf", 6)).not.toBe(first);
  });

  test("of a rank or scale that cannot be is refused", async () => {
    const path = join(folder, "bad-lora.gguf");
    await expect(writeRandomLora(path, { ...lora, scale: 1, rank: 0 })).rejects.toThrow(/rank is 0/);
    await expect(writeRandomLora(path, { ...lora, scale: NaN })).rejects.toThrow(/scale is NaN/);
  });
});

test("the small vocabulary is 512 different tokens, all reachable: each merge makes a token of two others", () => {
  const { metadata, vocabulary } = smallTokenizer();
  const list = (key: string) => metadata[`tokenizer.ggml.${key}`]?.value as string[];
  const tokens = new Set(list("tokens"));
  expect([vocabulary, tokens.size]).toEqual([512, 512]);
  for (const merge of list("merges")) {
    const [left = "", right = "", ...rest] = merge.split(" ");
    expect([tokens.has(left), tokens.has(right), tokens.has(left + right), rest]).toEqual([
      true,
      true,
      true,
      [],
    ]);
  }
  expect(256 + list("merges").length + 4 + 3).toBe(512);
});

test("the chat template writes ChatML", () => {
  const messages = [
    { role: "system", content: "Be brief." },
    { role: "user", content: "Hi\n<b> & 'c'" },
    { role: "assistant", content: "Yes." },
  ];
  const dialogue =
    "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi\n<b> & 'c'<|im_end|>\n<|im_start|>assistant\nYes.<|im_end|>\n";
  const template = new Template(CHAT_TEMPLATE);
  expect(template.render({ messages })).toBe(dialogue);
  expect(template.render({ messages, add_generation_prompt: true })).toBe(
    `${dialogue}<|im_start|>assistant\n`,
  );
});

describe("npm run make-random-model", () => {
  const script = new URL("../../scripts/make-random-model.ts", import.meta.url).pathname;
  const run = (...args: string[]) =>
    promisify(execFile)(process.execPath, ["--import", "tsx", script, ...args]).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error) => error as { code: number; stdout: string; stderr: string },
    );

  test("writes a model and prints its numbers and bytes", async () => {
    const path = join(folder, "cli.gguf");
    const sizes = "--layers 2 --embedding 64 --heads 4 --kv-heads 2 --head-dim 32 --feed-forward 96".split(
      " ",
    );
    const { code, stdout } = await run(path, ...sizes, "--type", "f32", "--seed", "7", "--context", "2048");
    expect(code).toBe(0);
    expect(stdout).toContain(`${countParameters(TINY, 512).toLocaleString("en")} parameters`);
    expect(stdout).toContain(`${(await stat(path)).size.toLocaleString("en")} bytes`);
    expect(await sha256(path)).toBe(await sha256(await written("same.gguf")));
  });

  test.for([
    [["--shape", "9b"], /--shape/],
    [["--shape", "1m", "--layers", "x"], /--layers/],
    [["--shape", "1m", "--layers", "3"], /both --shape and sizes/],
    [["--layers", "3"], /1 of the six sizes/],
  ] as const)("answers %j with one line and exit code 1", async ([args, message]) => {
    const path = join(folder, "refused.gguf");
    const { code, stderr } = await run(path, ...args);
    expect([code, stderr.trim().split("\n").length]).toEqual([1, 1]);
    expect(stderr).toMatch(message);
    expect(existsSync(path)).toBe(false);
  });
});
