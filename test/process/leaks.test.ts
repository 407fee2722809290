import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { evolve } from "#lse/evolve/evolve.js";
import { printManual } from "#lse/evolve/manual.js";
import { splitProblems } from "#lse/evolve/split.js";
import { treeToJson } from "#lse/evolve/tree-file.js";
import { JournalFile } from "#lse/journal/journal-file.js";
import { RunFolder } from "#lse/journal/run-folder.js";
import { resolveConfig } from "#lse/runs/config.js";
import { openTask } from "#lse/runs/tasks.js";
import { lse } from "../cli.js";
import { ScriptedModel } from "../fakes.js";
import { buildTinyBird } from "../tiny-bird/build.js";

const home = mkdtempSync(join(tmpdir(), "lse-leaks-"));
const path = (name: string) => join(home, name);
afterAll(() => rmSync(home, { recursive: true }));

const config = () =>
  resolveConfig(
    {
      task: { name: "bird", data: path("data"), db: "bakery", cache: path("cache") },
      model: { path: path("model.gguf") },
      evolve: {
        ...{ rounds: 6, batch: 3, holdout: 3, test: 3, method: "chain", edits: "example", seed: 4 },
        strategy: { examples: 1 },
      },
    },
    "here",
  );

beforeAll(async () => {
  buildTinyBird(path("data"));
  // A twin of the question about the cheesecake, beside it.
  const questions = JSON.parse(readFileSync(path("data/dev.json"), "utf8"));
  const cake = questions.find(({ question_id: id }: { question_id: number }) => id === 3);
  const twin = JSON.stringify(cake).replaceAll("cheesecake", "baguette").replaceAll("Cheesecake", "Baguette");
  questions.push({ ...JSON.parse(twin), question_id: 99 });
  writeFileSync(path("data/dev.json"), JSON.stringify(questions));
  const folder = RunFolder.create(path("run"), config());
  await using task = await openTask(config().task);
  using log = new JournalFile(folder.eventsPath);
  const model = new ScriptedModel(() => "<answer>SELECT 1</answer>");
  folder.writeTree(treeToJson(await evolve(task, model, config().evolve, log), config().evolve));
});

it("finds nothing in a run that showed solved problems of the pool alone", () => {
  const { status, stdout, stderr } = lse("validate", "--run", path("run"));
  expect(stderr).toBe("");
  expect(status).toBe(0);
  expect(stdout).toMatch(
    /^\d manuals and \d\d answers: no problem of holdout or test, and no twin of one, was shown\n$/,
  );
  expect(readFileSync(path("run/tree.json"), "utf8")).toContain("Examples:");
});

it("names the node or the prompt that shows a problem that scores nodes, a twin of one, or quotes a single one", async () => {
  await using task = await openTask(config().task);
  const { holdout, test, pool } = splitProblems(task, config().evolve);
  const [first = ""] = test;
  const scored = [...holdout, ...test];
  const pair = scored.includes("3") ? ["99", "3"] : scored.includes("99") ? ["3", "99"] : null;
  const tree = JSON.parse(readFileSync(path("run/tree.json"), "utf8"));
  const shows = (id: string) => `${task.parts?.question(id)}\n<answer>SELECT 1</answer>`;
  const asked = task.describe?.(first).question ?? "";
  const rules = [`For the question "${asked.split("Question: ")[1]}" answer 1.`];
  tree.nodes[1].instructions = printManual({ head: "Answer.", rules, examples: [shows(first)] });
  const [twin = "", other = ""] = pair ?? [];
  tree.nodes[2].instructions = printManual({ head: "Answer.", rules: [], examples: [shows(twin)] });
  tree.nodes[3].instructions = `To this:\n  ${asked.toUpperCase()}\nanswer 1.`;
  writeFileSync(path("run/tree.json"), JSON.stringify(tree));
  const { type, key, ...answer } = JSON.parse(
    readFileSync(path("run/events.jsonl"), "utf8")
      .split("\n")
      .find((line) => line.includes('"type":"answer"')) ?? "",
  );
  const shown = { ...answer, problem: pool[0], examples: [first] };
  appendFileSync(path("run/events.jsonl"), `${JSON.stringify({ type, key: `${key}/more`, ...shown })}\n`);
  const { status, stdout } = lse("validate", "--run", path("run"));
  expect(status).toBe(1);
  expect(stdout).toContain(`node 1: an example shows problem ${first}\n`);
  expect(stdout).toContain(`node 1: a rule quotes the question of problem ${first}\n`);
  expect(stdout).toContain(`node 3: the text has the question of problem ${first}\n`);
  expect(pair).not.toBeNull();
  expect(stdout).toContain(`node 2: an example shows problem ${twin}, a twin of problem ${other}\n`);
  expect(stdout).toContain(`the prompt of problem ${pool[0]} shows problem ${first}\n`);
  expect(JSON.parse(lse("validate", "--run", path("run"), "--json").stdout).leaks).toHaveLength(5);
});
