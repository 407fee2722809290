import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { LseError } from "#lse/errors.js";
import { NAMED_SHAPES, writeRandomLora, writeRandomModel } from "#lse/gguf/random-model.js";
import { smallTokenizer } from "#lse/gguf/tokenizer.js";
import { type GgufMetadata, string } from "#lse/gguf/writer.js";
import { MemoryJournal } from "#lse/journal/journal.js";
import { uniformStream } from "#lse/lib/random.js";
import { Draw } from "#lse/mini/draw.js";
import { rulesText } from "#lse/mini/rules.js";
import { rulesInState } from "#lse/mini/states.js";
import { MiniTask } from "#lse/mini/task.js";
import { type Completion, type GenerateRequest, PAPER_SAMPLING, type Sampling } from "#lse/model.js";
import { AdaptedModel } from "#lse/runtime/adapted-model.js";
import { CachedModel, completionKey } from "#lse/runtime/cached-model.js";
import { type FastLlamaOptions, LlamaModel } from "#lse/runtime/llama/llama-model.js";
import { EXPECTED, installed, nativeLlama } from "#lse/runtime/llama/native.js";
import { openLlama } from "#lse/runtime/llama/open.js";
import { NodeLlamaCppModel } from "#lse/runtime/llama/public-engine.js";
import type { TemplateSettings } from "#lse/runtime/template-choice.js";
import { languageModelContract } from "./language-model-contract.js";

languageModelContract("LlamaModel", (modelPath, contextSize) =>
  LlamaModel.open({ modelPath, contextSize, threads: 1, gpuLayers: 0 }),
);

const folder = mkdtempSync(join(tmpdir(), "lse-llama-"));
const modelPath = join(folder, "model.gguf");
const loraPath = join(folder, "lora.gguf");
const shape = NAMED_SHAPES["1m"];

beforeAll(async () => {
  await writeRandomModel(modelPath, { shape, type: "f32", tokenizer: "small", seed: 3, contextLength: 2048 });
  await writeRandomLora(loraPath, { shape, rank: 4, alpha: 8, scale: 1, seed: 4 });
});
afterAll(() => rmSync(folder, { recursive: true }));

const open = (options: Partial<FastLlamaOptions> = {}) =>
  LlamaModel.open({ modelPath, contextSize: 1024, threads: 1, gpuLayers: 0, ...options });

const WORDS = "SELECT name country customers orders total date id join where group by having".split(" ");
const uniform = uniformStream(7);
const random = (below: number) => Math.floor(uniform() * below);
const words = (count: number) => Array.from({ length: count }, () => WORDS[random(WORDS.length)]).join(" ");
const SCHEMAS = [words(60), words(90), words(40)] as const;

const HOT = { temperature: 1, topK: 0, topP: 1 };

function ask(system: string, user: string, over: Partial<Sampling> = {}, sample = 0): GenerateRequest {
  return {
    messages: [
      { role: "system", content: system },
      { role: "user", content: user },
    ],
    sampling: { ...PAPER_SAMPLING, temperature: 0, maxTokens: 12, ...over },
    seed: 5,
    sample,
  };
}

/** Tokens to the letter, logprobs to the last bits. */
function expectSame(found: readonly Completion[], wanted: readonly Completion[]): void {
  expect(found.map(({ tokens }) => tokens)).toEqual(wanted.map(({ tokens }) => tokens));
  expect(found.map(({ text }) => text)).toEqual(wanted.map(({ text }) => text));
  expect(found.map(({ finishReason }) => finishReason)).toEqual(
    wanted.map(({ finishReason }) => finishReason),
  );
  const difference = found.flatMap(({ logprobs }, i) =>
    logprobs.map((logprob, k) => Math.abs(logprob - (wanted[i]?.logprobs[k] as number))),
  );
  expect(Math.max(...difference)).toBeLessThan(1e-4);
}

/** The completions of the simple engine, each by itself. */
async function reference(requests: readonly GenerateRequest[], adapter: string | null = null) {
  await using model = await NodeLlamaCppModel.open({
    modelPath,
    contextSize: 1025,
    threads: 1,
    gpuLayers: 0,
  });
  await model.useAdapter(adapter);
  return await model.generate(requests);
}

