import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PAPER_STRATEGY } from "#lse/answer/strategy.js";
import { evolveConfigSchema } from "#lse/evolve/config.js";
import { evolve } from "#lse/evolve/evolve.js";
import { treeToJson } from "#lse/evolve/tree-file.js";
import { MemoryJournal } from "#lse/journal/journal.js";
import { JournalFile } from "#lse/journal/journal-file.js";
import { RunFolder } from "#lse/journal/run-folder.js";
import { type GenerateRequest, PAPER_SAMPLING } from "#lse/model.js";
import { CachedModel } from "#lse/runtime/cached-model.js";
import { ask, giveFeedback } from "#lse/workspace/ask.js";
import { AskedLog } from "#lse/workspace/asked.js";
import { openExecutor } from "#lse/workspace/executor.js";
import { Workspace } from "#lse/workspace/folder.js";
import { measureGain } from "#lse/workspace/gain.js";
import { historyOf } from "#lse/workspace/history.js";
import { initFolder } from "#lse/workspace/init.js";
import { partsOf, problemsOf, writeProblems } from "#lse/workspace/problems.js";
import { protocolFor } from "#lse/workspace/protocol.js";
import { QuestionFile } from "#lse/workspace/questions.js";
import { ruleUnits } from "#lse/workspace/rule-units.js";
import { readSettled, settle } from "#lse/workspace/settle.js";
import { WorkspaceTask } from "#lse/workspace/task.js";
import { measureWorth } from "#lse/workspace/worth.js";
import { isEdit, ScriptedModel } from "../fakes.js";
import { bakery, questions, scratch } from "../workspace-folder.js";

const folder = scratch();
const { path } = folder;
afterAll(folder.remove);

const ADD = "- Add the number of the question.";

/** Answers right where the instructions have the rule that all questions need; its edits add that rule. */
function baker({ messages }: GenerateRequest): string {
  const [system, user] = messages.map(({ content }) => content);
  const number = /Question (\d+)\?/.exec(user ?? "")?.[1];
  return system?.includes(ADD)
    ? `<answer>SELECT count(*) + ${number} FROM cakes</answer>`
    : "<answer>SELECT 0 - 1</answer>";
}
const learning = (edit: string) => (request: GenerateRequest) =>
  isEdit(request) ? `<prompt>${edit}</prompt>` : baker(request);

/** A run of `lse evolve`, with a model that plays. */
async function run(own: Workspace, name: string, edit: string) {
  const problems = problemsOf(own);
  writeProblems(own.problemsPath(name), problems);
  const config = {
    evolve: evolveConfigSchema.parse({ ...protocolFor(partsOf(problems), false), rounds: 2, samples: 1 }),
  };
  const home = RunFolder.create(own.runPath(name), config);
  await using task = await WorkspaceTask.open({
    dataPath: own.problemsPath(name),
    timeoutMs: 5000,
    cacheFolder: path("cache"),
  });
  using log = new JournalFile(home.eventsPath);
  const model = new ScriptedModel(learning(edit));
  const evolution = await evolve(task, model, config.evolve, log);
  home.writeTree(treeToJson(evolution, config.evolve));
  home.writeBest(evolution.tree.best().instructions);
  return { gain: await measureGain({ folder: home, config, evolution, task, policy: model }), model };
}

describe("the manual", () => {
  let own: Workspace;
  beforeAll(async () => {
    own = Workspace.open(await bakery(path("manual"), questions(30)));
  });

  it("is the best instructions of a run, when they beat its start; the test says by how much", async () => {
    const { gain } = await run(own, "001", `${ADD}\n- Be kind.`);
    expect(gain).toEqual({ mean: 1, low: 1, high: 1 });
    const settled = settle(own, "001", gain);
    expect(settled).toMatchObject({ outcome: "taken", questions: 30, holdout: 10, start: 0, best: 1, gain });
    expect(settled.test).toMatchObject({ problems: 10, mean: 1 });
    expect(own.manual()).toBe(`${ADD}\n- Be kind.`);
    expect(readSettled(own, "001")).toEqual(settled);
    // Whoever settles it again, since a kill came before it was noted, finds the same.
    expect(settle(own, "001", gain)).toEqual(settled);
  });

  it("is what the next run starts from, an edit by hand included; what is no better leaves it", async () => {
    own.writeManual(`${ADD}\n- Be very kind.`);
    const { gain, model } = await run(own, "002", "something else entirely");
    expect(model.requests[0]?.messages[0]?.content).toContain("- Be very kind.");
    expect(gain).toBeNull();
    expect(settle(own, "002", gain)).toMatchObject({ outcome: "kept", start: 1, best: 1 });
    expect(own.manual()).toBe(`${ADD}\n- Be very kind.`);
    expect(historyOf(own).map(({ title, before, after }) => [title, before === after])).toEqual([
      ["run 001", false],
      ["edited by hand", false],
      ["run 002", true],
    ]);
  });

  it("that was edited while a run went on stays as it is", async () => {
    own.writeManual("Answer.");
    await run(own, "003", `${ADD}\n- And more.`);
    own.writeManual("Answer in time.");
    expect(settle(own, "003", null)).toMatchObject({ outcome: "edited", start: 0, best: 1 });
    expect(own.manual()).toBe("Answer in time.");
  });

  it("each rule is worth what is lost without it; measured answers are kept", async () => {
    const manual = `# Rules\n${ADD}\n- Be kind.`;
    await using task = await WorkspaceTask.open({
      dataPath: own.problemsPath("001"),
      timeoutMs: 5000,
      cacheFolder: path("cache"),
    });
    const config = evolveConfigSchema.parse({ seed: 1, samples: 2 });
    const journal = new MemoryJournal();
    const measure = async () => {
      const inner = new ScriptedModel(baker);
      const model = new CachedModel(inner, journal);
      const worth = await measureWorth(manual, ruleUnits(manual), task.holdoutIds, {
        task,
        model,
        config,
        journal,
      });
      return { worth, asked: inner.requests.length };
    };
    const first = await measure();
    expect(first.asked).toBe(3 * 10 * 2);
    expect(first.worth).toMatchObject({
      score: { mean: 1 },
      problems: 10,
      rules: [
        { rule: ADD, mean: 1, low: 1, high: 1 },
        { rule: "- Be kind.", mean: 0, low: 0, high: 0 },
      ],
    });
    expect(await measure()).toEqual({ worth: first.worth, asked: 0 });
  });
});

