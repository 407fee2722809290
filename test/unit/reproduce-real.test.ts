import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { PAPER_SAMPLING } from "#lse/model.js";
import { CallStore, StoredModel } from "../../scripts/reproduce-real/call-store.js";
import { type Cell, readCalls, resultsOf, writeParquet } from "../../scripts/reproduce-real/results.js";
import { ScriptedModel } from "../fakes.js";

const folder = mkdtempSync(join(tmpdir(), "lse-real-"));
const path = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const cell = (database: string, strategy: string, correct: readonly number[]): Cell => ({
  database,
  model: "m",
  strategy,
  measured: {
    answers: correct.map((right, i) => ({
      problem: `p${i}`,
      correct: right === 1,
      sql: "SELECT 1",
      error: null,
      confidence: strategy === "paper" ? null : 1,
      repaired: false,
      examples: ["q"],
    })),
    seconds: 12.34,
    tokensGenerated: 5,
    promptTokensEvaluated: 6,
  },
});
const cells = [
  cell("a", "paper", [0, 0, 0, 1]),
  cell("a", "workspace", [1, 1, 0, 1]),
  cell("b", "paper", [0, 0, 0, 0]),
  cell("b", "workspace", [1, 1, 1, 1]),
];

const request = (sample: number) => ({
  messages: [{ role: "user" as const, content: "?" }],
  sampling: PAPER_SAMPLING,
  seed: 1,
  sample,
});

describe("what is measured with real models", () => {
  it("has a row for each way, and its gain on the same questions by database and in their mean", () => {
    const { cells: rows, gains, reliability } = resultsOf(cells, "two cores");
    expect(rows[1]).toMatchObject({
      database: "a",
      strategy: "workspace",
      n: 4,
      right: 3,
      score: 0.75,
      seconds: 12.3,
    });
    expect(rows[1]?.low).toBeCloseTo(0.3006, 3);
    expect(gains.map(({ database, n, mean }) => [database, n, mean])).toEqual([
      ["a", 4, 0.5],
      ["b", 4, 1],
      ["all", 8, 0.75],
    ]);
    // All of b improve, so that only a leaves anything to chance: half of its interval remains.
    const [a, , all] = gains;
    expect(0.75 - (all?.low ?? 0)).toBeCloseTo((0.5 - (a?.low ?? 0)) / 2, 12);
    expect(reliability.m).toMatchObject([{ from: 1, answers: 8, right: 7 }]);
  });

  it("asks a model for each call once, in later processes and from Parquet too", async () => {
    const open = () => Promise.resolve(new ScriptedModel(({ sample }) => `answer ${sample}`));
    const never = () => Promise.reject(new Error("the model is not needed"));
    const source = { name: "m", contextSize: 100 };
    const first = new StoredModel({ ...source, open }, new CallStore(path("calls.jsonl")));
    const asked = [request(0), request(1)];
    const completions = await first.generate(asked);
    appendFileSync(path("calls.jsonl"), '{"key":"half of a call that a kill');
    const later = new StoredModel({ ...source, open: never }, new CallStore(path("calls.jsonl")));
    expect(await later.generate(asked)).toEqual(completions);
    expect(later.usage).toMatchObject({ completions: 2, tokensGenerated: 2 });
    // Another call, though each of its requests is known: calls are kept as wholes, with what they took.
    await expect(later.generate([request(1)])).rejects.toThrow("not needed");

    const paths = { answers: path("answers.parquet"), calls: path("calls.parquet") };
    await writeParquet(cells, new CallStore(path("calls.jsonl")).all, paths);
    const store = new CallStore(path("new.jsonl"), await readCalls(paths.calls));
    expect(await new StoredModel({ ...source, open: never }, store).generate(asked)).toEqual(completions);
  });
});
