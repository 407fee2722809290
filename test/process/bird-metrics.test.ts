import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBird } from "#lse/bird/dataset.js";
import { evaluatePredictions } from "#lse/bird/evaluate.js";
import { ExecutionAccuracy } from "#lse/bird/execution-accuracy.js";
import { defectOf } from "#lse/bird/known-defects.js";
import { rVes, speedReward } from "#lse/bird/r-ves.js";
import { softF1 } from "#lse/bird/soft-f1.js";
import { lse } from "../cli.js";
import { buildTinyBird } from "../tiny-bird/build.js";

describe("Soft-F1, with the official code's results", () => {
  it.each([
    ["both empty", [], [], 1],
    ["nothing predicted", [], [[1n]], 0],
    ["nothing expected", [[1n]], [], 0],
    ["another order of rows", [[2n], [1n]], [[1n], [2n]], 0],
    ["a row twice", [[1n], [1n]], [[1n]], 1],
    ["a column twice", [[1n, 1n]], [[1n]], 1],
    [
      "the example of its README, which says 0.8",
      [
        [325n, "Apple"],
        [191n, "Orange"],
        [null, "Banana"],
      ],
      [
        ["Apple", 325n],
        ["Orange", null],
        ["Banana", 119n],
      ],
      2 / 3,
    ],
    ["equal numbers of two types, and a text that is not one", [[1, "1"]], [[1n, 1n]], 2 / 3],
  ])("%s", (_name, predicted, gold, score) => {
    expect(softF1(predicted, gold)).toBeCloseTo(score, 12);
  });
});

describe("R-VES, with the official code's results", () => {
  /** Ratios around a centre, not all equal. */
  const around = (centre: number) => Array.from({ length: 100 }, (_, i) => centre + (i % 2 ? 1e-6 : -1e-6));

  it.each([
    [1.2, 100],
    [2.5, 111.8],
    [0.6, 86.6],
    [0.3, 70.71],
    [0.1, 50],
    [2, 111.8],
    [0.5, 86.6],
  ])("a query %f times as fast: %f", (centre, score) => {
    expect(rVes([speedReward(around(centre + 2e-6))])).toBeCloseTo(score, 2);
  });

  it("leaves out what lies three deviations away", () => {
    expect(speedReward([...around(0.9), 1000])).toBe(0.75);
  });

  it("gives nothing where all times are the same", () => {
    expect(speedReward([1, 1, 1])).toBe(0);
  });

  it("averages the roots, and wrong answers count", () => {
    expect(rVes([1, 0])).toBe(50);
    expect(rVes([1.25, 0.25])).toBeCloseTo((100 * (Math.sqrt(1.25) + 0.5)) / 2, 12);
  });
});

