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
    ["answers part by part without end", "trickle"],
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

  it("waits for its turn, however far that is", async () => {
    await withModel(echo, { name, requestsPerMinute: 1e-6 }, async (model, server) => {
      const stop = new AbortController();
      const all = model.generate(
        [request("a"), request("b")],
        () => setTimeout(() => stop.abort(), 30),
        stop.signal,
      );
      await expect(all).rejects.toThrow(/abort/i);
      expect(server.asked).toHaveLength(1);
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

/** A completion of OpenAI's with this message. */
const completed = (message: unknown, over: object = {}): Treatment => ({
  body: JSON.stringify({
    choices: [{ index: 0, message, finish_reason: "stop" }],
    usage: { prompt_tokens: 9, completion_tokens: 4 },
    ...over,
  }),
});

const refusedWith = (status: number, body: unknown): Treatment => ({
  status,
  body: typeof body === "string" ? body : JSON.stringify(body),
});

describe("a service's answer", () => {
  it.each<[string, unknown, string]>([
    ["a text", { content: "yes" }, "yes"],
    ["parts", { content: [{ type: "text", text: "a" }, "b", { type: "output_text", text: "c" }] }, "abc"],
    [
      "parts with reasoning",
      {
        content: [
          { type: "thinking", thinking: [{ type: "text", text: "hm" }] },
          { type: "text", text: "yes" },
        ],
      },
      "yes",
    ],
    ["a text beside its reasoning", { content: "yes", reasoning_content: "hm", reasoning: "hm" }, "yes"],
    ["reasoning alone", { content: null, reasoning_content: "hm" }, ""],
    ["no content, and the end", { content: null }, ""],
  ])("may be %s", async (_name, message, text) => {
    await withModel(
      () => completed(message),
      { attempts: 1 },
      async (model) => {
        expect(await model.generate([request("a")])).toMatchObject([{ text, generatedTokens: 4 }]);
      },
    );
  });

  it.each([
    { prompt_tokens: -5, completion_tokens: "4" },
    null,
    "none",
    { prompt_tokens: 1.5 },
  ])("with a usage of %j is counted here", async (usage) => {
    await withModel(
      () => completed({ content: "yes" }, { usage }),
      {},
      async (model) => {
        const [completion] = await model.generate([request("a")]);
        expect(completion?.promptTokens).toBeGreaterThan(0);
        expect(completion?.generatedTokens).toBeGreaterThan(0);
        expect(model.estimated).toBe(1);
      },
    );
  });

  it("is estimated with its reasoning, which was paid for", async () => {
    const thought = { content: "yes", reasoning: "x".repeat(3000) };
    await withModel(
      () => completed(thought, { usage: null }),
      {},
      async (model) => {
        expect((await model.generate([request("a")]))[0]?.generatedTokens).toBeGreaterThanOrEqual(1000);
      },
    );
  });

  it.each<[string, Treatment, RegExp]>([
    ["an error", completed({}, { choices: undefined, error: { message: "GPU is\nlost" } }), /GPU is lost/],
    ["an error of a choice", { body: '{"choices":[{"error":{"message":"cut off"}}]}' }, /cut off/],
    ["no choices", { body: '{"choices":[]}' }, /it has no choices/],
    ["no message", { body: '{"choices":[{}]}' }, /no message/],
    ["content of another type", completed({ content: 7 }), /content is neither/],
    ["nothing", completed({}, { choices: [{ message: {} }] }), /neither content nor/],
    ["a page", { body: "<html><title>Bad\u001b[31m gateway</title>" }, /no JSON.*Bad ?\[31m gateway/],
    ["half an answer", { body: '{"choices": [{"mess' }, /no JSON, or is cut off/],
    ["no text at all", { body: "" }, /it is empty/],
    ["too much", { body: " ".repeat(33 * 2 ** 20) }, /longer than/],
    ["garbage as gzip", { body: "x", headers: { "content-encoding": "gzip" } }, /cannot be decoded as gzip/],
  ])("that holds %s is one line", async (_name, treatment, words) => {
    await withModel(
      () => treatment,
      { attempts: 1 },
      async (model) => {
        const failure = await failureOf(model.generate([request("a")]));
        expect(failure).toBeInstanceOf(LseError);
        expect(failure.message).toMatch(words);
        expect(failure.message).not.toMatch(/\p{Cc}/u);
      },
    );
  });

  it.each<[string, Treatment, RegExp]>([
    ["error as a text", refusedWith(400, { error: "too rude" }), /refused \(400 too rude\)/],
    ["detail as a text", refusedWith(422, { detail: "too rude" }), /refused \(422 too rude\)/],
    [
      "detail as a list",
      refusedWith(422, { detail: [{ loc: ["body", "messages"], msg: "too rude" }] }),
      /422 body\.messages: too rude/,
    ],
    ["message", refusedWith(400, { object: "error", message: "too rude" }), /400 too rude/],
    ["a common word", refusedWith(400, "We stop serving this"), /400 We stop serving this/],
    ["plain text", refusedWith(400, "too\u0007 rude"), /400 too rude/],
    [
      "a code in an answer",
      completed({}, { error: { code: 404, message: "no such" } }),
      /not there.*no such/,
    ],
    [
      "a context that is too long",
      refusedWith(400, { error: { message: "maximum context length is 9, with max_tokens and top_p" } }),
      /400 maximum context length is 9/,
    ],
    [
      "a limit of length that is too high",
      refusedWith(400, { error: { message: "max_tokens is too large: at most 9", param: "max_tokens" } }),
      /400 max_tokens is too large/,
    ],
    [
      "a redirection",
      { body: "", status: 308, headers: { location: "https://b.example/v1?x" } },
      /b\.example\/v1 *\)/,
    ],
    ["the key", refusedWith(400, { error: `${"x".repeat(490)} ${KEY}` }), /x \*\*\*\)/],
    [
      "a very long wait",
      { body: "{}", status: 429, headers: { "retry-after": "86400" } },
      /asks to wait for 86400 s, and at most 600 s/,
    ],
  ])("that refuses with %s is quoted and not asked for again", async (_name, treatment, words) => {
    await withModel(
      () => treatment,
      { attempts: 3 },
      async (model, server) => {
        const failure = await failureOf(model.generate([request("a")]));
        expect(failure.message).toMatch(words);
        expect(failure.message).not.toContain(KEY.slice(0, 8));
        expect(server.asked).toHaveLength(1);
      },
    );
  });

  it.each<[string, string, Treatment]>([
    [
      "seed",
      "a list of details",
      refusedWith(422, { detail: [{ loc: ["body", "seed"], msg: "Extra inputs" }] }),
    ],
    ["min_p", "a text", refusedWith(404, "Unknown parameter min_p. Known are top_p, temperature.")],
    ["top_k", "its field", refusedWith(400, { error: { message: "Unsupported value", param: "top_k" } })],
    ["seed", "a path", refusedWith(400, { error: { message: "Wrong", param: "body.seed" } })],
    ["top_k", "other letters", refusedWith(400, { message: "topK must not be given" })],
    [
      "min_p",
      "words of a service behind",
      refusedWith(400, { error: { message: "Provider error", metadata: { raw: "min_p: no" } } }),
    ],
    ["temperature", "an error inside 200", completed({}, { error: { message: "temperature is fixed" } })],
  ])("that refuses %s in %s is asked for again without it", async (name, _form, treatment) => {
    const said = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const treat = (asked: Asked) => (name in asked.body ? treatment : echo(asked));
    await withModel(treat, { attempts: 1, parallel: 3 }, async (model, server) => {
      const completions = await model.generate(Array(5).fill(request("a")));
      expect(completions.map(({ text }) => text)).toEqual(Array(5).fill("re: a"));
      const left = ["temperature", "top_p", "top_k", "min_p", "seed"].filter((each) => each !== name);
      expect(Object.keys(server.asked.at(-1)?.body)).toEqual(expect.arrayContaining(left));
    });
    expect(said.mock.calls).toEqual([[`openai:small does not take ${name}: it is left out from now on`]]);
    said.mockRestore();
  });

  it.each([
    { message: "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead." },
    { message: "Wrong request", param: "max_tokens" },
  ])("that wants the limit of length under another name gets it so: %j", async (error) => {
    const said = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const treat = (asked: Asked) => ("max_tokens" in asked.body ? refusedWith(400, { error }) : echo(asked));
    await withModel(treat, { attempts: 1, parallel: 1 }, async (model, server) => {
      await model.generate([request("a"), request("b")]);
      expect(server.asked.map(({ body }) => body.max_completion_tokens)).toEqual([undefined, 50, 50]);
    });
    expect(said.mock.calls).toEqual([
      ["openai:small does not take max_tokens: it is sent as max_completion_tokens from now on"],
    ]);
    said.mockRestore();
  });
});

describe("a service that takes neither name of the limit of length", () => {
  it("is quoted", async () => {
    const said = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const treat = ({ body }: Asked) => {
      const name = Object.keys(body).find((each) => each.startsWith("max_"));
      return refusedWith(400, `unknown field ${name}`);
    };
    await withModel(treat, {}, async (model) => {
      const failure = await failureOf(model.generate([request("a")]));
      expect(failure.message).toMatch(/400 unknown field max_completion_tokens/);
    });
    said.mockRestore();
  });
});

describe("waiting", () => {
  it.each([
    "hang",
    "trickle",
  ] as const)("for a whole answer ends at the time limit: %s", async (treatment) => {
    await withModel(
      () => treatment,
      { attempts: 1, timeout: 0.2 },
      async (model) => {
        const failure = await failureOf(model.generate([request("a")]));
        expect(failure.message).toMatch(/no answer came \(nothing came whole within 0\.2 s\)/);
      },
    );
  });

  it("for the rest of an answer ends when aborted", async () => {
    await withModel(
      () => "trickle",
      {},
      async (model, server) => {
        const abort = new AbortController();
        const failed = failureOf(model.generate([request("a")], undefined, abort.signal));
        await expect.poll(() => server.asked.length).toBe(1);
        abort.abort(new Error("enough"));
        expect((await failed).message).toBe("enough");
      },
    );
  });

  it.each([
    { "retry-after": "400" },
    { "retry-after": new Date(Date.now() + 400_000).toUTCString() },
    { ratelimit: '"requests";r=0;t=400' },
  ])("for as long as %j asks is told once, and ends at once when aborted", async (headers) => {
    const said = vi.spyOn(console, "error").mockImplementation(() => undefined);
    await withModel(
      () => ({ status: 429, headers, message: "slow down" }),
      { parallel: 3 },
      async (model, server) => {
        const abort = new AbortController();
        const all = model.generate(Array(9).fill(request("a")), undefined, abort.signal);
        const failed = failureOf(all);
        await expect.poll(() => said.mock.calls.length).toBe(1);
        await expect.poll(() => server.asked.length).toBe(3);
        abort.abort(new Error("enough"));
        expect((await failed).message).toBe("enough");
        expect(server.asked).toHaveLength(3);
      },
    );
    expect(said.mock.calls[0]?.[0]).toMatch(/asks to wait for (3\d\d|400) s \(429 slow down\)/);
    expect(said.mock.calls).toHaveLength(1);
    said.mockRestore();
  });

  it("of many requests with one signal is no leak of listeners", async () => {
    const warnings: string[] = [];
    const listen = (warning: Error) => warnings.push(warning.message);
    process.on("warning", listen);
    await withModel(echo, { parallel: 16 }, async (model) => {
      const { signal } = new AbortController();
      const requests = () => Array.from({ length: 16 }, () => request("a"));
      await Promise.all(Array.from({ length: 12 }, () => model.generate(requests(), undefined, signal)));
    });
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", listen);
    expect(warnings).toEqual([]);
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

  it("refuses secrets in the base URL, and what is none, without repeating it", () => {
    for (const baseUrl of ["http://me:word@127.0.0.1/v1", "http://127.0.0.1/v1?key=word"])
      expect(() => openRemote({ ...settings, baseUrl }, undefined)).toThrow(
        /^(?!.*word@|.*=word).*has a user/,
      );
    for (const baseUrl of ["me:word", "http://me:word@"])
      expect(() => openRemote({ ...settings, baseUrl }, undefined)).toThrow(
        /^(?!.*me:word).*no http or https/,
      );
  });

  it("takes the base URL that the environment names, as the service's own client does", () => {
    vi.stubEnv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1");
    const named = openRemote({ ...settings, baseUrl: "http://127.0.0.1:9/v1" }, undefined);
    expect(openRemote(settings, undefined).fingerprint).toBe(named.fingerprint);
    vi.stubEnv("OPENAI_BASE_URL", "http://me:word@127.0.0.1:9/v1");
    expect(() => openRemote(settings, undefined)).toThrow(/base URL has a user/);
  });

  it("leaves the words of a service readable where the key is none", async () => {
    vi.stubEnv("OPENAI_API_KEY", "x");
    await withModel(
      () => refusedWith(400, { error: "the next text, key x" }),
      {},
      async (model) => {
        expect((await failureOf(model.generate([request("a")]))).message).toMatch(
          /the next text, key \*\*\*\)/,
        );
      },
    );
  });

  it("takes a key without what stands around it, and repeats none that cannot be sent", async () => {
    vi.stubEnv("OPENAI_API_KEY", ` ${KEY}\r\n`);
    await withModel(echo, {}, async (model, server) => {
      await model.generate([request("a")]);
      expect(server.asked[0]?.headers.authorization).toBe(`Bearer ${KEY}`);
    });
    for (const key of [`${KEY}\n${KEY}`, `${KEY} x`, `${KEY}é`]) {
      vi.stubEnv("OPENAI_API_KEY", key);
      expect(() => openRemote(settings, undefined)).toThrow(/^(?!.*secret).*OPENAI_API_KEY has a blank/);
    }
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
