import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LlamaModel, Token } from "node-llama-cpp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NAMED_SHAPES, writeRandomModel } from "#lse/gguf/random-model.js";
import { WordTokenizer } from "#lse/gguf/word-tokenizer.js";
import { actDemonstrations, type Demonstration, evolveDemonstrations } from "#lse/mini/demonstrations.js";
import { SLOPPINESS } from "#lse/mini/edits.js";
import { miniDeltaTokenizer, miniTokenizer } from "#lse/mini/tokenizer.js";
import { WORDS } from "#lse/mini/vocabulary.js";
import type { ChatTemplate } from "#lse/runtime/chat-template.js";
import { loadModel } from "#lse/runtime/llama/load.js";
import { chatTemplateOf } from "#lse/runtime/llama/vocabulary.js";

const folder = mkdtempSync(join(tmpdir(), "lse-mini-tokenizer-"));
let model: LlamaModel;
let template: ChatTemplate;

beforeAll(async () => {
  const modelPath = join(folder, "mini.gguf");
  const tokenizer = miniTokenizer;
  const shape = NAMED_SHAPES["1m"];
  await writeRandomModel(modelPath, { shape, type: "f16", tokenizer, seed: 1, contextLength: 1024 });
  const options = { modelPath, gpuLayers: 0 };
  const loaded = await loadModel(options, "vocabulary");
  model = loaded.model;
  template = chatTemplateOf(loaded, options);
});
afterAll(async () => {
  await model.dispose();
  rmSync(folder, { recursive: true });
});

const tokenize = (text: string): number[] => model.tokenize(text);
const detokenize = (ids: readonly number[]) => model.detokenize(ids as Token[]);

describe("the miniature's tokenizer", () => {
  it("is llama.cpp's on 10,000 strings of the world, prompts in their template and completions, there and back", () => {
    const streams = [
      actDemonstrations({ seed: 11 }),
      evolveDemonstrations({ seed: 11, sloppiness: null }),
      evolveDemonstrations({ seed: 11, sloppiness: SLOPPINESS }),
    ];
    let strings = 0;
    for (let i = 0; strings < 10_000; i++) {
      for (const { messages, completion } of streams[i % 3]?.next().value as Demonstration[]) {
        const prompt = miniTokenizer.encodePrompt(messages);
        expect(template.encode(messages)).toEqual(prompt);
        const words = messages.reduce((sum, { content }) => sum + content.split(" ").length, 0);
        expect(prompt).toHaveLength(words + messages.length + 1);
        const ids = miniTokenizer.encodeCompletion(completion);
        expect([...tokenize(` ${completion}`), miniTokenizer.stop]).toEqual(ids);
        expect(ids).toHaveLength(completion.split(" ").length + 1);
        expect(detokenize(ids)).toBe(` ${completion}`);
        expect(miniTokenizer.decode(ids)).toBe(` ${completion}`);
        strings += messages.length + 1;
      }
    }
  });

  it.each([
    "cheap",
    " cheapest of 'G'' and /**/ ,1,4)x SUM( count(*)",
    "  how  many\n many\t?",
    " <|stop|> <|user|><|assistant|>",
    " naïve 日本語 👩‍💻 \u0000 1000 1001 10",
    "",
  ])("is llama.cpp's on %j too, and keeps it", (text) => {
    const ids = miniTokenizer.encode(text);
    expect(tokenize(text)).toEqual(ids);
    expect(detokenize(ids)).toBe(text);
    expect(miniTokenizer.decode(ids)).toBe(text);
    expect(ids).not.toContain(miniTokenizer.stop);
  });

  it("has a token for each word, the stop token ends a turn, and nothing is put before a prompt", () => {
    for (const word of WORDS) expect(tokenize(` ${word}`)).toHaveLength(1);
    expect(model.tokens.eos).toBe(miniTokenizer.stop);
    expect(model.isEogToken(miniTokenizer.stop as Token)).toBe(true);
    expect(model.tokens.shouldPrependBosToken).toBe(false);
    expect(model.fileInfo.metadata.tokenizer.ggml.tokens).toHaveLength(miniTokenizer.vocabulary);
  });

  it("renders whole conversations", () => {
    const messages = [
      { role: "user", content: "rules none" },
      { role: "assistant", content: "<prompt> none </prompt>" },
      { role: "user", content: "rules none" },
    ] as const;
    expect(template.encode(messages)).toEqual(miniTokenizer.encodePrompt(messages));
  });
});

it("the tokenizer with the words of deltas is llama.cpp's, too", async () => {
  const modelPath = join(folder, "deltas.gguf");
  const tokenizer = miniDeltaTokenizer;
  const shape = NAMED_SHAPES["1m"];
  await writeRandomModel(modelPath, { shape, type: "f16", tokenizer, seed: 1, contextLength: 1024 });
  const options = { modelPath, gpuLayers: 0 };
  const loaded = await loadModel(options, "vocabulary");
  const deltaTemplate = chatTemplateOf(loaded, options);
  const stream = evolveDemonstrations({ seed: 11, sloppiness: SLOPPINESS, edits: "delta" });
  for (let i = 0; i < 500; i++)
    for (const { messages, completion } of stream.next().value as Demonstration[]) {
      expect(deltaTemplate.encode(messages)).toEqual(tokenizer.encodePrompt(messages));
      const ids = tokenizer.encodeCompletion(completion);
      expect([...loaded.model.tokenize(` ${completion}`), tokenizer.stop]).toEqual(ids);
      expect(ids).toHaveLength(completion.split(" ").length + 1);
    }
  for (const text of ["<add>old</add> </adding> deltas", " <replace> < add> <delete>x"])
    expect(loaded.model.tokenize(text)).toEqual(tokenizer.encode(text));
  await loaded.model.dispose();
});

it("a word tokenizer takes no word with a blank, and none twice", () => {
  expect(() => new WordTokenizer(["a", "b c"])).toThrow(RangeError);
  expect(() => new WordTokenizer(["a", "a"])).toThrow(RangeError);
  expect(() => new WordTokenizer(["a"]).decode([9999])).toThrow(RangeError);
});