describe("LlamaModel agrees with NodeLlamaCppModel", () => {
  it("on 200 greedy completions, to the token, and in their logprobs", async () => {
    const requests = Array.from({ length: 200 }, (_, i) =>
      ask(SCHEMAS[Math.floor(i / 67)] as string, words(1 + random(30)), { maxTokens: 1 + random(24) }),
    );
    await using model = await open();
    expectSame(await model.generate(requests), await reference(requests));
  });

  it("on sampled completions of every kind", async () => {
    const kinds: Partial<Sampling>[] = [
      { temperature: 0.7 },
      HOT,
      { ...HOT, topK: 5 },
      { ...HOT, topP: 0.5, presencePenalty: 2 },
      { ...HOT, minP: 0.6, stop: ["e", "zz"], maxTokens: 40 },
    ];
    const requests = kinds.flatMap((kind) =>
      Array.from({ length: 8 }, (_, i) => ask(SCHEMAS[0], words(3), { presencePenalty: 0.5, ...kind }, i)),
    );
    await using model = await open();
    expectSame(await model.generate(requests), await reference(requests));
  });
});

/** Distinct prompt prefixes: the tokens on the edges of their trie. */
function trieTokens(prompts: readonly (readonly number[])[]): number {
  const prefixes = new Set<string>();
  for (const prompt of prompts) {
    let prefix = "";
    for (const token of prompt) {
      prefix += `${token},`;
      prefixes.add(prefix);
    }
  }
  return prefixes.size;
}

describe("the prefix trie of LlamaModel", () => {
  it("evaluates each edge once, and none again when only the instructions change", async () => {
    const vocabulary = await (await getLlama({ build: "never", skipDownload: true, gpu: false })).loadModel({
      modelPath,
      vocabOnly: true,
    });
    const [opening, end] = ["<|im_start|>", "<|im_end|>"].map((tag) => vocabulary.tokenize(tag, true));
    const tokenize = ({ messages }: GenerateRequest): number[] => [
      ...messages.flatMap(({ role, content }) => [
        ...(opening ?? []),
        ...vocabulary.tokenize(`${role}\n${content}`),
        ...(end ?? []),
        ...vocabulary.tokenize("\n"),
      ]),
      ...(opening ?? []),
      ...vocabulary.tokenize("assistant\n"),
    ];
    await using model = await open({ contextSize: 2048 });
    const schema = words(280);
    const questions = Array.from({ length: 64 }, (_, i) => `${words(8)} ${i}`);
    const round = (instructions: string) =>
      questions.map((question) => ask(`${schema}\n\n${instructions}`, question, { maxTokens: 8 }));
    const evaluatedBy = async (requests: readonly GenerateRequest[]) => {
      const before = model.usage.promptTokensEvaluated;
      const completions = await model.generate(requests);
      expect(completions.map(({ promptTokens }) => promptTokens)).toEqual(
        requests.map((request) => tokenize(request).length),
      );
      return model.usage.promptTokensEvaluated - before;
    };

    const first = round("Answer in SQL.");
    const second = round("Think first, then answer.");
    const firstPrompts = first.map(tokenize);
    expect(firstPrompts[0]?.length).toBeGreaterThan(600);
    expect(await evaluatedBy(first)).toBe(trieTokens(firstPrompts));
    const both = trieTokens([...firstPrompts, ...second.map(tokenize)]);
    expect(await evaluatedBy(second)).toBe(both - trieTokens(firstPrompts));

    // The very same prompts again: only the last token, whose logits are needed, once for all samples.
    const again = [0, 1, 2, 3].map((sample) => ask("s", "q", HOT, sample));
    await model.generate(again.slice(0, 1));
    expect(await evaluatedBy(again)).toBe(1);
    await vocabulary.dispose();
  });

  it("keeps nothing of its own of a question among others, so that later rounds are no slower", async () => {
    await using model = await open();
    const questions = Array.from({ length: 20 }, (_, i) => ask(SCHEMAS[0], `${i} ${words(40)}`, HOT));
    const evaluated = async () => {
      const before = model.usage.promptTokensEvaluated;
      await model.generate(questions);
      return model.usage.promptTokensEvaluated - before;
    };
    const first = await evaluated();
    const second = await evaluated();
    expect(second).toBeGreaterThan(20 * 40);
    expect(second).toBeLessThan(first);
  });

  it("gives the samples of one prompt one evaluation", async () => {
    await using model = await open();
    const requests = Array.from({ length: 40 }, (_, sample) => ask(SCHEMAS[0], "q", HOT, sample));
    const completions = await model.generate(requests);
    expect(model.usage.promptTokensEvaluated).toBe(completions[0]?.promptTokens);
    expect(model.usage.promptTokensAsked).toBe(40 * (completions[0]?.promptTokens as number));
    expectSame(completions, await reference(requests));
  });
});

