import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lse } from "../cli.js";
import { writeMarkovModel } from "../markov-model.js";
import { put, putSubject, rows } from "../mmlu-files.js";
import { describeWithShared, sharedPath } from "../shared.js";

const folder = mkdtempSync(join(tmpdir(), "lse-cli-mmlu-"));
const path = (...names: string[]) => join(folder, ...names);
const read = (...names: string[]) => readFileSync(path(...names), "utf8");

const TINY = [
  "--task",
  "mmlu",
  "--model",
  path("model.gguf"),
  "--cache",
  path("cache"),
  "--rounds",
  "1",
  "--batch",
  "2",
  "--holdout",
  "3",
  "--test",
  "2",
  "--seed",
  "1",
  "--max-tokens",
  "60",
  "--temperature",
  "1",
  "--top-k",
  "0",
  "--top-p",
  "1",
  "--context",
  "8192",
  "--gpu-layers",
  "0",
  "--threads",
  "1",
  "--sequences",
  "8",
  "--decode-batch",
  "256",
  "--no-flash-attention",
];

beforeAll(async () => {
  await writeMarkovModel(path("model.gguf"));
  for (const subject of ["anatomy", "virology"]) putSubject(path("data", subject), rows(12));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("lse evolve --task mmlu", () => {
  it("evolves a subject and keeps it in the configuration, from which it runs again", () => {
    const options = [...TINY, "--data", path("data"), "--subject", "virology"];
    expect(lse("evolve", ...options, "--out", path("run"))).toMatchObject({ status: 0 });
    expect(JSON.parse(read("run", "tree.json")).nodes).toHaveLength(2);
    const { task } = JSON.parse(read("run", "config.json"));
    expect(task).toMatchObject({ name: "mmlu", data: path("data"), db: "virology", goldRules: "corrected" });
    expect(lse("evolve", "--config", path("run", "config.json"), "--out", path("again")).status).toBe(0);
    expect(read("again", "tree.json")).toBe(read("run", "tree.json"));
    const query = lse("query", path("run"), "SELECT task, database FROM runs", "--json");
    expect(JSON.parse(query.stdout)).toEqual({ task: "mmlu", database: "virology" });
  });

  it.each([
    ["a slip in the subject", ["--subject", "virolgy"], /no subject "virolgy".*Did you mean virology\?/],
    [
      "a database as well",
      ["--subject", "virology", "--db", "anatomy"],
      /--subject.*cannot be used with.*--db/,
    ],
    ["a time limit for SQL", ["--subject", "virology", "--timeout", "3"], /field task: .*"timeout"/],
  ])("%s: an error, and no folder", (_name, options, message) => {
    const { status, stderr } = lse(
      "evolve",
      ...TINY,
      "--data",
      path("data"),
      ...options,
      "--out",
      path("bad"),
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
    expect(existsSync(path("bad"))).toBe(false);
  });
});

it("lse collect takes subjects as databases", () => {
  const { model, evolve } = JSON.parse(read("run", "config.json"));
  const task = { name: "mmlu", data: path("data"), cache: path("cache") };
  const config = put(path("trees.json"), { task, model, evolve });
  const options = ["--config", config, "--db", "anatomy", "virology", "--out", path("trees")];
  expect(lse("collect", ...options)).toMatchObject({ status: 0 });
  expect(readdirSync(path("trees")).sort()).toEqual(["anatomy-seed1", "virology-seed1"]);
  expect(read("trees", "virology-seed1", "tree.json")).toBe(read("run", "tree.json"));
});

describeWithShared("lse evolve on published data", ["mmlu/mmlu-pro-redux"], () => {
  it("a round on biology writes a tree", () => {
    const options = ["--data", sharedPath("mmlu/mmlu-pro-redux"), "--subject", "biology"];
    const { status, stderr } = lse("evolve", ...TINY, ...options, "--out", path("biology"));
    expect(stderr).toMatch(/mmlu\/biology: 1 round/);
    expect(status).toBe(0);
    expect(JSON.parse(read("biology", "tree.json")).nodes.length).toBeGreaterThanOrEqual(1);
  });
});