describe("all metrics of predictions", () => {
  const folder = mkdtempSync(join(tmpdir(), "lse-metrics-"));
  const path = (name: string) => join(folder, name);
  beforeAll(() => buildTinyBird(folder));
  afterAll(() => rmSync(folder, { recursive: true }));

  const evaluated = async (sqls: readonly string[], timings: number) => {
    const data = openBird(folder);
    await using accuracy = new ExecutionAccuracy(data, 5000, path("cache"));
    const predictions = sqls.map((sql, i) => ({ question: data.questions[i] as never, sql }));
    return await evaluatePredictions(predictions, accuracy, undefined, { softF1: true, timings });
  };

  it("times right answers only; a query that does little more work is about as fast", async () => {
    const { questions, r_ves, soft_f1 } = await evaluated(
      ["SELECT COUNT(*) FROM products", "SELECT nothing FROM products"],
      20,
    );
    expect(questions.map(({ ex }) => ex)).toEqual([1, 0]);
    expect(questions[0]?.speed_reward).toBeGreaterThanOrEqual(0.5);
    expect(questions[1]).toMatchObject({ speed_reward: 0, soft_f1: 0 });
    expect(soft_f1).toBe(50);
    expect(r_ves).toBeCloseTo(50 * Math.sqrt(questions[0]?.speed_reward as number), 9);
  });

  it("tells a much slower query from the gold one", async () => {
    const slow =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT COUNT(*) FROM products WHERE (SELECT max(i) FROM n) > 0";
    const { questions } = await evaluated([slow], 5);
    expect(questions[0]).toMatchObject({ ex: 1, soft_f1: 1, speed_reward: 0.25 });
  });

  it("through the command line: more fields, by difficulty too, and BIRD's tables", () => {
    const official = {
      "0": "SELECT COUNT(*) FROM products\t----- bird -----\tbakery",
      "1": "SELECT 0\t----- bird -----\tbakery",
    };
    writeFileSync(path("predictions.json"), JSON.stringify(official));
    const options = ["--data", folder, "--predictions", path("predictions.json"), "--cache", path("cache")];
    const plain = JSON.parse(lse("bird", "eval", ...options, "--json").stdout);
    expect(plain).not.toHaveProperty("soft_f1");
    expect(plain).toMatchObject({ ex: 50, clean: null });
    const asked = ["--metrics", "ex,r-ves,soft-f1", "--iterations", "3", "--json"];
    const all = JSON.parse(lse("bird", "eval", ...options, ...asked).stdout);
    expect(all).toMatchObject({ ex: 50, soft_f1: 50, difficulties: { simple: { soft_f1: 50 } } });
    expect(all.difficulties.simple.r_ves).toBeGreaterThan(0);
    const report = lse("bird", "report", ...options).stdout.split("\n");
    expect(report[0]?.trim().split(/\s+/)).toEqual(["simple", "total"]);
    expect(report[1]?.trim().split(/\s+/)).toEqual(["count", "2", "2"]);
    expect(report).toContain(`EX${" ".repeat(19)}50.00                50.00`);
    expect(report.at(-2)).toMatch(/^Soft F1-Score +50\.00 +50\.00$/);
    expect(lse("bird", "eval", ...options, "--metrics", "f2")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("ex, r-ves, soft-f1"),
    });
  });

  it("with gold queries that allow for ties, or without; and by which SQLite", () => {
    const from = JSON.parse(readFileSync(path("dev.json"), "utf8"));
    writeFileSync(path("dev_tied_append.json"), JSON.stringify([{ ...from[1], SQL: "SELECT 0" }]));
    const options = ["--data", folder, "--predictions", path("predictions.json"), "--cache", path("cache")];
    const scored = (...more: string[]) =>
      JSON.parse(lse("bird", "eval", ...options, ...more, "--json").stdout);
    const engine = expect.stringMatching(/^SQLite 3\.\d+\.\d+$/);
    expect(scored()).toMatchObject({ ex: 100, tied_gold: 1, engine });
    expect(scored("--tied-gold", "ignore")).toMatchObject({ ex: 50, tied_gold: 0, engine });
    const { stdout } = lse("bird", "validate", "--data", folder, "--db", "library", "--cache", path("cache"));
    expect(stdout).toMatch(
      /^Queries run in SQLite 3\.\S+ Gold queries: dev\.json; 0 of dev_tied_append\.json\.$/m,
    );
    rmSync(path("dev_tied_append.json"));
  });

  it("beside the score, one without questions that are known to be wrong", async () => {
    const question = {
      db_id: "bakery",
      evidence: "",
      difficulty: "simple",
      SQL: "SELECT COUNT(*) FROM products",
    };
    const rows = [
      { ...question, question_id: 137, question: "How many?", db_id: "financial" },
      { ...question, question_id: 137, question: "How many?" },
    ];
    const own = mkdtempSync(join(tmpdir(), "lse-known-"));
    buildTinyBird(own);
    writeFileSync(join(own, "other.json"), JSON.stringify(rows));
    const data = openBird(join(own, "other.json"));
    await using accuracy = new ExecutionAccuracy(
      { databasePath: () => data.databasePath("bakery") },
      5000,
      join(own, "cache"),
    );
    const sqls = ["SELECT 0", "SELECT COUNT(*) FROM products"];
    const predictions = data.questions.map((each, i) => ({ question: each, sql: sqls[i] as string }));
    const evaluation = await evaluatePredictions(predictions, accuracy);
    expect(evaluation).toMatchObject({ total: 2, ex: 50, clean: { total: 1, ex: 100 } });
    expect(defectOf(137, "bakery")).toBeUndefined();
    rmSync(own, { recursive: true });
  });
});
