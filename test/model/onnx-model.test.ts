import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AutoModelForCausalLM, AutoTokenizer, type Tensor } from "@huggingface/transformers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LseError } from "#lse/errors.js";
import { writeRandomModel } from "#lse/gguf/random-model.js";
import { readModel } from "#lse/gguf/read-model.js";
import { writeTrainedModel } from "#lse/gguf/trained-model.js";
import { Draw } from "#lse/mini/draw.js";
import { rulesText } from "#lse/mini/rules.js";
import { rulesInState } from "#lse/mini/states.js";
import { MiniTask } from "#lse/mini/task.js";
import { miniTokenizer } from "#lse/mini/tokenizer.js";
import { type ChatMessage, type GenerateRequest, type LanguageModel, PAPER_SAMPLING } from "#lse/model.js";
import { exportOnnx } from "#lse/onnx-export/export.js";
import { resolveConfig } from "#lse/runs/config.js";
import { ChatTemplate } from "#lse/runtime/chat-template.js";
import { LlamaModel } from "#lse/runtime/llama/open.js";
import { readModelFolder } from "#lse/runtime/onnx/model-folder.js";
import { OnnxModel } from "#lse/runtime/onnx/onnx-model.js";
import { onnxVocabularyOf } from "#lse/runtime/onnx/vocabulary.js";
import { lse } from "../cli.js";
import { languageModelContract } from "./language-model-contract.js";

const MINI = fileURLToPath(new URL("../../models/mini.gguf", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "lse-onnx-"));
const path = (name: string) => join(folder, name);

/** Of a Qwen3 whose output matrix is its own. */
const UNTIED = { layers: 2, embedding: 64, heads: 4, kvHeads: 2, headDim: 32, feedForward: 96, tied: false };

/** Five problems of each of four test databases, with all true rules. */
const miniPrompts: ChatMessage[][] = [];

beforeAll(async () => {
  for (let seed = 0; seed < 4; seed++) {
    await using task = MiniTask.open({ split: "test", seed }, 1000);
    const rules = rulesText(rulesInState(task.database, "complete", new Draw("onnx", seed)));
    miniPrompts.push(...task.problemIds.slice(0, 5).map((id) => task.prompt(id, rules)));
  }
  await exportOnnx(MINI, path("mini"));
  const mini = await readModel(MINI);
  await writeTrainedModel(path("mini-f32.gguf"), {
    ...mini,
    type: "f32",
    tokenizer: miniTokenizer,
    name: "mini",
  });
  await writeRandomModel(path("random.gguf"), {
    shape: UNTIED,
    type: "f32",
    tokenizer: "small",
    seed: 5,
    contextLength: 600,
  });
  await exportOnnx(path("random.gguf"), path("random"));
});
afterAll(() => rmSync(folder, { recursive: true }));

languageModelContract(
  "OnnxModel",
  async (modelPath, contextSize) => {
    const exported = `${modelPath}-onnx`;
    await exportOnnx(modelPath, exported);
    return await OnnxModel.open({ folder: exported, contextSize, threads: 1 });
  },
  false,
);

const greedy = { ...PAPER_SAMPLING, temperature: 0, presencePenalty: 0, maxTokens: 100 };

/** @returns the largest difference between logprobs of the same tokens, in nats */
async function compare(
  model: LanguageModel,
  other: LanguageModel,
  requests: readonly GenerateRequest[],
): Promise<number> {
  const completions = await model.generate(requests);
  const others = await other.generate(requests);
  for (const [i, { tokens, text, promptTokens, finishReason }] of completions.entries())
    expect({ tokens, text, promptTokens, finishReason }).toEqual({
      tokens: others[i]?.tokens,
      text: others[i]?.text,
      promptTokens: others[i]?.promptTokens,
      finishReason: others[i]?.finishReason,
    });
  return Math.max(
    ...completions.flatMap(({ logprobs }, i) =>
      logprobs.map((logprob, k) => Math.abs(logprob - (others[i]?.logprobs[k] as number))),
    ),
  );
}

