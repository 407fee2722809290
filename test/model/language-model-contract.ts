import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LseError } from "#lse/errors.js";
import { NAMED_SHAPES, writeRandomLora, writeRandomModel } from "#lse/gguf/random-model.js";
import {
  type Completion,
  type GenerateRequest,
  type LanguageModel,
  PAPER_SAMPLING,
  type Sampling,
} from "#lse/model.js";

const CONTEXT = 1024;

/** Long enough that prefixes are worth sharing. */
const SCHEMA =
  "CREATE TABLE customers ( customer_id INTEGER PRIMARY KEY, name TEXT, country TEXT );\n".repeat(12);

function request(question: string, over: Partial<Sampling> = {}, sample = 0, seed = 11): GenerateRequest {
  return {
    messages: [
      { role: "system", content: SCHEMA },
      { role: "user", content: question },
    ],
    sampling: { ...PAPER_SAMPLING, maxTokens: 24, ...over },
    seed,
    sample,
  };
}

/**
 * What every engine that runs a model in this process must do. Each engine's test file calls this.
 * @param open opens a GGUF, or what is made of it, with a context of `contextSize` tokens on one CPU thread
 * @param adapters whether it can put LoRA adapters on the weights
 */
export function languageModelContract(
  name: string,
  open: (modelPath: string, contextSize: number) => Promise<LanguageModel>,
  adapters = true,
): void {
  describe(`${name} is a LanguageModel`, () => {
    const folder = mkdtempSync(join(tmpdir(), "lse-contract-"));
    const modelPath = join(folder, "model.gguf");
    const loraPath = join(folder, "lora.gguf");
    const shape = NAMED_SHAPES["1m"];
    let model: LanguageModel;

    beforeAll(async () => {
      await writeRandomModel(modelPath, {
        shape,
        type: "f32",
        tokenizer: "small",
        seed: 3,
        contextLength: CONTEXT,
      });
      await writeRandomLora(loraPath, { shape, rank: 4, alpha: 8, scale: 1, seed: 4 });
      model = await open(modelPath, CONTEXT);
    });

    afterAll(async () => {
      await model?.[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    });

    /** Tokens to the letter; logprobs as far as the arithmetic of different batches agrees. */
    const expectSame = (a: Omit<Completion, "seconds">, b: Omit<Completion, "seconds">) => {
      expect(a.tokens).toEqual(b.tokens);
      expect(a.text).toBe(b.text);
      expect(a.finishReason).toBe(b.finishReason);
      for (const [i, logprob] of a.logprobs.entries()) {
        expect(Math.abs(logprob - (b.logprobs[i] as number))).toBeLessThan(1e-4);
      }
    };

    const generateOne = async (asked: GenerateRequest) => {
      const [completion] = await model.generate([asked]);
      if (completion === undefined) throw new Error("no completion");
      const { seconds, ...result } = completion;
      expect(seconds).toBeGreaterThan(0);
      return result;
    };

    it("returns one completion a request, in order, and hands each over when it is ready", async () => {
      const requests = ["how many?", "which name?", "list all"].map((question) => request(question));
      const seen = new Map<number, string>();
      const completions = await model.generate(requests, (index, { text }) => seen.set(index, text));
      expect(completions.map(({ text }) => text)).toEqual([0, 1, 2].map((index) => seen.get(index)));
      for (const [i, { tokens, logprobs, promptTokens }] of completions.entries()) {
        expect(tokens.length).toBeGreaterThan(0);
        expect(logprobs).toHaveLength(tokens.length);
        for (const logprob of logprobs) expect(logprob).toBeLessThanOrEqual(0);
        expect(promptTokens).toBe(model.countTokens(requests[i]?.messages ?? []));
      }
    });

    it("a completion depends on its request only, not on company or history", async () => {
      const asked = request("how many customers are there in France?");
      const alone = await generateOne(asked);
      await model.generate([request("something else entirely"), request("how many")]);
      expectSame(await generateOne(asked), alone);
      const [, inCompany] = await model.generate([request("x"), asked, request("how many customers", {}, 2)]);
      expectSame(inCompany as Completion, alone);
    });

    it("seed and sample each change a sampled completion", async () => {
      const hot = { temperature: 1, topK: 0, topP: 1 };
      const texts = await model.generate([
        request("q", hot, 0, 1),
        request("q", hot, 1, 1),
        request("q", hot, 0, 2),
      ]);
      expect(new Set(texts.map(({ text }) => text)).size).toBe(3);
    });

    it("at temperature 0 seed and sample change nothing", async () => {
      const greedy = { temperature: 0 };
      expect(await generateOne(request("q", greedy, 0, 1))).toEqual(
        await generateOne(request("q", greedy, 5, 9)),
      );
    });

    it("the logprobs of a completion are those of teacher forcing", async () => {
      const asked = request("which country?", { temperature: 1, topK: 0, topP: 1 });
      const { tokens, logprobs } = await generateOne(asked);
      const scored = await model.logprobs(asked.messages, tokens);
      expect(scored).toHaveLength(tokens.length);
      for (const [i, logprob] of logprobs.entries()) {
        expect(Math.abs(logprob - (scored[i] as number))).toBeLessThan(1e-4);
      }
    });

    it("logprobs are the model's own, whatever the sampling does to them", async () => {
      const { logprobs } = await generateOne(request("q", { temperature: 0.1, topK: 1 }));
      // Near-uniform over 512 tokens: one that is certain to be drawn still has a small probability.
      for (const logprob of logprobs) expect(logprob).toBeLessThan(-2);
    });

    it("stops at maxTokens, at the end token, and before a stop string", async () => {
      const hot = { temperature: 1, topK: 0, topP: 1 };
      const cut = await generateOne(request("q", { ...hot, maxTokens: 5 }));
      expect(cut.finishReason).toBe("length");
      expect(cut.tokens).toHaveLength(5);

      const long = await model.generate(
        [0, 1, 2, 3, 4, 5].map((i) => request("q", { ...hot, maxTokens: 500 }, i)),
      );
      const ended = long.find(({ finishReason }) => finishReason === "stop");
      expect(ended?.text).not.toContain("<|im_end|>");
      expect(ended?.tokens.length).toBeLessThan(500);

      const at = long.indexOf(ended as Completion);
      const endless = await generateOne(request("q", { ...hot, maxTokens: 500, ignoreEos: true }, at));
      expect(endless.finishReason).toBe("length");
      expect(endless.tokens.slice(0, ended?.tokens.length)).toEqual(ended?.tokens);
      expect(endless.tokens.length).toBeGreaterThan(ended?.tokens.length as number);

      const whole = await generateOne(request("q", { ...hot, maxTokens: 60 }, 1));
      const stop = whole.text.slice(10, 13);
      const stopped = await generateOne(request("q", { ...hot, maxTokens: 60, stop: [stop] }, 1));
      expect(stopped.finishReason).toBe("stop");
      expect(stopped.text).toBe(whole.text.slice(0, whole.text.indexOf(stop)));
    });

    it("a strong presence penalty keeps greedy tokens from coming twice", async () => {
      const { tokens } = await generateOne(
        request("q", { temperature: 0, presencePenalty: 2, maxTokens: 100 }),
      );
      expect(new Set(tokens).size).toBe(tokens.length);
      const free = await generateOne(request("q", { temperature: 0, presencePenalty: 0, maxTokens: 100 }));
      expect(new Set(free.tokens).size).toBeLessThan(free.tokens.length);
    });

    it("fills the context and no more; a prompt that does not fit is an error", async () => {
      const hot = { temperature: 1, topK: 0, topP: 1, maxTokens: 5000 };
      const completions = await model.generate([0, 1, 2, 3, 4, 5].map((i) => request("q", hot, i)));
      for (const { promptTokens, tokens, finishReason } of completions) {
        expect(promptTokens + tokens.length).toBeLessThanOrEqual(model.contextSize);
        if (finishReason === "length") expect(promptTokens + tokens.length).toBe(model.contextSize);
      }
      const failure = model.generate([request("word ".repeat(CONTEXT))]);
      await expect(failure).rejects.toBeInstanceOf(LseError);
      await expect(failure).rejects.toThrow(/context/);
    });

    it("evaluates a shared prefix once and counts honestly", async () => {
      const before = { ...model.usage };
      const completions = await model.generate([0, 1, 2, 3].map((i) => request(`question number ${i}`)));
      const asked = completions.reduce((sum, { promptTokens }) => sum + promptTokens, 0);
      expect(model.usage.promptTokensAsked - before.promptTokensAsked).toBe(asked);
      expect(model.usage.promptTokensEvaluated - before.promptTokensEvaluated).toBeLessThan(asked / 2);
      const generated = completions.reduce((sum, { tokens }) => sum + tokens.length, 0);
      expect(model.usage.tokensGenerated - before.tokensGenerated).toBe(generated);
      expect(model.usage.completions - before.completions).toBe(4);
    });

    it.runIf(adapters)(
      "an adapter changes answers and fingerprint, and leaves no trace when taken off",
      async () => {
        const asked = request("which name?", { temperature: 0 });
        const { fingerprint } = model;
        const without = await generateOne(asked);
        await model.useAdapter(loraPath);
        const adapted = await generateOne(asked);
        expect(model.fingerprint).not.toBe(fingerprint);
        expect(adapted.logprobs[0]).not.toBeCloseTo(without.logprobs[0] as number, 3);
        await model.useAdapter(null);
        expect(model.fingerprint).toBe(fingerprint);
        expectSame(await generateOne(asked), without);
        await expect(model.useAdapter(join(folder, "missing.gguf"))).rejects.toThrow(/missing\.gguf/);
        await expect(model.useAdapter(modelPath)).rejects.toBeInstanceOf(LseError);
        expectSame(await generateOne(asked), without);
      },
    );

    it("stops when aborted and works on afterwards", async () => {
      const abort = new AbortController();
      const ready: number[] = [];
      const running = model.generate(
        Array.from({ length: 50 }, (_, i) => request(`question ${i}`)),
        (index) => {
          ready.push(index);
          abort.abort();
        },
        abort.signal,
      );
      await expect(running).rejects.toThrow("aborted");
      expect(ready.length).toBeLessThan(50);
      expect((await generateOne(request("q"))).tokens.length).toBeGreaterThan(0);
    });

    it("a message cannot forge the end of its turn", () => {
      const plain = model.countTokens([{ role: "user", content: "<|im_end|>" }]);
      const empty = model.countTokens([{ role: "user", content: "" }]);
      expect(plain - empty).toBeGreaterThan(1);
    });
  });
}
