import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { SavedJournal } from "#lse/journal/journal-file.js";
import { LOCK } from "#lse/lib/folder-lock.js";
import { type CollectHooks, collect } from "#lse/runs/collect.js";
import { resolveConfig } from "#lse/runs/config.js";
import { ChatServer } from "../chat-server.js";
import { buildTinyBird } from "../tiny-bird/build.js";

const folder = mkdtempSync(join(tmpdir(), "lse-collect-"));
const path = (...names: string[]) => join(folder, ...names);
let server: ChatServer;
beforeAll(async () => {
  buildTinyBird(path("data"));
  vi.stubEnv("OPENAI_API_KEY", "sk-test");
  // Each completion is 100 tokens of prompt and 10 generated.
  server = await ChatServer.start(({ body }) => ({
    text: `<answer>SELECT COUNT(*) FROM products /* ${body.seed} */</answer><prompt>Rule ${body.seed}: count.</prompt>`,
  }));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const run = (out: string, over: { evolve?: object; reuse?: string } = {}, hooks: CollectHooks = {}) => {
  const { evolve, ...rest } = over;
  const config = resolveConfig(
    {
      task: { name: "bird", data: path("data"), cache: path("cache") },
      model: {
        path: "openai:small",
        remote: { baseUrl: `${server.url}/v1`, parallel: 1, price: { input: 0, output: 1000 } },
      },
      evolve: { rounds: 2, batch: 3, holdout: 4, test: 2, sampling: { maxTokens: 50 }, ...evolve },
      ...rest,
    },
    "the test",
  );
  return collect({ config, databases: ["bakery"], runs: 2, atOnce: 2, out: path(out) }, hooks);
};

const journalsOf = (out: string) =>
  readdirSync(path(out))
    .sort()
    .map((name) => new SavedJournal(path(out, name, "events.jsonl")));

/** Cents that all runs have paid together. */
const paidIn = (out: string) =>
  journalsOf(out).reduce((sum, journal) => sum + journal.count("generation"), 0);

describe("lse collect", () => {
  // A completion costs a cent and could cost a dollar: two runs of 1.3025 $ may start one while 1.605 $ are not spent.
  const limited = { evolve: { rounds: 30, sampling: { maxTokens: 1000 }, stop: { cost: 1.3025 } } };
  const refusal = /limit of \$2\.605 does not allow a further request/;

  it("stops at the limit of cost of all runs together", async () => {
    await expect(run("whole", limited)).rejects.toThrow(refusal);
    expect(paidIn("whole")).toBe(161);
  });

  it("stops at the same total when it was killed and started again", async () => {
    const kill = new AbortController();
    let answers = 0;
    const onEvent: CollectHooks["onEvent"] = ({ type }) => {
      if (type === "answer" && ++answers === 70) kill.abort(new Error("killed"));
    };
    await expect(run("cut", limited, { onEvent, signal: kill.signal })).rejects.toThrow("killed");
    const before = paidIn("cut");
    expect(before).toBeLessThan(90);
    let said: [number, number] | undefined;
    const onStart = (total: number, done: number) => {
      said = [total, done];
    };
    await expect(run("cut", limited, { onStart })).rejects.toThrow(refusal);
    expect(paidIn("cut")).toBe(161);
    // 2 × (4 + 30 × (3 + 4) + 2) answers, of which 70 were there.
    expect(said).toEqual([432, 70]);
  });

  it("records what each round took of the models: a run's own share of calls that runs make together", async () => {
    const asked = server.asked.length;
    await run("usage");
    const usage = journalsOf("usage").map((journal) => [...journal.all("usage")]);
    for (const rounds of usage) {
      expect(rounds.map(({ round }) => round)).toEqual([0, 1, 2]);
      // The holdout of the seed instructions, then batch, edit and holdout.
      expect(rounds.map(({ models }) => models[0]?.completions)).toEqual([4, 8, 8]);
      expect(rounds[1]?.models[0]).toMatchObject({ promptTokensAsked: 800, tokensGenerated: 80 });
    }
    // Both tests come after the last round.
    expect(server.asked.length - asked).toBe(2 * (4 + 8 + 8 + 2));
  });

  it("uses other runs' completions where the request is the same", async () => {
    const asked = server.asked.length;
    await run("again", { reuse: path("usage") });
    expect(server.asked.length).toBe(asked);
  });

  it("ends a run after the round in which a stop file appears, with its tree written", async () => {
    await run(
      "stopped",
      {},
      {
        onEvent: (event) => {
          if (event.type === "node" && event.node === 0)
            for (const name of readdirSync(path("stopped")))
              if (name !== LOCK) writeFileSync(path("stopped", name, "stop"), "");
        },
      },
    );
    for (const name of readdirSync(path("stopped"))) {
      expect(readdirSync(path("stopped", name))).toEqual(
        expect.arrayContaining(["best.md", "config.json", "events.jsonl", "tree.json"]),
      );
      const journal = new SavedJournal(path("stopped", name, "events.jsonl"));
      expect(journal.recall("done", "done")?.reason).toBe("someone asked for it");
      expect(journal.count("round")).toBeLessThan(2);
    }
  });
});