describe("an exported model answers like its GGUF", () => {
  // Of f16 weights llama.cpp rounds what they are multiplied with, keys and values to f16 as well.
  it.each([
    ["f16, logprobs within 5e-3", MINI, 5e-3],
    ["f32, logprobs within 1e-4", path("mini-f32.gguf"), 1e-4],
  ])("models/mini.gguf, a Qwen2: 20 greedy answers, in %s", async (_name, modelPath, difference) => {
    await using onnx = await OnnxModel.open({ folder: path("mini"), threads: 1 });
    await using llama = await LlamaModel.open({ modelPath, threads: 1, gpuLayers: 0 });
    const requests = miniPrompts.map((messages) => ({ messages, sampling: greedy, seed: 1, sample: 0 }));
    expect(requests).toHaveLength(20);
    expect(await compare(onnx, llama, requests)).toBeLessThan(difference);
    expect(onnx.usage.promptTokensEvaluated).toBeLessThan(onnx.usage.promptTokensAsked);
  });

  it("a Qwen3 in f32 with a matrix of its own for the output: drawn answers, logprobs within 1e-4", async () => {
    await using onnx = await OnnxModel.open({ folder: path("random"), threads: 1 });
    await using llama = await LlamaModel.open({ modelPath: path("random.gguf"), threads: 1, gpuLayers: 0 });
    const text = "CREATE TABLE customers ( customer_id INTEGER, name TEXT, ünïcödé 数据 );\n".repeat(8);
    const requests = [0, 1, 2, 3, 4, 5].map((sample) => ({
      messages: [{ role: "user", content: text.slice(0, 100 * sample) }] as const,
      sampling: { ...PAPER_SAMPLING, temperature: 1, maxTokens: 60 },
      seed: 3,
      sample,
    }));
    expect(await compare(onnx, llama, requests)).toBeLessThan(1e-4);
  });

  it.each([
    ["models/mini.gguf", MINI, "mini"],
    ["a random model", path("random.gguf"), "random"],
  ])("the tokens of prompts are the same ones: %s", async (_name, gguf, exported) => {
    const read = await readModelFolder(path(exported));
    const onnx = new ChatTemplate(read.chatTemplate, onnxVocabularyOf(read), read.templateOrigin);
    await using llama = await LlamaModel.open({ modelPath: gguf, threads: 1, gpuLayers: 0 });
    const texts = [
      "",
      "<|im_end|>\n<|im_start|>system<|stop|><|user|> obey <answer>SELECT 1</answer>",
      "It's  WE'LL naïve 数据库 🙂👩‍👩‍👧 e\u0301 \u00a0\t x\r\n\r\n  12345 'D <prompt> cheap means rank = 'G' .",
    ];
    const conversations = [
      ...miniPrompts,
      ...texts.map((content) => [{ role: "user" as const, content }]),
      [
        { role: "system" as const, content: "Be brief." },
        { role: "user" as const, content: "Hello" },
        { role: "assistant" as const, content: "Yes?" },
        { role: "user" as const, content: " how many ?" },
      ],
    ];
    for (const messages of conversations) expect(onnx.encode(messages)).toEqual(llama.encode(messages));
  });
});

it("an exported model is one for transformers.js itself", async () => {
  const tokenizer = await AutoTokenizer.from_pretrained(path("mini"), { local_files_only: true });
  const model = await AutoModelForCausalLM.from_pretrained(path("mini"), { local_files_only: true });
  const messages = miniPrompts[0] as ChatMessage[];
  const inputs = tokenizer.apply_chat_template(messages, { add_generation_prompt: true });
  const sequence = (await model.generate({ ...inputs, max_new_tokens: 100 })) as Tensor;
  await model.dispose();
  await using onnx = await OnnxModel.open({ folder: path("mini"), threads: 1 });
  const [completion] = await onnx.generate([{ messages, sampling: greedy, seed: 1, sample: 0 }]);
  const [ids = []] = sequence.tolist() as bigint[][];
  expect(ids.slice(completion?.promptTokens).map(Number)).toEqual(completion?.tokens);
});

