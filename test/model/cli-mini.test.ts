import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NAMED_SHAPES, writeRandomModel } from "#lse/gguf/random-model.js";
import { parseRules, rulesText } from "#lse/mini/rules.js";
import { miniDeltaTokenizer } from "#lse/mini/tokenizer.js";
import { lse, startLse } from "../cli.js";
import { writeMarkovModel } from "../markov-model.js";

const folder = mkdtempSync(join(tmpdir(), "lse-cli-mini-"));
const path = (name: string) => join(folder, name);
const json = (name: string) => JSON.parse(readFileSync(path(name), "utf8"));

beforeAll(() => writeMarkovModel(path("model.gguf")));
afterAll(() => rmSync(folder, { recursive: true }));

describe("lse mini show", () => {
  it("prints tables, conventions and ten questions, always the same", () => {
    const { status, stdout } = lse("mini", "show", "3");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^test\/3: airport\n/);
    expect(stdout).toMatch(/\n {2}flights \(\d+ rows\): flight_id integer, .*pilot_id integer → pilots/);
    expect(stdout.match(/ means /g)?.length).toBeGreaterThanOrEqual(8);
    expect(stdout.match(/ \?\n {4}SELECT /g)).toHaveLength(10);
    expect(lse("mini", "show", "test/3").stdout).toBe(stdout);
  });

  it("--json prints one document", () => {
    const shown = JSON.parse(lse("mini", "show", "dev/1", "--json").stdout);
    expect(shown).toMatchObject({ id: "dev/1", domain: "music" });
    expect(shown.questions).toHaveLength(10);
  });
});

describe("lse mini export", () => {
  it("writes BIRD's layout, in which every gold query passes and naive ones do not", () => {
    const out = path("bird");
    expect(lse("mini", "export", out, "--dbs", "2-3,dev/0", "--questions", "25")).toMatchObject({
      status: 0,
    });
    const validated = lse("bird", "validate", "--data", out, "--cache", path("cache"), "--json");
    expect(validated.status).toBe(0);
    expect(JSON.parse(validated.stdout)).toMatchObject({ total: 75, correct: 75 });

    const questions = json("bird/dev.json");
    expect(Object.keys(questions[0])).toEqual([
      "question_id",
      "db_id",
      "question",
      "evidence",
      "SQL",
      "difficulty",
    ]);
    expect(readFileSync(path("bird/dev.sql"), "utf8").trim().split("\n")).toHaveLength(75);
    for (const { db_id, table_names, column_names, column_types, foreign_keys, primary_keys } of json(
      "bird/dev_tables.json",
    )) {
      expect(column_types).toHaveLength(column_names.length);
      expect(primary_keys).toHaveLength(table_names.length);
      for (const [from, to] of foreign_keys) expect(column_names[from][1]).toBe(column_names[to][1]);
      for (const table of table_names) {
        expect(existsSync(path(`bird/dev_databases/${db_id}/database_description/${table}.csv`))).toBe(true);
      }
    }

    const predictions = questions.map(({ question_id, db_id, SQL }: Record<string, string>) => ({
      question_id,
      db_id,
      predicted_sql: SQL?.replace(/ WHERE.*/, ""),
    }));
    writeFileSync(path("predictions.json"), JSON.stringify(predictions));
    const options = [
      "--data",
      out,
      "--cache",
      path("cache"),
      "--predictions",
      path("predictions.json"),
      "--json",
    ];
    const { total, correct } = JSON.parse(lse("bird", "eval", ...options).stdout);
    expect(total).toBe(75);
    expect(correct).toBeLessThan(25);
  });

  it.each([
    [["show", "x"], /not a database of the miniature world\. Give its seed/],
    [["export", path("new"), "--dbs", "5-2"], /names -2 databases\. Name 1 to/],
    [["export", path("new"), "--dbs", "1,0-3"], /test\/1 is named twice/],
    [["export", folder], /is not empty\. Choose a new folder/],
    [["export", join(path("model.gguf"), "x")], /cannot write there/],
    [["export", path("new"), "--dbs", "0", "--questions", "100000"], /only \d+ questions/],
  ])("%j says what to do", (options, message) => {
    const { status, stderr } = lse("mini", ...options);
    expect(stderr).toMatch(message);
    expect(status).toBe(1);
  });
});

