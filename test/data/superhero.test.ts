import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { BirdTask } from "#lse/bird/task.js";
import { lse } from "../cli.js";
import { describeWithShared, sharedPath } from "../shared.js";

const cache = mkdtempSync(join(tmpdir(), "lse-gold-"));
afterAll(() => rmSync(cache, { recursive: true }));

const DEV = "bird/dev/dev_databases/superhero/superhero.sqlite";
const json = (...options: string[]) => JSON.parse(lse(...options, "--cache", cache, "--json").stdout);

describeWithShared(
  "published predictions score what was published",
  [DEV, "bird/predictions/superhero"],
  () => {
    it.each([
      // Soft-F1 as a Python program computes it from the official formulas with sqlite3.
      ["alpha", 116, 91.58674021457583],
      ["codes-15b", 104, 82.34918369744278],
      ["c3", 93, 75.02974176787772],
      ["chatgpt+cot", 86, 64.49263319264473],
    ])("%s: %i of 129, question by question", (system, correct, softF1) => {
      const file = sharedPath(`bird/predictions/superhero/${system}.json`);
      const published: { question_id: number; ex: number }[] = JSON.parse(readFileSync(file, "utf8"));
      const options = ["--data", sharedPath("bird/dev"), "--predictions", file, "--metrics", "ex,soft-f1"];
      const evaluation = json("bird", "eval", ...options);
      expect(evaluation).toMatchObject({ total: 129, correct });
      expect(evaluation.soft_f1).toBeCloseTo(softF1, 9);
      const scored = evaluation.questions.map(({ question_id, ex }: (typeof published)[0]) => [
        question_id,
        ex,
      ]);
      expect(scored).toEqual(published.map(({ question_id, ex }) => [question_id, ex]));
    });

    it("the official form scores the same", () => {
      const official = join(cache, "official.json");
      const list = sharedPath("bird/predictions/superhero/c3.json");
      const data = sharedPath("bird/dev");
      const before = json("bird", "eval", "--data", data, "--predictions", list, "--save-official", official);
      expect(JSON.parse(readFileSync(official, "utf8"))["717"]).toMatch(
        /^SELECT.*\t----- bird -----\tsuperhero$/s,
      );
      const after = json("bird", "eval", "--data", data, "--predictions", official);
      expect(after).toEqual(before);
    });

    it("--timeout ends a prediction that runs on", () => {
      const endless =
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r";
      const file = join(cache, "endless.json");
      writeFileSync(file, JSON.stringify({ "717": endless, "718": "SELECT 1" }));
      const options = ["--data", sharedPath("bird/dev"), "--predictions", file, "--timeout", "0.5"];
      const { total, questions } = json("bird", "eval", ...options);
      expect(total).toBe(2);
      expect(questions[0].error).toContain("longer than 0.5 s");
      expect(questions[1].error).toContain("result mismatch");
    });
  },
);

describeWithShared("every gold query scores 1 against itself", [DEV, "bird/train/train_databases"], () => {
  it("superhero: 129 of 129", () => {
    const report = json("bird", "validate", "--data", sharedPath("bird/dev"), "--db", "superhero");
    expect(report).toMatchObject({ total: 129, correct: 129, databases: { superhero: { total: 129 } } });
  });

  it("train: 454 of 454 over three databases", () => {
    const report = json("bird", "validate", "--data", sharedPath("bird/train"));
    expect(report).toMatchObject({ total: 454, correct: 454 });
    expect(Object.keys(report.databases).sort()).toEqual(["books", "movies_4", "video_games"]);
  });
});

describeWithShared("DuckDB returns what SQLite does", [DEV, "bird/train/train_databases"], () => {
  const counts = (...options: string[]) => {
    const all = JSON.parse(lse("bird", "dialects", ...options, "--json").stdout);
    return Object.fromEntries(
      Object.entries(all as Record<string, Record<string, number>>).map(([name, own]) => [
        name,
        [own.gold, own.agree],
      ]),
    );
  };

  it("for all gold queries of superhero, and most of the others", () => {
    expect(counts("--data", sharedPath("bird/dev"), "--db", "superhero")).toEqual({ superhero: [129, 129] });
    const train = counts("--data", sharedPath("bird/train"));
    expect(Object.values(train).map(([gold]) => gold)).toEqual([184, 118, 152]);
    // Which of several equal rows a LIMIT takes may change.
    for (const [gold = 0, agree = 0] of Object.values(train)) expect(agree / gold).toBeGreaterThan(0.8);
  }, 180_000);
});

describeWithShared("the BIRD task on superhero", [DEV], () => {
  it("grades answers in tags, and tells the evolver what went wrong", async () => {
    await using task = await BirdTask.open({
      dataPath: sharedPath("bird/dev"),
      dbId: "superhero",
      timeoutMs: 30_000,
      cacheFolder: cache,
    });
    expect(task.problemIds).toHaveLength(129);
    expect(task.systemPrompt("Mind the units.")).toMatch(/CREATE TABLE superhero .*Mind the units\./s);
    const [system, user] = task.prompt("719", "Mind the units.");
    expect(system?.content).toBe(task.systemPrompt("Mind the units."));
    expect(user?.content).toMatch(/^Keep to these instructions:\nMind the units\..*Hints: .*Question: /s);

    const gold = task.report("719", await task.grade("719", "none")).match(/Correct SQL: (.*)/)?.[1] ?? "";
    const right = await task.grade("719", `Let me think. <answer>${gold}</answer>`);
    expect(right).toMatchObject({ score: 1, correct: true, answer: gold, error: null });
    const wrong = await task.grade("719", "<answer>SELECT 'nobody'</answer>");
    expect(wrong).toMatchObject({ score: 0, correct: false });
    expect(wrong.error).toMatch(/predicted: \[\('nobody',\)\] \| gold: \[\(/);
    const untagged = await task.grade("719", gold);
    expect(untagged.error).toContain("<answer>");
    expect(task.report("719", wrong)).toMatch(/Correct: False\nError: result mismatch/);
    expect(await task.validate()).toEqual({ total: 129, passed: 129, failures: [] });
  });
});