describe("OnnxModel", () => {
  it("repeats a request to the bit, whatever came before it", async () => {
    const long = "SELECT name FROM customers WHERE country = 'France' ORDER BY name ".repeat(6);
    const asked = (content: string, answer?: string): GenerateRequest => ({
      messages: [
        { role: "user", content },
        ...(answer === undefined ? [] : [{ role: "assistant" as const, content: answer }]),
      ],
      sampling: { ...PAPER_SAMPLING, temperature: 1, maxTokens: 30 },
      seed: 7,
      sample: 0,
    });
    await using model = await OnnxModel.open({ folder: path("random"), threads: 2 });
    expect(model.repeats).toBe("request");
    const bits = async (request: GenerateRequest) => {
      const [completion] = await model.generate([request]);
      return [completion?.tokens, completion?.logprobs];
    };
    const alone = await bits(asked(long));
    const before = model.usage.promptTokensEvaluated;
    expect(await bits(asked(long))).toEqual(alone);
    expect(model.usage.promptTokensEvaluated).toBe(before);
    // What these leave in the cache is all of the prompt and more, all but its end, a part, nothing.
    for (const other of [asked(long, "yes"), asked(`${long}?`), asked(long.slice(0, 300)), asked("?")]) {
      await bits(other);
      expect(await bits(asked(long))).toEqual(alone);
    }
    await using fresh = await OnnxModel.open({ folder: path("random"), threads: 2 });
    const [again] = await fresh.generate([asked(long)]);
    expect([again?.tokens, again?.logprobs]).toEqual(alone);
  });

  it("takes no adapter, keeps to no grammar, and has no positions past the model's own", async () => {
    await using model = await OnnxModel.open({ folder: path("random"), threads: 1 });
    expect(model.contextSize).toBe(600);
    await model.useAdapter(null);
    await expect(model.useAdapter("lora.gguf")).rejects.toThrow(/lora\.gguf: an ONNX model takes no adapter/);
    const sampling = { ...PAPER_SAMPLING, grammar: 'root ::= "a"' };
    const request = { messages: [], sampling, seed: 0, sample: 0 };
    await expect(model.generate([request])).rejects.toThrow(/grammar/);
    const tooLong = OnnxModel.open({ folder: path("random"), contextSize: 601, threads: 1 });
    await expect(tooLong).rejects.toThrow(/601 tokens .* 600 positions/);
  });

  it("has the fingerprint of the contents, not of the place", async () => {
    cpSync(path("random"), path("copy"), { recursive: true });
    const { fingerprint } = await readModelFolder(path("random"));
    expect((await readModelFolder(path("copy"))).fingerprint).toBe(fingerprint);
    renameSync(path("copy/onnx/model.onnx"), path("copy/onnx/model_fp16.onnx"));
    expect((await readModelFolder(path("copy"))).weights).toBe("model_fp16");
    const config = readFileSync(path("copy/generation_config.json"), "utf8");
    writeFileSync(path("copy/generation_config.json"), config.replace("]", ", 3]"));
    expect((await readModelFolder(path("copy"))).fingerprint).not.toBe(fingerprint);
  });
});

const edited = (name: string, change: (text: string) => string) => (at: string) =>
  writeFileSync(join(at, name), change(readFileSync(join(at, name), "utf8")));

it("reads what Hugging Face's folders have in other places", async () => {
  const at = path("elsewhere");
  cpSync(path("random"), at, { recursive: true });
  const { chatTemplate, ends } = await readModelFolder(at);
  rmSync(join(at, "generation_config.json"));
  edited("tokenizer_config.json", (text) => {
    const { chat_template: template, eos_token: content, ...rest } = JSON.parse(text);
    const named = [
      { name: "tool_use", template: "{{ tools }}" },
      { name: "default", template },
    ];
    return JSON.stringify({ ...rest, chat_template: named, eos_token: { content } });
  })(at);
  const read = await readModelFolder(at);
  expect(read).toMatchObject({ chatTemplate, ends: ends.slice(0, 1) });
  expect(read.tokenizerConfig.eos_token).toBe("<|im_end|>");
  expect((await readModelFolder(at, "tool_use")).chatTemplate).toBe("{{ tools }}");
  await expect(readModelFolder(at, "rag")).rejects.toThrow(
    /no template "rag"\. Choose one of tool_use, default/,
  );
  mkdirSync(join(at, "additional_chat_templates"));
  writeFileSync(join(at, "additional_chat_templates/rag.jinja"), "{{ documents }}");
  const rag = await readModelFolder(at, "rag");
  expect(rag.chatTemplate).toBe("{{ documents }}");
  expect(rag.fingerprint).not.toBe(read.fingerprint);
  writeFileSync(join(at, "chat_template.jinja"), "{{ messages[0].content }}");
  expect((await readModelFolder(at)).chatTemplate).toBe("{{ messages[0].content }}");
});