describe("lse evolve --task mini", () => {
  const options = ["--task", "mini", "--db", "test/3", "--model", path("model.gguf"), "--threads", "1"];
  const small = [
    "--rounds",
    "2",
    "--batch",
    "2",
    "--holdout",
    "3",
    "--max-tokens",
    "60",
    "--context",
    "4096",
  ];

  it("runs, resumes and knows its own defaults", () => {
    const out = path("run");
    expect(lse("evolve", ...options, ...small, "--gpu-layers", "0", "--out", out)).toMatchObject({
      status: 0,
    });
    const config = json("run/config.json");
    expect(config.task).toEqual({ name: "mini", db: "test/3", timeout: 30 });
    expect(config.evolve).toMatchObject({ rounds: 2, ucbC: 0.3 });
    expect(config.evolve.sampling).toMatchObject({ temperature: 1, presencePenalty: 0, maxTokens: 60 });
    expect(json("run/tree.json").nodes[0].instructions).toBe("none");
    expect(lse("evolve", "--resume", out)).toMatchObject({ status: 0 });
    const { stdout } = lse("evolve", "--config", join(out, "config.json"), "--dry-run", "--json");
    // Where a run is belongs to its file only.
    const { folder: _, ...settings } = config;
    expect(JSON.parse(stdout).config).toEqual(settings);
  });

  it("is compared with another run of the same problems, queried and exported", () => {
    const chain = [...options, ...small, "--gpu-layers", "0", "--method", "chain", "--out", path("chain")];
    const reusing = lse("evolve", ...chain, "--reuse", path("run"), "--json");
    expect(reusing.status).toBe(0);
    // The seed's holdout and the first batch at least.
    expect(JSON.parse(reusing.stdout).reused).toBeGreaterThanOrEqual(3 + 2);
    expect(json("chain/config.json").reuse).toBe(path("run"));
    const compared = lse("compare", path("run"), path("chain"), "--json");
    expect(compared.status).toBe(0);
    const { methods, differences } = JSON.parse(compared.stdout);
    expect(methods.map(({ method }: { method: string }) => method)).toEqual(["UCB tree (c = 0.3)", "chain"]);
    expect(differences).toMatchObject([{ a: "UCB tree (c = 0.3)", b: "chain" }]);
    expect(methods[0].honest.low).toBeLessThanOrEqual(methods[0].honest.mean);
    expect(lse("compare", path("run"), path("chain")).stdout).toMatch(
      /^method +test +best on its holdout +answers +completions/,
    );
    const scored = ["eval", "--config", join(path("run"), "config.json"), "--out", path("seed")];
    expect(lse(...scored)).toMatchObject({ status: 0 });
    // 3 + 40 answers are nearer to the run's 3 + 2 · (2 + 3) + 40 than two draws of each.
    const rival = JSON.parse(lse("compare", path("run"), path("seed"), "--json").stdout);
    expect(rival).toMatchObject({ comparable: true, reasons: [] });
    expect(rival.methods.map(({ completions }: { completions: number }) => completions)).toEqual([53, 43]);

    const usage = lse(
      "query",
      path("run"),
      "SELECT phase, completions FROM usage WHERE phase = 'test'",
      "--json",
    );
    expect(JSON.parse(usage.stdout)).toEqual({ phase: "test", completions: 40 });
    expect(lse("query", path("run"), "SELECT 1 AS one").stdout).toBe("one\n1\n");
    const wrong = lse("query", path("run"), "SELECT x FROM nodes");
    expect([wrong.status, wrong.stderr]).toEqual([1, expect.stringContaining("The views are")]);
    expect(lse("export", path("run"), "--parquet", path("parquet")).status).toBe(0);
    expect(readdirSync(path("parquet")).sort()).toEqual(
      ["answers", "edits", "nodes", "readings", "rounds", "runs", "usage"].map((view) => `${view}.parquet`),
    );
    expect(lse("compare", path("parquet")).stderr).toMatch(/parquet: no run here/);
  });

  it("--edits delta: changes single rules in the models' own words, and resumes after a kill", async () => {
    const model = path("random.gguf");
    const shape = NAMED_SHAPES["1m"];
    const tokenizer = miniDeltaTokenizer;
    await writeRandomModel(model, { shape, type: "f16", tokenizer, seed: 1, contextLength: 1024 });
    const evolve = (out: string) => [
      ...[
        "evolve",
        "--task",
        "mini",
        "--db",
        "test/3",
        "--model",
        model,
        "--threads",
        "1",
        "--gpu-layers",
        "0",
      ],
      // The weights are random: a grammar makes them write changes.
      ...["--edits", "delta", "--constrain-edits", "--edit-temperature", "0.5", "--test", "0"],
      ...["--rounds", "4", "--batch", "2", "--holdout", "3", "--max-tokens", "100", "--out", out],
    ];
    expect(lse(...evolve(path("delta")))).toMatchObject({ status: 0 });
    const tree = readFileSync(path("delta/tree.json"), "utf8");
    const { nodes } = JSON.parse(tree) as {
      nodes: { instructions: string; self_evolve_prompt: { content: string }[] | null }[];
    };
    expect(nodes.length).toBeGreaterThan(1);
    expect(nodes[0]?.self_evolve_prompt?.[0]?.content).toMatch(/^delta rules none asked /);
    for (const { instructions } of nodes) expect(rulesText(parseRules(instructions))).toBe(instructions);

    const journal = path("killed/events.jsonl");
    const child = startLse(...evolve(path("killed")));
    const edited = () => existsSync(journal) && readFileSync(journal, "utf8").includes('"type":"edit"');
    while (!edited() && child.exitCode === null) await sleep(5);
    child.kill("SIGKILL");
    if (child.exitCode === null) await once(child, "exit");
    expect(lse("evolve", "--resume", path("killed"))).toMatchObject({ status: 0 });
    expect(readFileSync(path("killed/tree.json"), "utf8")).toBe(tree);
  });

  it.each([
    [["--data", "x"], /data/],
    [["--db", "bakery"], /not a database of the miniature world/],
  ])("%j is refused", (more, message) => {
    const { status, stderr } = lse("evolve", ...options, ...more, "--out", path("never"));
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
  });
});