describe("LlamaModel under pressure", () => {
  const mixed = (count: number, maxTokens: number) =>
    Array.from({ length: count }, (_, i) =>
      ask(
        SCHEMAS[random(3)] as string,
        words(1 + random(60)),
        { ...HOT, maxTokens: 1 + random(maxTokens) },
        i,
      ),
    );

  const requests = mixed(40, 60);
  let wanted: Completion[];
  beforeAll(async () => {
    wanted = await reference(requests);
  });

  it.each([
    ["more requests than sequences", { sequences: 3 }],
    ["a batch smaller than a prompt", { batchSize: 32, sequences: 40 }],
    ["more tokens than cells", { contextSize: 700, kvCells: 768, sequences: 16 }],
    ["one sequence and no spare cell", { contextSize: 768, kvCells: 768, sequences: 1 }],
  ] as const)("%s: the same completions", async (_, options) => {
    await using model = await open(options);
    expectSame(await model.generate(requests), wanted);
    expectSame(await model.generate(requests.slice(0, 9)), wanted.slice(0, 9));
  });

  it("puts requests back when their completions outgrow the cells", async () => {
    const requests = Array.from({ length: 12 }, (_, i) =>
      ask("s", `question ${i}`, { ...HOT, maxTokens: 200 }, i),
    );
    await using model = await open({ contextSize: 512, kvCells: 512, sequences: 12 });
    expectSame(await model.generate(requests), await reference(requests));
  });

  it("keeps what an adapter computed apart from what the model did", async () => {
    const requests = Array.from({ length: 6 }, (_, i) => ask(SCHEMAS[i % 2] as string, words(3), HOT, i));
    await using model = await open();
    const plain = await reference(requests);
    const adapted = await reference(requests, loraPath);
    for (let round = 0; round < 2; round++) {
      await model.useAdapter(null);
      expectSame(await model.generate(requests), plain);
      await model.useAdapter(loraPath);
      expectSame(await model.generate(requests), adapted);
    }
    // What the prompts share is still there, under both.
    for (const path of [null, loraPath]) {
      await model.useAdapter(path);
      const [evaluated, asked] = [model.usage.promptTokensEvaluated, model.usage.promptTokensAsked];
      await model.generate(requests);
      const share = (model.usage.promptTokensEvaluated - evaluated) / (model.usage.promptTokensAsked - asked);
      expect(share).toBeLessThan(0.3);
    }
  });

  it("as policy without an adapter and as evolver with one, in turn", async () => {
    const requests = Array.from({ length: 4 }, (_, i) => ask(SCHEMAS[0] as string, words(3), HOT, i));
    await using model = await open();
    const evolver = await AdaptedModel.open(model, loraPath);
    expect(evolver.fingerprint).not.toBe(model.fingerprint);
    const adapted = await reference(requests, loraPath);
    expectSame(await evolver.generate(requests), adapted);
    expectSame(await model.generate(requests), await reference(requests));
    const [first] = adapted;
    const scored = await evolver.logprobs(requests[0]?.messages ?? [], first?.tokens ?? []);
    for (const [i, logprob] of scored.entries()) expect(logprob).toBeCloseTo(first?.logprobs[i] as number, 3);
    await expect(AdaptedModel.open(model, modelPath)).rejects.toBeInstanceOf(LseError);
  });

  it("is clean after an abort or a failing callback", async () => {
    const requests = mixed(30, 30);
    await using model = await open({ sequences: 8 });
    const wanted = await reference(requests);
    for (const after of [1, 7, 20]) {
      const abort = new AbortController();
      let ready = 0;
      const count = () => {
        if (++ready === after) abort.abort(new Error("enough"));
      };
      await expect(model.generate(requests, count, abort.signal)).rejects.toThrow("enough");
    }
    const fail = () => {
      throw new Error("disk full");
    };
    await expect(model.generate(requests, fail)).rejects.toThrow("disk full");
    await expect(model.generate(requests, undefined, AbortSignal.abort())).rejects.toThrow("aborted");
    expectSame(await model.generate(requests), wanted);
  });

  it("answers calls that overlap one after another, and ends them before it is disposed of", async () => {
    const requests = mixed(6, 12);
    const model = await open();
    const running = [model.generate(requests.slice(0, 3)), model.generate(requests.slice(3))];
    await model[Symbol.asyncDispose]();
    expectSame((await Promise.all(running)).flat(), await reference(requests));
  });

  it("leaves the event loop free", async () => {
    await using model = await open();
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    const started = performance.now();
    await model.generate(mixed(30, 60));
    clearInterval(timer);
    expect(ticks).toBeGreaterThan((performance.now() - started) / 100);
  });

  it("with flash attention gives nearly the same first logprobs", async () => {
    await using plain = await open();
    await using flash = await open({ flashAttention: true });
    const requests = mixed(10, 1);
    const [a, b] = [await plain.generate(requests), await flash.generate(requests)];
    const firsts = a.map(({ logprobs }, i) => Math.abs((logprobs[0] ?? 0) - (b[i]?.logprobs[0] ?? 0)));
    expect(Math.max(...firsts)).toBeGreaterThan(0);
    expect(firsts.filter((difference) => difference < 0.05).length).toBeGreaterThan(7);
  });

  it("generates nothing for maxTokens 0 and scores nothing for no tokens", async () => {
    await using model = await open();
    const [completion] = await model.generate([ask("s", "q", { maxTokens: 0 })]);
    expect(completion).toMatchObject({ text: "", tokens: [], finishReason: "length" });
    expect(await model.logprobs(ask("s", "q").messages, [])).toHaveLength(0);
  });
});

