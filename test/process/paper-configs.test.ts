import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DatabaseSync } from "@photostructure/sqlite";
import { afterAll, beforeAll, expect, it } from "vitest";
import { planRun } from "#lse/evolve/plan.js";
import { splitProblems } from "#lse/evolve/split.js";
import { readJson } from "#lse/lib/json-file.js";
import { SUBJECTS } from "#lse/mmlu/subjects.js";
import { resolveConfig } from "#lse/runs/config.js";
import { openTask } from "#lse/runs/tasks.js";
import { knownSizes } from "#lse/train/model/known-models.js";
import { lse } from "../cli.js";
import { put, putSubject, rows } from "../mmlu-files.js";

const folder = mkdtempSync(join(tmpdir(), "lse-paper-"));
const path = (...names: string[]) => join(folder, ...names);
const configPath = (name: string) => fileURLToPath(new URL(`../../configs/${name}`, import.meta.url));

/** Ten of the 57, of 100 questions each as in MMLU-Redux. */
const TEN = SUBJECTS["MMLU-Redux 2.0"].slice(0, 10);
/** Five databases of BIRD, with as many questions as dev has about the one with the fewest. */
const FIVE = ["card_games", "financial", "formula_1", "superhero", "toxicology"];
const FEWEST = 64;

beforeAll(() => {
  for (const subject of TEN) putSubject(path("mmlu", subject), rows(100));
  for (const database of FIVE) {
    const home = path("bird", "dev_databases", database);
    mkdirSync(home, { recursive: true });
    const db = new DatabaseSync(join(home, `${database}.sqlite`));
    db.exec("CREATE TABLE t (n INTEGER)");
    db.close();
  }
  const questions = FIVE.flatMap((db_id) =>
    Array.from({ length: FEWEST }, (_, i) => ({ db_id, question: `Question ${i}?`, SQL: `SELECT ${i}` })),
  );
  put(path("bird", "dev.json"), questions);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** 50 problems × 8 for the seed and 25 children, and 25 batches of 10; no test. */
const BUDGET = { rounds: 25, edits: 25, answers: 50 * 8 * 26 + 25 * 10, testAnswers: 0 };

it.each([
  ["paper-mmlu.json", "mmlu", TEN],
  ["paper-bird.json", "bird", FIVE],
  ["arctic-transfer.json", "bird", FIVE],
])("%s: the paper's protocol on each subject or database", async (file, data, names) => {
  const saved = readJson(configPath(file)) as { task: object };
  for (const db of names) {
    const config = resolveConfig(
      { ...saved, task: { ...saved.task, data: path(data), db, cache: path("cache") } },
      file,
    );
    await using task = await openTask(config.task);
    expect(task.id).toBe(`${data}/${db}`);
    expect(planRun(task, null, config.evolve).budget).toMatchObject(BUDGET);
    const { holdout, pool } = splitProblems(task, config.evolve);
    expect([holdout.length, holdout.length + pool.length]).toEqual([50, task.problemIds.length]);
  }
});

it.each([
  ["paper-mmlu.json", ["--data", path("mmlu"), "--subject", TEN[3] as string]],
  ["paper-bird.json", ["--data", path("bird"), "--db", FIVE[3] as string]],
  ["arctic-transfer.json", ["--data", path("bird"), "--db", FIVE[3] as string]],
])("lse evolve --config %s --dry-run", (file, options) => {
  const { status, stdout } = lse(
    "evolve",
    "--config",
    configPath(file),
    ...options,
    "--cache",
    path("cache"),
    "--dry-run",
    "--gpu",
    "a100",
    "--json",
  );
  expect(status).toBe(0);
  const { config, budget, hours } = JSON.parse(stdout);
  expect(budget).toMatchObject(BUDGET);
  expect(budget.promptTokensEvaluated).toBeLessThan(budget.promptTokens);
  expect(hours).toMatchObject({ gpu: "a100" });
  const { prompts, per_hundred_tokens, at_most } = hours;
  expect(at_most).toBeCloseTo(prompts + (config.evolve.sampling.maxTokens / 100) * per_hundred_tokens, 9);
  expect(config.evolve).toMatchObject({
    method: "ucb",
    ucbC: 2,
    samples: 8,
    sampling: { temperature: 0.7, topK: 20, topP: 0.8, minP: 0, presencePenalty: 0.5 },
  });
});

it("Arctic answers in fences, and the trained evolver edits", () => {
  const { task, model, evolver } = resolveConfig(
    readJson(configPath("arctic-transfer.json")),
    "arctic-transfer.json",
  );
  expect(task).toMatchObject({ answers: "fenced", cutRepetition: true });
  expect(knownSizes(model.path)).toMatchObject({ family: "qwen2" });
  expect(evolver.adapter).toMatch(/best\.gguf$/);
});

it("lse collect --dry-run adds up the runs of several databases", () => {
  const { status, stdout, stderr } = lse(
    "collect",
    "--config",
    put(path("trees.json"), treesConfig()),
    "--db",
    ...FIVE.slice(0, 2),
    "--runs",
    "3",
    "--dry-run",
    "--gpu",
    "h100",
  );
  expect(status, stderr).toBe(0);
  const answers = 50 * 8 * 21 + 20 * 10;
  expect(stdout).toContain(
    `bird/card_games: 3 runs, each of 20 rounds, 20 edits, ${answers.toLocaleString("en")}`,
  );
  expect(stdout).toContain(`In all: 6 runs, 120 edits, ${(6 * answers).toLocaleString("en")} answers`);
  expect(stdout).toMatch(
    /On one h100, estimated at 40 % of the arithmetic .* for prompts and .* s for every 100/,
  );
});

function treesConfig() {
  const saved = readJson(configPath("paper-trees.json")) as { task: object };
  return { ...saved, task: { ...saved.task, data: path("bird"), cache: path("cache") } };
}

it.each([
  [["--config", configPath("paper-bird.json"), "--data", path("bird"), "--db", "superheros"], "superhero"],
  [
    ["--config", configPath("arctic-transfer.json"), "--data", path("bird"), "--db", "card_game"],
    "card_games",
  ],
  [["--config", configPath("paper-mmlu.json"), "--data", path("mmlu"), "--subject", "anatomi"], "anatomy"],
  [["--task", "mini", "--model", "m.gguf", "--db", "tset/3"], "test/3"],
  [["--task", "mini", "--model", "m.gguf", "--db", "training/4"], "train/4"],
])("a wrong name %j suggests the nearest", (options, meant) => {
  const { status, stderr } = lse("evolve", ...options, "--cache", path("cache"), "--dry-run");
  expect(status).toBe(1);
  expect(stderr).toContain(`Did you mean ${meant}?`);
});

it("a GPU that is too small, or a model of unknown sizes, is said", () => {
  const run = (...options: string[]) =>
    lse(
      "evolve",
      "--config",
      configPath("paper-bird.json"),
      "--data",
      path("bird"),
      "--db",
      "superhero",
      "--cache",
      path("cache"),
      "--dry-run",
      ...options,
    ).stderr;
  expect(run("--gpu", "t4", "--model", "Arctic-Text2SQL-R1-7B-F16.gguf")).toMatch(
    /does not fit into a t4's memory/,
  );
  expect(run("--gpu", "t4", "--model", "other.gguf")).toMatch(
    /other\.gguf: no such file.* name one of Qwen3-0\.6B/s,
  );
  expect(run("--gpu", "abacus")).toMatch(/Allowed choices are t4, l4/);
});
