import { describe, expect, it } from "vitest";
import { type Completion, emptyUsage, type GenerateRequest, type LanguageModel } from "#lse/model.js";
import { together } from "#lse/runtime/together.js";

/** Answers with what it is asked, and notes what it is asked together. */
class Echo implements LanguageModel {
  readonly fingerprint = "echo";
  readonly contextSize = 100;
  readonly repeats = "call";
  readonly usage = emptyUsage();
  readonly calls: string[][] = [];
  constructor(private readonly failure?: Error) {}
  countTokens = () => 1;
  logprobs = async () => new Float32Array();
  useAdapter = async () => {};
  async [Symbol.asyncDispose]() {}

  async generate(
    requests: readonly GenerateRequest[],
    onCompletion?: (index: number, completion: Completion) => void,
  ): Promise<Completion[]> {
    if (this.failure !== undefined) throw this.failure;
    const texts = requests.map(({ messages }) => messages[0]?.content ?? "");
    this.calls.push(texts);
    const completions = texts.map((text) => ({ text }) as Completion);
    for (const [index, completion] of completions.entries()) onCompletion?.(index, completion);
    return completions;
  }
}

const request = (content: string) =>
  ({ messages: [{ role: "user", content }], seed: 0, sample: 0 }) as unknown as GenerateRequest;
const asked = async (model: LanguageModel, ...texts: string[]) =>
  (await model.generate(texts.map(request))).map(({ text }) => text);

describe("together", () => {
  it("asks for what all runs wait for in one call, and hands each its own", async () => {
    const echo = new Echo();
    const results = await together(
      ["a", "b", "c"].map((name, i) => async (seat) => {
        const model = seat(echo);
        const first = await asked(model, `${name}1`, `${name}2`);
        // Runs may take their time between calls, and end at different times.
        await new Promise((resolve) => setTimeout(resolve, 20 - 10 * i));
        return i === 1 ? first : [...first, ...(await asked(model, `${name}3`))];
      }),
    );
    expect(results).toEqual([
      ["a1", "a2", "a3"],
      ["b1", "b2"],
      ["c1", "c2", "c3"],
    ]);
    expect(echo.calls).toEqual([
      ["a1", "a2", "b1", "b2", "c1", "c2"],
      ["a3", "c3"],
    ]);
  });

  it("asks each model once when runs wait for different ones", async () => {
    const models = [new Echo(), new Echo()] as const;
    await together(
      [0, 1, 0, 1].map((which, i) => async (seat) => asked(seat(models[which as 0 | 1]), `${i}`)),
    );
    expect(models.map(({ calls }) => calls)).toEqual([[["0", "2"]], [["1", "3"]]]);
  });

  it("tells each run of its completions as they come, by its own numbers", async () => {
    const seen: string[] = [];
    await together(
      ["a", "b"].map((name) => async (seat) => {
        await seat(new Proxy(new Echo(), {})).generate([request(name)], (index, { text }) =>
          seen.push(`${name}${index}${text}`),
        );
      }),
    );
    expect(seen).toEqual(["a0a", "b0b"]);
  });

  it("ends with a run's error, and lets nobody wait for ever", async () => {
    const runs = [
      async () => {
        throw new Error("bad run");
      },
      async (seat: (model: LanguageModel) => LanguageModel) => {
        const model = seat(new Echo());
        await asked(model, "a");
        await asked(model, "b");
      },
    ];
    await expect(together(runs)).rejects.toThrow("bad run");
    const failing = new Echo(new Error("no memory"));
    await expect(together([(seat) => asked(seat(failing), "a")])).rejects.toThrow("no memory");
    expect(await together([])).toEqual([]);
  });
});
