import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getLlama, type Llama, LlamaLogLevel } from "node-llama-cpp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { QwenFamily } from "#lse/gguf/qwen-layout.js";
import { smallTokenizer } from "#lse/gguf/tokenizer.js";
import { writeLora, writeTrainedModel } from "#lse/gguf/trained-model.js";
import type { TensorType } from "#lse/gguf/writer.js";
import { uniformStream } from "#lse/lib/random.js";
import { NodeLlamaCppModel } from "#lse/runtime/llama/public-engine.js";
import { plainRow } from "#lse/train/batch.js";
import { adamW } from "#lse/train/optimizer/groups.js";
import { CONSTANT } from "#lse/train/optimizer/schedule.js";
import { Trainer } from "#lse/train/trainer.js";

const tokenizer = smallTokenizer();
const spec = (family: QwenFamily, tied: boolean) => ({
  family,
  shape: { layers: 2, embedding: 64, heads: 2, kvHeads: 1, headDim: 32, feedForward: 96, tied },
  vocabulary: tokenizer.vocabulary,
  contextLength: 256,
});
const common = { schedule: CONSTANT, clipNorm: 1, provider: "cpu", threads: 1, microTokens: 2048 } as const;
const QUESTION = "How many customers are in France?";
const MESSAGES = [{ role: "user" as const, content: QUESTION }];

/** The prompt as the model of this file reads it. */
async function promptTokens(path: string): Promise<number[]> {
  const model = await llama.loadModel({ modelPath: path });
  const text = `<|im_start|>user\n${QUESTION}<|im_end|>\n<|im_start|>assistant\n`;
  const tokens = model.tokenize(text, true);
  await model.dispose();
  return tokens;
}

let folder: string;
let llama: Llama;
beforeAll(async () => {
  llama = await getLlama({ gpu: false, build: "never", skipDownload: true, logLevel: LlamaLogLevel.error });
  folder = await mkdtemp(join(tmpdir(), "lse-trained-"));
});
afterAll(async () => {
  await llama.dispose();
  await rm(folder, { recursive: true, force: true });
});

/** Sequences in which each token follows from the one before, so that training has something to learn. */
function rows(seed: number) {
  const uniform = uniformStream(seed);
  return Array.from({ length: 8 }, () => {
    const tokens = [Math.floor(uniform() * 256)];
    while (tokens.length < 24) tokens.push(((tokens.at(-1) as number) * 7 + 3) % 256);
    return plainRow(tokens);
  });
}

async function train(trainer: Trainer, steps: number): Promise<number[]> {
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) losses.push((await trainer.step(rows(step))).loss);
  return losses;
}

/** Mean absolute difference between the engine's logprobs and the trainer's, in nats a token. */
async function disagreement(trainer: Trainer, model: NodeLlamaCppModel, prefix: number[]): Promise<number> {
  const tokens = Array.from({ length: 40 }, (_, i) => (i * 37) % 256);
  const scored = await model.logprobs(MESSAGES, tokens);
  const [row] = await trainer.logprobs([{ prefix, continuations: [{ tokens }] }]);
  const ours = row?.[0] ?? new Float32Array();
  expect(ours).toHaveLength(tokens.length);
  return scored.reduce((sum, x, i) => sum + Math.abs(x - (ours[i] ?? Number.NaN)), 0) / tokens.length;
}

const bounds: Record<TensorType, number> = { f32: 1e-3, f16: 1e-3, q8_0: 5e-2 };

describe.each([
  ["qwen2", true],
  ["qwen3", false],
] as const)("a trained %s (tied %s)", (family, tied) => {
  test("scores in llama.cpp as in the trainer, with and without an adapter", async () => {
    const model = spec(family, tied);
    const options = { ...common, spec: model, loss: { kind: "cross-entropy" } as const };
    const start = { from: "random", seed: 3, lookupHeads: false } as const;
    const trainer = await Trainer.open({ ...options, start, groups: adamW(1e-2, 0.1) });
    const losses = await train(trainer, 12);
    expect(losses.at(-1)).toBeLessThan((losses[0] as number) - 0.5);
    const parameters = await trainer.parameters();
    for (const type of ["f32", "f16", "q8_0"] as const) {
      const path = join(folder, `${family}-${type}.gguf`);
      const about = { name: "test", contextLength: 256, tokenizer, type };
      await writeTrainedModel(path, { ...about, family, shape: model.shape, parameters });
      const engine = await NodeLlamaCppModel.open({ modelPath: path, threads: 1, contextSize: 256 });
      expect(await disagreement(trainer, engine, await promptTokens(path))).toBeLessThan(bounds[type]);
      await engine[Symbol.asyncDispose]();
    }
    await trainer[Symbol.asyncDispose]();

    const lora = { rank: 4, alpha: 8, targets: ["attn_q", "attn_v", "ffn_down"] as const };
    const from = { from: "file", path: join(folder, `${family}-f32.gguf`), seed: 4 } as const;
    const adapting = await Trainer.open({ ...options, lora, start: from, groups: adamW(3e-2) });
    await train(adapting, 6);
    const adapted = await adapting.parameters();
    // The model itself does not move: below, the engine has the one that it began with.
    expect(
      Object.keys(adapted).every((name) => /\.(attn_q|attn_v|ffn_down)\.weight\.lora_[ab]$/.test(name)),
    ).toBe(true);
    const path = join(folder, `${family}-lora.gguf`);
    await writeLora(path, { ...lora, family, shape: model.shape, parameters: adapted, name: "test" });
    const engine = await NodeLlamaCppModel.open({
      modelPath: join(folder, `${family}-f16.gguf`),
      threads: 1,
      contextSize: 256,
    });
    const prefix = await promptTokens(join(folder, `${family}-f16.gguf`));
    expect(await disagreement(adapting, engine, prefix)).toBeGreaterThan(0.1);
    await engine.useAdapter(path);
    expect(await disagreement(adapting, engine, prefix)).toBeLessThan(1e-3);
    await engine[Symbol.asyncDispose]();
    await adapting[Symbol.asyncDispose]();
  });
});

test("parameters that are missing or of another shape are refused by name", async () => {
  const { family, shape } = spec("qwen3", true);
  const path = join(folder, "bad.gguf");
  const about = { family, shape, tokenizer, name: "bad", type: "f16", contextLength: 64 } as const;
  await expect(writeTrainedModel(path, { ...about, parameters: {} })).rejects.toThrow(
    /token_embd.weight is missing/,
  );
  const parameters = { "token_embd.weight": new Float32Array(3) };
  await expect(writeTrainedModel(path, { ...about, parameters })).rejects.toThrow(/has 3 numbers, not 32768/);
  const lora = { family, shape, rank: 2, alpha: 2, name: "bad", parameters };
  await expect(writeLora(path, lora)).rejects.toThrow(/no adapter/);
});
