import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { PAPER_SAMPLING } from "#lse/model.js";
import { resolveConfig } from "#lse/runs/config.js";
import { CallStore, StoredModel } from "../../scripts/reproduce-real/call-store.js";
import { keepRuns, restoreRuns } from "../../scripts/reproduce-real/edits/kept-runs.js";
import { type DoneRun, editResultsOf } from "../../scripts/reproduce-real/edits/results.js";
import { configOf, EDIT_WAYS, type EditRun, editRuns } from "../../scripts/reproduce-real/edits/ways.js";
import { readRows, writeRows } from "../../scripts/reproduce-real/parquet.js";
import { type Cell, resultsOf } from "../../scripts/reproduce-real/results.js";
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

    await writeRows(path("calls.parquet"), new CallStore(path("calls.jsonl")).all);
    const store = new CallStore(path("new.jsonl"), await readRows(path("calls.parquet")));
    expect(await new StoredModel({ ...source, open: never }, store).generate(asked)).toEqual(completions);
  });
});

describe("what is measured of edits", () => {
  const scores = (values: Record<string, number>) => new Map(Object.entries(values));
  const run = (database: string, chosen: Record<string, number>, over: Partial<DoneRun> = {}): DoneRun => ({
    ...{
      way: "example",
      evolver: null,
      isRival: false,
      database,
      seed: 0,
      tried: 4,
      usable: 3,
      answers: 100,
    },
    ...{ chosen: scores(chosen), before: scores({ p: 0, q: 1, r: 0 }), twins: new Set(["r"]) },
    ...over,
  });

  it("pairs the chosen instructions with the first ones, question by question and database by database", () => {
    const results = editResultsOf(
      [
        run("a", { p: 1, q: 1, r: 1 }),
        run("a", { p: 1, q: 0, r: 0 }, { seed: 1, answers: 200 }),
        run("b", { p: 0, q: 1, r: 0 }),
        run("b", { p: 1, q: 1, r: 0 }, { way: "ace", isRival: true, evolver: "m", tried: 0, usable: 0 }),
      ],
      { machine: "m", actor: "a" },
    );
    const [gain, ...others] = results.gain;
    expect(others).toEqual([]);
    expect(gain).toMatchObject({ edits: "example", n: 9, runs: 3, answers: 133 });
    // a: p 1 and 1, q 0 and -1, r 1 and 0; b: nothing.
    expect(gain?.databases.a).toMatchObject({ n: 6, mean: expect.closeTo(1 / 3) });
    expect(gain?.mean).toBeCloseTo(1 / 6);
    expect(gain?.before).toBeCloseTo(1 / 3);
    expect(gain?.after).toBeCloseTo(((1 + 1 / 3) / 2 + 1 / 3) / 2);
    expect(gain?.withoutTwins).toMatchObject({ n: 6, mean: expect.closeTo(0.25 / 2) });
    expect(gain?.low).toBeLessThan(gain?.mean ?? 0);
    expect(results.methods.map(({ edits, mean }) => [edits, mean])).toEqual([["ace", 1 / 3]]);
    expect(results.usable).toEqual([{ edits: "example", evolver: null, tried: 12, share: 0.75 }]);
  });

  it("has scores that differ by the gain, also where runs have other questions in their tests", () => {
    const before = scores({ p: 0, q: 0 });
    const runs = [
      run("a", { p: 1, q: 0 }, { before }),
      run("a", { p: 1, r: 1 }, { seed: 1, before: scores({ p: 1, r: 0 }) }),
    ];
    const [gain] = editResultsOf(runs, { machine: "m", actor: "a" }).gain;
    // p 1 and 0, q 0, r 1.
    expect(gain?.mean).toBeCloseTo(0.5);
    expect([gain?.before, gain?.after]).toEqual([expect.closeTo(0.5 / 3), expect.closeTo(2 / 3)]);
  });

  it("keeps runs that are over in one file, and gives them folders again where they have none", async () => {
    const file = (place: string, run: string, name: string) => join(path(place), run, name);
    const completion = { text: "SELECT 1", tokens: [5, 6], logprobs: [-1, -2] };
    const events = [
      { type: "generation", key: "k", fingerprint: "f", completion },
      { type: "done", key: "done", best: 0, reason: "rounds" },
    ];
    const journal = (own: readonly object[]) => own.map((event) => `${JSON.stringify(event)}\n`).join("");
    for (const run of ["first", "second"]) {
      mkdirSync(join(path("made"), run), { recursive: true });
      writeFileSync(file("made", run, "events.jsonl"), journal(events));
      writeFileSync(file("made", run, "tree.json"), `["${run}"]`);
    }
    await keepRuns(path("runs.parquet"), path("made"), ["first", "second"]);

    mkdirSync(join(path("again"), "first"), { recursive: true });
    writeFileSync(file("again", "first", "events.jsonl"), "gone on with");
    await restoreRuns(path("runs.parquet"), path("again"), (run) => ({ run }));
    expect(readFileSync(file("again", "first", "events.jsonl"), "utf8")).toBe("gone on with");
    const [generation, done] = events;
    const texts = { ...generation, completion: { ...completion, tokens: [], logprobs: [] } };
    expect(readFileSync(file("again", "second", "events.jsonl"), "utf8")).toBe(
      journal([texts, done as object]),
    );
    expect(readFileSync(file("again", "second", "tree.json"), "utf8")).toBe('["second"]');
    expect(JSON.parse(readFileSync(file("again", "second", "config.json"), "utf8"))).toEqual({
      run: "second",
    });
    await restoreRuns(path("no such file"), path("again"), () => ({}));
  });

  it("has configurations that can be run, each within 400 answers", () => {
    for (const way of Object.keys(EDIT_WAYS)) {
      const [first] = editRuns([way], ["superhero"], 1);
      const places = { dev: folder, train: folder, models: folder, runs: folder };
      const { evolve } = resolveConfig(configOf(first as EditRun, places), way);
      const { batch, holdout, rounds, test = 0 } = evolve;
      expect(holdout * (rounds + 1) + batch * rounds + test).toBeLessThanOrEqual(400);
    }
    const names = editRuns(Object.keys(EDIT_WAYS), ["superhero", "books"], 3).map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});
