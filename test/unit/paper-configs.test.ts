import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DatabaseSync } from "@photostructure/sqlite";
import { afterAll, beforeAll, expect, it } from "vitest";
import { resolveConfig } from "#lse/cli/run-config.js";
import { openTask } from "#lse/cli/tasks.js";
import { budgetOf } from "#lse/evolve/config.js";
import { splitProblems } from "#lse/evolve/split.js";
import { readJson } from "#lse/json-file.js";
import { SUBJECTS } from "#lse/mmlu/subjects.js";
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
])("%s: the paper's protocol on each subject or database", async (file, data, names) => {
  const saved = readJson(configPath(file)) as { task: object };
  for (const db of names) {
    const config = resolveConfig(
      { ...saved, task: { ...saved.task, data: path(data), db, cache: path("cache") } },
      file,
    );
    await using task = await openTask(config);
    expect(task.id).toBe(`${data}/${db}`);
    expect(budgetOf(task, config.evolve)).toMatchObject(BUDGET);
    const { holdout, pool } = splitProblems(task, config.evolve);
    expect([holdout.length, holdout.length + pool.length]).toEqual([50, task.problemIds.length]);
  }
});

it.each([
  ["paper-mmlu.json", ["--data", path("mmlu"), "--subject", TEN[3] as string]],
  ["paper-bird.json", ["--data", path("bird"), "--db", FIVE[3] as string]],
])("lse evolve --config %s --dry-run", (file, options) => {
  const { status, stdout } = lse(
    "evolve",
    "--config",
    configPath(file),
    ...options,
    "--cache",
    path("cache"),
    "--dry-run",
    "--json",
  );
  expect(status).toBe(0);
  const { config, budget } = JSON.parse(stdout);
  expect(budget).toMatchObject(BUDGET);
  expect(config.evolve).toMatchObject({
    ...{ method: "ucb", ucbC: 2, samples: 8 },
    sampling: { temperature: 0.7, topK: 20, topP: 0.8, minP: 0, presencePenalty: 0.5 },
  });
});
