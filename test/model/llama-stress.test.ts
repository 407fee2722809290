import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { NAMED_SHAPES, writeRandomLora, writeRandomModel } from "#lse/gguf/random-model.js";
import { uniformStream } from "#lse/lib/random.js";
import { type Completion, type GenerateRequest, PAPER_SAMPLING } from "#lse/model.js";
import { LlamaModel } from "#lse/runtime/llama/llama-model.js";

/** Requests in all; LSE_STRESS=10000 for a long run. */
const REQUESTS = Number(process.env.LSE_STRESS ?? 1000);
/** One completion in so many is generated again, alone. */
const CHECKED = 20;

const folder = mkdtempSync(join(tmpdir(), "lse-stress-"));
const modelPath = join(folder, "model.gguf");
const shape = { ...NAMED_SHAPES["1m"], layers: 2 };
const adapters = [null, join(folder, "a.gguf"), join(folder, "b.gguf")] as const;

beforeAll(async () => {
  await writeRandomModel(modelPath, { shape, type: "f32", tokenizer: "small", seed: 3, contextLength: 1024 });
  for (const [seed, path] of adapters.entries()) {
    if (path !== null) await writeRandomLora(path, { shape, rank: 4, alpha: 8, scale: 1, seed });
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

it(`${REQUESTS} mixed requests: no text of another sequence, no memory kept`, {
  timeout: 3_600_000,
}, async () => {
  const uniform = uniformStream(11);
  const random = (below: number) => Math.floor(uniform() * below);
  const text = (length: number) => Array.from({ length }, () => "abcde fgh"[random(9)]).join("");
  const schemas = Array.from({ length: 5 }, () => text(60 + random(120)));
  const request = (): GenerateRequest => ({
    messages: [
      { role: "system", content: schemas[random(5)] as string },
      { role: "user", content: text(1 + random(80)) },
    ],
    sampling: {
      ...PAPER_SAMPLING,
      temperature: random(2),
      topK: random(2) * 10,
      maxTokens: 1 + random(random(10) === 0 ? 200 : 20),
      ...(random(6) === 0 ? { grammar: "root ::= [a-z ]*" } : {}),
    },
    seed: random(1000),
    sample: random(8),
  });

  const options = { modelPath, contextSize: 512, threads: 1, gpuLayers: 0 };
  // Few cells, so that prompts are evicted and requests put back all the time.
  await using model = await LlamaModel.open({ ...options, kvCells: 1024, sequences: 12, batchSize: 128 });
  const kept: { adapter: number; asked: GenerateRequest; completion: Completion }[] = [];
  const memory: number[] = [];
  let aborted = 0;
  for (let done = 0; done < REQUESTS; ) {
    const adapter = random(3);
    await model.useAdapter(adapters[adapter] as string | null);
    const requests = Array.from({ length: 1 + random(40) }, request);
    const abort = new AbortController();
    const abortAfter = random(4) === 0 ? random(requests.length) : requests.length;
    let ready = 0;
    const onCompletion = (index: number, completion: Completion) => {
      const asked = requests[index] as GenerateRequest;
      if (random(CHECKED) === 0) kept.push({ adapter, asked, completion });
      if (++ready > abortAfter) abort.abort();
    };
    try {
      await model.generate(requests, onCompletion, abort.signal);
    } catch (error) {
      expect((error as Error).name).toBe("AbortError");
      aborted++;
    }
    done += ready;
    memory.push(process.memoryUsage.rss());
  }
  expect(aborted).toBeGreaterThan(0);

  await using alone = await LlamaModel.open({ ...options, kvCells: 512, sequences: 1 });
  kept.sort((a, b) => a.adapter - b.adapter);
  for (const { adapter, asked, completion } of kept) {
    await alone.useAdapter(adapters[adapter] as string | null);
    const [again] = await alone.generate([asked]);
    expect(again?.tokens).toEqual(completion.tokens);
    expect(again?.text).toBe(completion.text);
  }
  const highest = (from: number, to: number) => Math.max(...memory.slice(from, to));
  const half = memory.length >> 1;
  // The heap of JavaScript breathes by some MiB; a leak of one sequence's cells or rows per call is far more.
  expect(highest(half, memory.length) - highest(half >> 1, half)).toBeLessThan(24 << 20);
});
