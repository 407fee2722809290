import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LseError } from "#lse/errors.js";
import type { Completion, GenerateRequest } from "#lse/model.js";
import { PAPER_SAMPLING } from "#lse/model.js";
import { Purse } from "#lse/runtime/price.js";
import { openRemote, type RemoteSettings } from "#lse/runtime/remote/open.js";
import { type Asked, ChatServer, type Treatment } from "../chat-server.js";

const KEY = "sk-secret-0123456789";
beforeEach(() => {
  vi.stubEnv("OPENAI_API_KEY", KEY);
  vi.stubEnv("ANTHROPIC_API_KEY", KEY);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const request = (content: string, over: object = {}): GenerateRequest => ({
  messages: [
    { role: "system", content: "You answer." },
    { role: "user", content },
  ],
  sampling: { ...PAPER_SAMPLING, maxTokens: 50 },
  seed: 7,
  sample: 0,
  ...over,
});

/** Works with a model on a server that treats requests so. */
async function withModel<T>(
  treat: (asked: Asked, n: number) => Treatment,
  settings: Partial<RemoteSettings>,
  work: (model: ReturnType<typeof openRemote>, server: ChatServer) => Promise<T>,
  purse?: Purse,
): Promise<T> {
  await using server = await ChatServer.start(treat);
  const { name = "openai:small" } = settings;
  const baseUrl = name.startsWith("openai") ? `${server.url}/v1` : server.url;
  const defaults = { name, baseUrl, contextSize: 10_000, parallel: 4, attempts: 3, timeout: 5 };
  await using model = openRemote({ ...defaults, ...settings }, purse);
  return await work(model, server);
}

const soon = { "retry-after-ms": "5" };
const echo = ({ body }: Asked) => ({ text: `re: ${body.messages.at(-1).content}` });
const failureOf = async (work: Promise<unknown>) =>
  (await work.then(
    () => expect.unreachable("it has to fail"),
    (error) => error,
  )) as LseError;

describe.each(["openai:small", "anthropic:large"])("%s", (name) => {
  it("is asked with messages, sampling and key, and answers in order", async () => {
    await withModel(echo, { name }, async (model, server) => {
      const handed: number[] = [];
      const completions = await model.generate(
        ["a", "b", "c", "d", "e", "f"].map((each) => request(each)),
        (index) => handed.push(index),
      );
      expect(completions.map(({ text }) => text)).toEqual(
        ["a", "b", "c", "d", "e", "f"].map((x) => `re: ${x}`),
      );
      expect(handed.sort()).toEqual([0, 1, 2, 3, 4, 5]);
      expect(completions[0]).toMatchObject({
        finishReason: "stop",
        promptTokens: 100,
        generatedTokens: 10,
        tokens: [],
        logprobs: [],
      });
      expect(model.usage).toMatchObject({ completions: 6, promptTokensAsked: 600, tokensGenerated: 60 });
      const [{ headers, body }] = server.asked as [Asked];
      expect(body).toMatchObject({ model: name.split(":")[1], temperature: 0.7, top_p: 0.8, top_k: 20 });
      expect(headers.authorization ?? headers["x-api-key"]).toContain(KEY);
      const system = name.startsWith("openai") ? body.messages[0].content : body.system;
      expect(system).toBe("You answer.");
    });
  });

  it.each<[string, Treatment]>([
    ["is told to wait", { status: 429, headers: soon }],
    ["meets an error of the server", { status: 500, headers: soon }],
    ["is overloaded", { status: 529, headers: soon }],
    ["does not answer in time", "hang"],
    ["is cut off", "cut"],
    ["gets no JSON", "no json"],
    ["gets JSON that is no answer", "empty"],
  ])("tries again when it %s, and goes on", async (_name, treatment) => {
    const treat = (asked: Asked, n: number) => (n === 1 ? treatment : echo(asked));
    await withModel(treat, { name, timeout: 0.4 }, async (model, server) => {
      const [completion] = await model.generate([request("a")]);
      expect(completion?.text).toBe("re: a");
      expect(server.asked).toHaveLength(2);
      expect(model.usage.completions).toBe(1);
    });
  });

  it.each<[string, Treatment, RegExp]>([
    ["the key is wrong", { status: 401, message: `Bad key ${KEY}` }, /access was denied.*_API_KEY/s],
    ["the model is unknown", { status: 404 }, /not there.*base URL/s],
    ["the request is refused", { status: 400, message: "too rude" }, /refused.*too rude/s],
    ["it is always told to wait", { status: 429, headers: soon }, /too many requests.*parallel/s],
    ["the server never recovers", { status: 500, headers: soon }, /no answer came.*Resume/s],
    ["answers never come whole", "cut", /3 answers could not be read.*Resume/s],
  ])("ends with the reason when %s, and with all that was answered", async (_name, treatment, message) => {
    // The third problem fails; those before and beside it are answered, and what follows is not asked.
    const treat = (asked: Asked) => (asked.body.messages.at(-1).content === "p2" ? treatment : echo(asked));
    await withModel(treat, { name, attempts: 3, parallel: 2 }, async (model, server) => {
      const kept: Completion[] = [];
      const requests = Array.from({ length: 40 }, (_, i) => request(`p${i}`));
      const failure = await failureOf(model.generate(requests, (_i, completion) => kept.push(completion)));
      expect(failure).toBeInstanceOf(LseError);
      expect(`${failure.message} ${failure.nextStep}`).toMatch(message);
      expect(JSON.stringify([failure.message, failure.nextStep])).not.toContain(KEY);
      const answered = server.asked.filter(({ body }) => body.messages.at(-1).content !== "p2");
      expect(kept).toHaveLength(answered.length);
      expect(kept.map(({ text }) => text)).toContain("re: p0");
      expect(model.usage.completions).toBe(kept.length);
    });
  });

  it("leaves out a parameter that the model refuses, says so once, and keeps to it", async () => {
    const said = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const refuses = (asked: Asked): Treatment =>
      "temperature" in asked.body && "top_p" in asked.body
        ? { status: 400, message: "`temperature` and `top_p` cannot both be specified" }
        : echo(asked);
    await withModel(refuses, { name, parallel: 1 }, async (model, server) => {
      await model.generate([request("a"), request("b")]);
      expect(server.asked.map(({ body }) => "top_p" in body)).toEqual([true, false, false]);
      expect(server.asked.every(({ body }) => "temperature" in body)).toBe(true);
    });
    expect(said.mock.calls).toEqual([[`${name} does not take top_p: it is left out from now on`]]);
    said.mockRestore();
  });

  it("estimates tokens that are not counted, on the high side, and says for how many", async () => {
    await withModel(
      () => ({ text: "x".repeat(300), usage: false }),
      { name },
      async (model) => {
        const [completion] = await model.generate([request("a question of some length")]);
        expect(completion?.promptTokens).toBeGreaterThanOrEqual(
          Math.ceil("You answer.a question of some length".length / 4),
        );
        expect(completion?.generatedTokens).toBeGreaterThanOrEqual(100);
        expect(model.estimated).toBe(1);
      },
    );
  });

  it("tells an answer that was cut off for want of room", async () => {
    await withModel(
      () => ({ text: "and", cutOff: true }),
      { name },
      async (model) => {
        expect((await model.generate([request("a")]))[0]?.finishReason).toBe("length");
      },
    );
  });

  it("stops when aborted, without further requests", async () => {
    await withModel(
      () => "hang",
      { name, parallel: 2 },
      async (model, server) => {
        const abort = new AbortController();
        setTimeout(() => abort.abort(new Error("enough")), 50);
        const failure = await failureOf(model.generate(Array(9).fill(request("a")), undefined, abort.signal));
        expect(failure.message).toMatch(/enough|abort/i);
        expect(server.asked).toHaveLength(2);
      },
    );
  });

  it("never has more requests under way than allowed, nor more a minute", async () => {
    await withModel(echo, { name, parallel: 3, requestsPerMinute: 1200 }, async (model) => {
      const started = performance.now();
      await model.generate(Array.from({ length: 5 }, (_, i) => request(String(i))));
      // The first at once, four more each 50 ms after the one before.
      expect(performance.now() - started).toBeGreaterThanOrEqual(195);
    });
  });

  it("spends no more than it may, and keeps what it paid for", async () => {
    // A request: at most 60 tokens of prompt by the estimate and 50 generated; in truth 100 and 10, at a dollar each.
    const price = { input: 1e6, output: 1e6 };
    const purse = new Purse(1000, 300);
    const kept: Completion[] = [];
    const failure = await withModel(
      echo,
      { name, price, parallel: 1 },
      (model) => failureOf(model.generate(Array(20).fill(request("a")), (_i, each) => kept.push(each))),
      purse,
    );
    expect(failure.message).toMatch(/limit of \$1000 .* \$960.0000 are spent/);
    expect(failure.nextStep).toMatch(/`evolve\.stop\.cost`/);
    expect(kept).toHaveLength(6);
    expect(purse.spent).toBe(300 + 6 * 110);
  });

  it("sets aside what requests under way can cost", async () => {
    const purse = new Purse(250, 0);
    const asked = await withModel(
      () => "hang",
      { name, price: { input: 0, output: 1e6 }, parallel: 8, timeout: 0.2, attempts: 1 },
      async (model, server) => {
        await failureOf(model.generate(Array(8).fill(request("a"))));
        return server.asked.length;
      },
      purse,
    );
    // Fifty each.
    expect(asked).toBe(5);
    expect(purse.spent).toBe(0);
  });

  it("cannot score, wear an adapter or keep to a grammar", async () => {
    await withModel(echo, { name }, async (model) => {
      await expect(model.logprobs()).rejects.toBeInstanceOf(LseError);
      await expect(model.useAdapter("a.gguf")).rejects.toThrow(/a\.gguf.*no adapter/);
      await model.useAdapter(null);
      const constrained = request("a", { sampling: { ...PAPER_SAMPLING, grammar: 'root ::= "a"' } });
      await expect(model.generate([constrained])).rejects.toThrow(/grammar/);
    });
  });
});

describe("opening", () => {
  const settings = { name: "openai:m", contextSize: 100, parallel: 1, attempts: 1, timeout: 1 };

  it("needs the key of the provider, and none for a server of one's own", () => {
    vi.stubEnv("OPENAI_API_KEY", "");
    vi.stubEnv("ANTHROPIC_API_KEY", "");
    expect(() => openRemote(settings, undefined)).toThrow(/OPENAI_API_KEY is not set/);
    expect(() => openRemote({ ...settings, name: "anthropic:m" }, undefined)).toThrow(/ANTHROPIC_API_KEY/);
    expect(() => openRemote({ ...settings, baseUrl: "http://127.0.0.1:9/v1" }, undefined)).not.toThrow();
  });

  it("refuses secrets in the base URL", () => {
    for (const baseUrl of ["http://me:word@127.0.0.1/v1", "http://127.0.0.1/v1?key=word"])
      expect(() => openRemote({ ...settings, baseUrl }, undefined)).toThrow(/base URL has a user/);
  });

  it("is another model at another place or of another name", () => {
    const prints = [{}, { name: "openai:n" }, { baseUrl: "http://127.0.0.1:9/v1" }].map(
      (over) => openRemote({ ...settings, ...over }, undefined).fingerprint,
    );
    expect(new Set(prints).size).toBe(3);
  });

  it("gives each sample of a prompt a seed of its own", async () => {
    await withModel(echo, {}, async (model, server) => {
      await model.generate([request("a"), request("a", { sample: 1 }), request("a", { seed: 8 })]);
      expect(new Set(server.asked.map(({ body }) => body.seed)).size).toBe(3);
    });
  });
});