describe("LlamaModel with a grammar", () => {
  const LIST = 'root ::= "[" item (", " item)* "]"\nitem ::= [a-z]+ | [0-9]';
  const inGrammar = /^\[([a-z]+|[0-9])(, ([a-z]+|[0-9]))*\]$/;

  it.each([
    ["greedily", { temperature: 0 }],
    ["from all tokens", HOT],
    ["from few tokens", { temperature: 1, topK: 3, topP: 0.9, minP: 0.01, presencePenalty: 0.5 }],
  ])("writes nothing else: %s", async (_, over) => {
    await using model = await open();
    const requests = Array.from({ length: 12 }, (_, i) =>
      ask(
        SCHEMAS[0],
        `question ${i}`,
        { ...over, maxTokens: 300, grammar: i < 8 ? LIST : 'root ::= "yes"' },
        i,
      ),
    );
    const completions = await model.generate([...requests, ask(SCHEMAS[0], "free", HOT)]);
    const ended = completions.slice(0, 8).filter(({ finishReason }) => finishReason === "stop");
    if (over.temperature === 1) expect(ended.length).toBeGreaterThan(3);
    for (const { text } of ended) expect(text).toMatch(inGrammar);
    for (const { text } of completions.slice(0, 8)) expect(text).toMatch(/^\[[a-z0-9, ]*\]?$/);
    for (const { text } of completions.slice(8, 12)) expect(text).toBe("yes");
    expect(completions[12]?.text).not.toMatch(/^\[/);
  });

  it("says what is wrong with a text that is no grammar, and which engine has none", async () => {
    await using model = await open();
    const request = ask("s", "q", { grammar: 'answer ::= "x"' });
    const failure = model.generate([ask("s", "q"), request]);
    await expect(failure).rejects.toThrow(/cannot read the grammar that begins "answer ::= "x""/);
    await expect(failure).rejects.toBeInstanceOf(LseError);
    await expect(reference([request])).rejects.toThrow(/cannot keep to a grammar/);
  });
});

describe("drafts", () => {
  it("change nothing but the number of decodes, greedy and drawn", async () => {
    await using task = MiniTask.open({ split: "dev", seed: 1 }, 2000);
    const instructions = rulesText(rulesInState(task.database, "complete", new Draw("drafts")));
    const requests = [{ temperature: 0 }, HOT, PAPER_SAMPLING].flatMap((sampling) =>
      task.problemIds.slice(0, 6).map((problem) => ({
        messages: task.prompt(problem, instructions),
        sampling: { ...PAPER_SAMPLING, maxTokens: 60, ...sampling },
        seed: 5,
        sample: 0,
      })),
    );
    const run = async (drafts: boolean) => {
      await using model = await open({ modelPath: "models/mini.gguf", contextSize: 512, drafts });
      const completions: Completion[] = [];
      for (const request of requests) completions.push(...(await model.generate([request])));
      return { completions, drafts: model.drafts };
    };
    const [plain, drafted] = [await run(false), await run(true)];
    const texts = (of: typeof plain) => of.completions.map(({ text }) => text);
    expect(texts(drafted)).toEqual(texts(plain));
    expect(plain.drafts).toEqual({ proposed: 0, accepted: 0 });
    expect(drafted.drafts.accepted).toBeGreaterThan(10);
    expect(drafted.drafts.proposed).toBeGreaterThan(drafted.drafts.accepted);
  });
});

describe("a repeatable LlamaModel", () => {
  it("gives the rest of a call that was cut off to the bit, through a journal", async () => {
    const quantised = join(folder, "quantised.gguf");
    await writeRandomModel(quantised, {
      shape,
      type: "q8_0",
      tokenizer: "small",
      seed: 3,
      contextLength: 2048,
    });
    const requests = Array.from({ length: 20 }, (_, i) =>
      ask(SCHEMAS[0], words(1 + random(30)), { ...HOT, maxTokens: 1 + random(40) }, i),
    );
    const earlier = Array.from({ length: 5 }, () => ask(SCHEMAS[1], words(20), HOT));
    const logprobsOf = async (repeatable: boolean, kept: number, history: GenerateRequest[]) => {
      await using model = await open({ modelPath: quantised, sequences: 8, repeatable });
      if (history.length > 0) await model.generate(history);
      const journal = new MemoryJournal();
      const { fingerprint } = model;
      for (const [i, request] of requests.slice(0, kept).entries()) {
        const completion = { ...(whole[i] as Completion) };
        journal.record({
          type: "generation",
          key: completionKey(fingerprint, request),
          fingerprint,
          completion,
        });
      }
      const completions = await new CachedModel(model, journal).generate(requests);
      whole = completions;
      return completions.map(({ logprobs }) => logprobs);
    };
    let whole: Completion[] = [];
    const unbroken = await logprobsOf(true, 0, earlier);
    expect(await logprobsOf(true, 7, [])).toEqual(unbroken);
    // Without it the company of the tokens shows in the last bits: otherwise this test could not fail.
    expect(await logprobsOf(false, 7, [])).not.toEqual(unbroken);
  });

  it("evaluates what calls share once, in later processes too, and its answers are the same to the bit", async () => {
    const kept = { prefixFolder: join(folder, "cache"), prefixSeconds: 0 };
    const options = { repeatable: true, ...kept, sequences: 8 };
    const calls = Array.from({ length: 6 }, (_, i) =>
      Array.from({ length: i < 3 ? 5 : 1 }, (_, k) =>
        ask(SCHEMAS[i === 2 ? 1 : 0], words(20), { ...HOT, maxTokens: 20 }, k),
      ),
    );
    const run = async (order: readonly number[], over: Partial<FastLlamaOptions> = {}) => {
      await using model = await open({ ...options, ...over });
      const answers = new Map<number, unknown>();
      const evaluated = new Map<number, number>();
      for (const i of order) {
        const before = model.usage.promptTokensEvaluated;
        const completions = await model.generate(calls[i] as GenerateRequest[]);
        answers.set(
          i,
          completions.map(({ tokens, logprobs }) => ({ tokens, logprobs })),
        );
        evaluated.set(i, model.usage.promptTokensEvaluated - before);
      }
      return { answers, evaluated };
    };
    const alone = await run([0, 1, 2, 3, 4, 5], { prefixFolder: null });
    const first = await run([2, 4, 0, 5, 3, 1]);
    const later = await run([3, 1, 2, 0, 5, 4]);
    for (const { answers } of [first, later])
      for (const [i, own] of answers) expect(own).toEqual(alone.answers.get(i));

    await using model = await open(options);
    const treeTokens = (asked: readonly GenerateRequest[]) =>
      new Set(
        asked.flatMap(({ messages }) => {
          const prompt = model.encode(messages);
          return prompt.map((_, end) => prompt.slice(0, end + 1).join());
        }),
      ).size;
    const total = ({ evaluated }: typeof first) => [...evaluated.values()].reduce((sum, own) => sum + own);
    const once = treeTokens(calls.flat());
    expect(total(first) / once).toBeGreaterThanOrEqual(1);
    expect(total(first) / once).toBeLessThan(1.05);
    const schemas = treeTokens([SCHEMAS[0], SCHEMAS[1]].map((schema) => ask(schema, "")));
    expect(total(first) - total(later)).toBeGreaterThan(0.9 * schemas);
  });
});

describe("a LlamaModel that cannot be", () => {
  it("says so when memory is short", async () => {
    const failure = open({ contextSize: 2 ** 31 });
    await expect(failure).rejects.toBeInstanceOf(LseError);
    await expect(failure).rejects.toThrow(/not enough memory.*`model\.context`/i);
  });

  it("refuses a batch larger than the context", async () => {
    await expect(open({ contextSize: 512, batchSize: 513 })).rejects.toThrow(/from 1 to 512/);
  });

  it("refuses a number of sequences that llama.cpp cannot have", async () => {
    await expect(open({ sequences: 500 })).rejects.toThrow(/from 1 to 120/);
  });
});

describe("the guard", () => {
  const library = () =>
    getLlama({ build: "never", skipDownload: true, gpu: false, logLevel: LlamaLogLevel.error });

  it.each([
    ["version of node-llama-cpp", { nodeLlamaCpp: "9.9.9" }, /node-llama-cpp is 3/],
    ["version of llama.cpp", { llamaCpp: "0.6.0" }, /libllama is 0\.5\.0-dev/],
    ["size of a struct", { contextParamsBytes: 168 }, /llama_context_params is 160/],
    ["place of a field", { kvUnifiedOffset: 134 }, /kv_unified is 133/],
  ])("refuses another %s", async (_, other, message) => {
    const llama = await library();
    const source = await installed(llama);
    const expected = { ...EXPECTED, ...other } as typeof EXPECTED;
    await expect(nativeLlama(llama, source, expected)).rejects.toThrow(message);
  });

  it.each([
    ["missing", () => join(folder, "libllama.so"), /libllama\.so cannot be used/],
    ["corrupted", () => corrupted(), /corrupted\.so cannot be used/],
    [
      "another one",
      async () => (await installed(await library())).libraryPath.replace(/libllama\b/, "libggml"),
      /libggml/,
    ],
  ] as const)("a library that is %s: the public engine takes over and says so once", async (_, path, message) => {
    const notices: string[] = [];
    const nativeSource = { packageVersion: EXPECTED.nodeLlamaCpp, libraryPath: await path() };
    await using model = await openLlama(
      { modelPath, contextSize: 512, threads: 1, gpuLayers: 0, nativeSource, tuning: null },
      (notice) => notices.push(notice),
    );
    expect(model).toBeInstanceOf(NodeLlamaCppModel);
    expect(notices).toEqual([expect.stringMatching(message)]);
    expect(notices[0]).not.toContain("\n");
    expect(await model.generate([ask("s", "q")])).toHaveLength(1);
  });

  it("lets the fast engine through without a word", async () => {
    const options = { modelPath, contextSize: 512, threads: 1, gpuLayers: 0, tuning: null };
    await using model = await openLlama(options, (notice) => expect.fail(notice));
    expect(model).toBeInstanceOf(LlamaModel);
  });

  function corrupted(): string {
    const path = join(folder, "corrupted.so");
    writeFileSync(path, "\u007fELF and then something else");
    return path;
  }
});

describe("tuning", () => {
  const tuningFolder = join(folder, "tuning");
  /** Threads are left to measuring, unlike in all other tests. */
  const tuned = (given: Partial<FastLlamaOptions> = {}) =>
    LlamaModel.open({
      modelPath,
      contextSize: 1024,
      gpuLayers: 0,
      tuning: { prompts: [0, 1, 2, 3].map((i) => ask(SCHEMAS[0], `q ${i}`).messages), folder: tuningFolder },
      ...given,
    });
  const kept = () => readdirSync(join(tuningFolder, "tuning-1")).sort();

  it("measures once per model and machine, and keeps what it found", async () => {
    await using first = await tuned();
    const [file] = kept();
    expect(JSON.parse(readFileSync(join(tuningFolder, "tuning-1", file as string), "utf8"))).toEqual(
      first.settings,
    );
    const doctored = { ...first.settings, sequences: 5 };
    writeFileSync(join(tuningFolder, "tuning-1", file as string), JSON.stringify(doctored));
    await using second = await tuned();
    expect(second.settings).toEqual(doctored);
    const requests = [ask(SCHEMAS[0], "which?", HOT), ask(SCHEMAS[1], "how many?", HOT)];
    expectSame(await second.generate(requests), await reference(requests));
  });

  it("is what the library's `openLlama` does, with the settings that a run of the command line has found", async () => {
    vi.stubEnv("XDG_CACHE_HOME", folder);
    const given = { modelPath, contextSize: 1024, gpuLayers: 0 };
    try {
      await using run = await tuned({
        tuning: { prompts: [ask("s", "q").messages], folder: join(folder, "lse") },
      });
      await using model = await openLlama(given);
      expect((model as LlamaModel).settings).toEqual(run.settings);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it("leaves what is given as it is", async () => {
    await using model = await tuned({ threads: 1, sequences: 7, batchSize: 100 });
    expect(model.settings).toMatchObject({ threads: 1, sequences: 7, batchSize: 100 });
  });
});

describe("the chat template of a file", () => {
  const base = smallTokenizer();
  const tiny = { layers: 1, embedding: 32, heads: 1, kvHeads: 1, headDim: 32, feedForward: 32 };
  const write = async (name: string, templates: GgufMetadata) => {
    const { "tokenizer.chat_template": _, ...metadata } = base.metadata;
    const tokenizer = { metadata: { ...metadata, ...templates }, vocabulary: base.vocabulary };
    const options = { shape: tiny, type: "f32", tokenizer, seed: 1, contextLength: 256 } as const;
    await writeRandomModel(join(folder, name), options);
    return join(folder, name);
  };
  const openTiny = (path: string, template: TemplateSettings = {}) =>
    LlamaModel.open({
      modelPath: path,
      contextSize: 256,
      threads: 1,
      gpuLayers: 0,
      sequences: 1,
      template,
    });
  const messages = [{ role: "user" as const, content: " hi\n" }];

  it("is one of several, with arguments; each has its own fingerprint", async () => {
    const path = await write("named.gguf", {
      "tokenizer.chat_template": string("{{ messages[0].content | trim }}"),
      "tokenizer.chat_template.loud": string("{{ messages[0].content | trim }}{{ mark }}"),
    });
    await using own = await openTiny(path);
    await using loud = await openTiny(path, { name: "loud" });
    await using louder = await openTiny(path, { name: "loud", arguments: { mark: "!" } });
    expect(loud.encode(messages)).toEqual(own.encode(messages));
    expect(own.encode(messages)).toEqual(own.encode([{ role: "user", content: "hi" }]));
    expect(louder.encode(messages)).toEqual(own.encode([{ role: "user", content: "hi!" }]));
    expect(new Set([own, loud, louder].map(({ fingerprint }) => fingerprint)).size).toBe(3);
  });

  it("is a built-in one where a base model has none", async () => {
    const path = await write("base.gguf", {});
    await expect(openTiny(path)).rejects.toThrow(
      /base\.gguf: field tokenizer\.chat_template is missing.*`model\.template\.name` \(chatml, plain\)/,
    );
    await using model = await openTiny(path, { name: "chatml" });
    await using random = await LlamaModel.open({ modelPath, contextSize: 256, threads: 1, gpuLayers: 0 });
    expect(model.encode(messages)).toEqual(random.encode(messages));
  });
});
