/** What the engine keeps of prompts and guesses of answers, with a real model: answers come out as without. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type Completion, type GenerateRequest, PAPER_SAMPLING, type Sampling } from "#lse/model.js";
import { type FastLlamaOptions, LlamaModel } from "#lse/runtime/llama/llama-model.js";
import { describeWithModel, realModel } from "./models.js";

const NAME = "qwen2.5-coder-0.5b";
const SCHEMA = `CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers (id), total REAL, created_at TEXT);`;
const QUESTIONS = ["Names of customers in Berlin.", "Total of all orders.", "Orders of each customer."];
/** <|im_end|> */
const TURN_END = 151_645;
const EXAMPLE = "SELECT customers.name FROM customers JOIN orders ON orders.customer_id = customers.id";

const request = (question: string, over: Partial<Sampling> = {}): GenerateRequest => ({
  messages: [
    { role: "system", content: `Answer with one SQLite query.\n${SCHEMA}` },
    { role: "user", content: "Names of customers with orders." },
    { role: "assistant", content: EXAMPLE },
    { role: "user", content: question },
  ],
  sampling: { ...PAPER_SAMPLING, temperature: 0, presencePenalty: 0, maxTokens: 48, ...over },
  seed: 3,
  sample: 0,
});

const open = (over: Partial<FastLlamaOptions> = {}) =>
  LlamaModel.open({
    ...{ modelPath: realModel(NAME), contextSize: 1024, threads: 2, gpuLayers: 0, sequences: 8 },
    ...{ flashAttention: true, repeatable: true },
    ...over,
  });

const bits = (completions: readonly Completion[]) =>
  completions.map(({ tokens, logprobs }) => ({ tokens, logprobs }));

describeWithModel("what is kept and guessed", NAME, () => {
  it("gives the same answers to the bit from memory, from disk, and evaluated anew", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lse-real-"));
    try {
      const calls = [
        QUESTIONS.map((question) => request(question)),
        [request("Cities.", { temperature: 1 })],
      ];
      const run = async (order: readonly number[], prefixFolder: string | null) => {
        await using model = await open({ prefixFolder, prefixSeconds: 0 });
        const answers: Record<number, unknown> = {};
        for (const i of order) answers[i] = bits(await model.generate(calls[i] as GenerateRequest[]));
        const system = model.encode(request("").messages).indexOf(TURN_END) + 1;
        return { answers, system, evaluated: model.usage.promptTokensEvaluated };
      };
      const alone = await run([0, 1], null);
      const first = await run([1, 0, 1], folder);
      const later = await run([1, 0], folder);
      expect(first.answers).toEqual(alone.answers);
      expect(later.answers).toEqual(alone.answers);
      // The system's turn comes from the disk.
      expect(alone.system).toBeGreaterThan(40);
      expect(alone.evaluated - later.evaluated).toBe(alone.system);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("draws each guessed token from the logits that the model has there without guesses", async () => {
    await using drafting = await open();
    await using plain = await open({ drafts: false });
    const apart: number[] = [];
    for (const temperature of [0, 1])
      for (const question of QUESTIONS) {
        const { messages, ...rest } = request(question, { temperature });
        const [completion] = (await drafting.generate([{ messages, ...rest }])) as [Completion];
        const logprobs = await plain.logprobs(messages, completion.tokens);
        apart.push(...completion.logprobs.map((logprob, i) => Math.abs(logprob - (logprobs[i] as number))));
      }
    const { proposed, accepted } = drafting.drafts;
    const mean = apart.reduce((sum, own) => sum + own, 0) / apart.length;
    console.log(
      `${accepted} of ${proposed} guesses came; logprobs of ${apart.length} tokens apart by ${mean.toFixed(3)} nats, at most ${Math.max(...apart).toFixed(3)}`,
    );
    expect(accepted).toBeGreaterThan(20);
    expect(mean).toBeLessThan(0.05);
    expect(Math.max(...apart)).toBeLessThan(0.5);
  });
});