describe("rules of a manual", () => {
  it("are the items of lists, with the lines that belong to them, and paragraphs; headings stay", () => {
    const manual =
      "Answer well,\nand in time.\n\n## Prices\n- In cents.\n  Divide by 100:\n  - always\n* Never round.\n\n1. Join by id.\n\nThe end.";
    const units = ruleUnits(manual);
    expect(units.map(({ text }) => text)).toEqual([
      "Answer well,\nand in time.",
      "- In cents.\n  Divide by 100:\n  - always",
      "* Never round.",
      "1. Join by id.",
      "The end.",
    ]);
    expect(units[1]?.without).toBe(
      "Answer well,\nand in time.\n\n## Prices\n* Never round.\n\n1. Join by id.\n\nThe end.",
    );
  });

  it("of one paragraph are one, and nothing is left without it", () => {
    expect(ruleUnits("Just answer.")).toEqual([{ text: "Just answer.", without: "" }]);
    expect(ruleUnits("")).toEqual([]);
  });
});

describe("asking and feedback", () => {
  const asking = async (root: string, text = "") => {
    const own = Workspace.open(await bakery(path(root), text));
    const put = async (question: string, answer = "<answer>SELECT name FROM cakes ORDER BY id</answer>") => {
      await using executor = openExecutor(own);
      const model = new ScriptedModel(() => answer);
      const { asked, result } = await ask(
        own,
        { question, evidence: "" },
        { model, sampling: PAPER_SAMPLING, strategy: PAPER_STRATEGY, executor },
      );
      return { asked, result, request: model.requests[0] };
    };
    const say = async (verdict: "right" | "wrong", options: { id?: number; sql?: string } = {}) => {
      await using executor = openExecutor(own);
      return await giveFeedback(own, verdict, options, executor);
    };
    const known = () =>
      new QuestionFile(own.questionsPath).questions.map(({ question, sql }) => [question, sql]);
    return { own, put, say, known };
  };

  it("an answer is executed and written down, with the manual it was asked under", async () => {
    const { own, put } = await asking("asking");
    own.writeManual("Be brief.");
    const { asked, result, request } = await put("Which cakes?");
    expect(request?.sampling.temperature).toBe(0);
    expect(request?.messages[0]?.content).toContain("# Instructions\nBe brief.");
    expect(result).toMatchObject({
      ok: true,
      rows: 3,
      table: { columns: ["name"], rows: [["Sacher"], ["Linzer"], ["Dobos"]] },
    });
    expect(asked).toMatchObject({ id: 1, question: "Which cakes?", error: null, rows: 3 });
    expect((await put("And?", "no idea")).asked).toMatchObject({
      id: 2,
      sql: "",
      error: "the response has no query",
    });
    expect(new AskedLog(own.askedPath).questions.map(({ id }) => id)).toEqual([1, 2]);
  });

  it("DuckDB answers where the database is DuckDB's", async () => {
    writeFileSync(path("cakes.csv"), "name,price\nSacher,4.5\n");
    await initFolder({ databases: [path("cakes.csv")], folder: path("duck"), prompts: "sql", model: {} });
    const own = Workspace.open(path("duck"));
    await using executor = openExecutor(own);
    const model = new ScriptedModel(() => "<answer>FROM cakes SELECT name AS cake, price</answer>");
    const { result } = await ask(
      own,
      { question: "Which?", evidence: "" },
      { model, sampling: PAPER_SAMPLING, strategy: PAPER_STRATEGY, executor },
    );
    expect(result).toMatchObject({ table: { columns: ["cake", "price"], rows: [["Sacher", 4.5]] } });
  });

  it("a database with changes that are not in it yet is told before a model is asked", async () => {
    const { own, put } = await asking("pending");
    writeFileSync(`${own.databasePath}-wal`, "something");
    await expect(put("Which?")).rejects.toThrow(/has changes that are not yet in it/);
    expect(new AskedLog(own.askedPath).questions).toEqual([]);
  });

  it("a right answer becomes a problem, once", async () => {
    const { own, put, say, known } = await asking("right", "# mine\n- question: old\n  sql: SELECT 1\n");
    await put("Which cakes?");
    expect((await say("right")).done).toBe("added");
    expect((await say("right")).done).toBe("known");
    expect(known()).toEqual([
      ["old", "SELECT 1"],
      ["Which cakes?", "SELECT name FROM cakes ORDER BY id"],
    ]);
    expect(readFileSync(own.questionsPath, "utf8")).toMatch(/^# mine\n/);
  });

  it("a correction is executed first, and replaces what was there", async () => {
    const { own, put, say, known } = await asking("wrong");
    await put("Which cakes?");
    await put("How many?");
    await expect(say("wrong", { id: 1, sql: "SELECT nam FROM cakes" })).rejects.toThrow(
      /the corrected SQL fails: SQLite: no such column: nam\. Correct it; nothing was recorded/,
    );
    await expect(say("wrong", { id: 1, sql: "DROP TABLE cakes" })).rejects.toThrow(
      /the corrected SQL fails: The statement starts with DROP/,
    );
    expect(await say("wrong", { id: 1, sql: "SELECT name FROM cakes" })).toMatchObject({
      done: "added",
      sameRows: true,
    });
    expect(await say("wrong", { id: 1, sql: "SELECT name FROM cakes LIMIT 1" })).toMatchObject({
      done: "replaced",
      sameRows: false,
    });
    expect(known()).toEqual([["Which cakes?", "SELECT name FROM cakes LIMIT 1"]]);
    expect((await say("wrong")).done).toBe("nothing");
    expect(new AskedLog(own.askedPath).feedback.map(({ id, verdict, sql }) => [id, verdict, sql])).toEqual([
      [1, "wrong", "SELECT name FROM cakes"],
      [1, "wrong", "SELECT name FROM cakes LIMIT 1"],
      [2, "wrong", null],
    ]);
  });

  it("an answer that fails is not right, and there has to be one", async () => {
    const { put, say } = await asking("refused");
    await expect(say("right")).rejects.toThrow(/no question has been asked yet/);
    await put("Which?", "<answer>SELECT x</answer>");
    await expect(say("right")).rejects.toThrow(
      /the SQL of question 1 fails, so the answer is not right: SQLite: no such column: x/,
    );
    await expect(say("right", { id: 7 })).rejects.toThrow(/no question has the number 7/);
    await expect(say("right", { sql: "SELECT 1" })).rejects.toThrow(/needs no other SQL/);
  });

  it("half a line that a kill has left is dropped; any other damage is named", async () => {
    const { own, put } = await asking("torn");
    await put("Which?");
    const whole = readFileSync(own.askedPath, "utf8");
    writeFileSync(own.askedPath, `${whole}{"type":"ask`);
    await put("And?");
    expect(new AskedLog(own.askedPath).questions.map(({ question }) => question)).toEqual(["Which?", "And?"]);
    writeFileSync(own.askedPath, `${whole}{"type":"asked"}\n`);
    expect(() => new AskedLog(own.askedPath)).toThrow(/asked\.jsonl: line 2: field /);
    writeFileSync(own.askedPath, '{"precious": 1}');
    expect(() => new AskedLog(own.askedPath)).toThrow(/asked\.jsonl: this is not a log of questions/);
    expect(readFileSync(own.askedPath, "utf8")).toBe('{"precious": 1}');
  });
});

describe("lse.json", () => {
  it("is checked, and remembers models by paths from the folder", async () => {
    const own = Workspace.open(await bakery(path("config"), ""));
    const later = own.remember({
      model: { path: path("models", "m.gguf") },
      evolver: { model: "openai:gpt-5" },
    });
    expect(JSON.parse(readFileSync(own.configPath, "utf8"))).toMatchObject({
      model: { path: "../models/m.gguf" },
      evolver: { model: "openai:gpt-5" },
    });
    expect(Workspace.open(own.path).models()).toEqual(later.models());
    writeFileSync(own.configPath, '{"database": "x", "engine": "oracle"}');
    expect(() => Workspace.open(own.path)).toThrow(/lse\.json: field engine: /);
    expect(() => Workspace.open(join(own.path, "runs"))).toThrow(
      /no lse\.json here\. Make it a workspace with `lse init/,
    );
  });
});