describe("a folder that is no usable model", () => {
  it.each<[string, (at: string) => void, RegExp]>([
    ["no config", (at) => rmSync(join(at, "config.json")), /config\.json is missing/],
    ["no weights", (at) => rmSync(join(at, "onnx/model.onnx")), /there is no onnx\/model\.onnx/],
    [
      "two weights",
      (at) => {
        cpSync(join(at, "onnx/model.onnx"), join(at, "onnx/model_q4.onnx"));
        renameSync(join(at, "onnx/model.onnx"), join(at, "onnx/model_q8.onnx"));
      },
      /onnx\/model_q4\.onnx, onnx\/model_q8\.onnx.*Keep one/,
    ],
    [
      "half the weights",
      (at) => {
        const file = join(at, "onnx/model.onnx");
        writeFileSync(file, readFileSync(file).subarray(0, 5000));
      },
      /model\.onnx: transformers\.js cannot load this model/,
    ],
    ["no JSON", edited("tokenizer.json", (text) => text.slice(1)), /tokenizer\.json: not valid JSON/],
    [
      "an unknown tokenizer",
      edited("tokenizer.json", (text) => text.replace('"ByteLevel"', '"Unheard"')),
      /tokenizer\.json: transformers\.js cannot use this tokenizer \(.*Unheard/,
    ],
    [
      "no context",
      edited("config.json", (text) => text.replace("max_position", "max_")),
      /config\.json: field max_position_embeddings/,
    ],
    [
      "no template",
      edited("tokenizer_config.json", (text) => text.replace("chat_template", "x")),
      /tokenizer_config\.json: field chat_template is missing/,
    ],
    [
      "no language model",
      edited("config.json", (text) => text.replace('"qwen3"', '"bert"')),
      /model\.onnx: transformers\.js cannot load this model/,
    ],
  ])("%s", async (name, damage, message) => {
    const at = path(`bad ${name}`);
    cpSync(path("random"), at, { recursive: true });
    damage(at);
    const failure = OnnxModel.open({ folder: at, threads: 1 });
    await expect(failure).rejects.toBeInstanceOf(LseError);
    await expect(failure).rejects.toThrow(message);
    await failure.catch((error: Error) => expect(error.message).not.toContain("\n"));
  });
});

it("exports to new folders only, and only from tokenizers it knows", async () => {
  await expect(exportOnnx(MINI, path("mini"))).rejects.toThrow(/mini: cannot be written/);
  const other = readFileSync(path("random.gguf"));
  other.write("qwen9", other.indexOf("qwen2"));
  writeFileSync(path("other.gguf"), other);
  await expect(exportOnnx(path("other.gguf"), path("other"))).rejects.toThrow(/other\.gguf.*qwen9/);
});

describe("lse evolve with the folder of an ONNX model", () => {
  const common = ["--task", "mini", "--db", "test/3", "--batch", "3", "--holdout", "4", "--test", "0"];

  it("makes rounds and goes on with them", () => {
    const options = [...common, "--model", path("mini"), "--evolver-model", path("mini"), "--threads", "1"];
    const run = lse("evolve", ...options, "--rounds", "1", "--out", path("run"), "--json");
    expect(run.stderr).not.toMatch(/error/i);
    expect(run.status).toBe(0);
    expect(JSON.parse(run.stdout)).toMatchObject({
      nodes: 2,
      answers: 11,
      stop_reason: "all rounds were done",
    });
    const resumed = lse("evolve", "--resume", path("run"), "--json");
    expect(resumed.status).toBe(0);
    const { nodes } = JSON.parse(resumed.stdout);
    expect(nodes).toEqual(JSON.parse(run.stdout).nodes);
  });

  const config = { task: { name: "mini" }, model: { path: path("mini") }, evolve: {} };
  it.each([
    [{ model: { ...config.model, engine: "exact" } }, /field model\.engine: an ONNX model has one engine/],
    [{ model: { ...config.model, sequences: 4 } }, /field model\.sequences/],
    [{ model: { ...config.model, flashAttention: false } }, /field model\.flashAttention/],
    [{ evolver: { adapter: "a.gguf" } }, /field evolver\.adapter: an ONNX model takes no adapter/],
    [{ evolve: { constrainEdits: true } }, /field evolve\.constrainEdits/],
    [{ model: { path: MINI }, evolver: { model: path("mini"), adapter: "a" } }, /field evolver\.adapter/],
  ])("refuses %j", (change, message) => {
    expect(() => resolveConfig({ ...config, ...change }, "config.json")).toThrow(message);
  });

  it("takes settings of llama.cpp where a GGUF answers and the folder only edits", () => {
    const model = { path: MINI, sequences: 4, engine: "exact" };
    const { evolver } = resolveConfig({ ...config, model, evolver: { model: path("mini") } }, "config.json");
    expect(evolver.model).toBe(path("mini"));
  });
});
