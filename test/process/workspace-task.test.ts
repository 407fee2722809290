import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { evolveConfigSchema } from "#lse/evolve/config.js";
import { planRun } from "#lse/evolve/plan.js";
import { makeDatabase } from "#lse/mini/generator.js";
import { writeDatabase } from "#lse/mini/rows.js";
import { parseAddress } from "#lse/mini/splits.js";
import { MiniTask } from "#lse/mini/task.js";
import { Workspace } from "#lse/workspace/folder.js";
import { initFolder } from "#lse/workspace/init.js";
import { problemsOf, requireEnough, writeProblems } from "#lse/workspace/problems.js";
import { WorkspaceTask } from "#lse/workspace/task.js";
import { ScriptedModel } from "../fakes.js";
import { bakery, questions, scratch, sqlite } from "../workspace-folder.js";

const folder = scratch();
const { path } = folder;
afterAll(folder.remove);

const open = (dataPath: string) =>
  WorkspaceTask.open({ dataPath, timeoutMs: 5000, cacheFolder: path("cache") });
const write = (root: string, yaml: string) => writeFileSync(`${root}/questions.yaml`, yaml);

describe("a task on your own database", () => {
  it("grades by the rows of the gold query, or by the rows that are given", async () => {
    const yaml =
      "- question: Dear?\n  sql: SELECT name FROM cakes WHERE price > 400\n- question: Prices?\n  rows: [[520, Dobos], [300.0, Linzer]]\n";
    await using task = await open(await bakery(path("graded"), yaml));
    const ids = new Map(task.problems.questions.map(({ question, id }) => [question, id]));
    const grade = (question: string, sql: string) => task.grade(ids.get(question) ?? "", sql);
    expect(await grade("Dear?", "<answer>SELECT name FROM cakes WHERE price >= 450</answer>")).toMatchObject({
      correct: true,
      error: null,
    });
    expect(
      await grade("Prices?", "<answer>SELECT price, name FROM cakes WHERE id > 1</answer>"),
    ).toMatchObject({ correct: true });
    expect(
      await grade("Prices?", "<answer>SELECT name, price FROM cakes WHERE id > 1</answer>"),
    ).toMatchObject({ score: 0 });
    const fenced = "<answer>\n```sql\nSELECT name FROM cakes WHERE price > 400;\n```\n</answer>";
    expect(await grade("Dear?", fenced)).toMatchObject({ correct: true, error: null });
    const failing = await grade("Dear?", "<answer>SELECT nam FROM cakes</answer>");
    expect(failing).toMatchObject({ answer: "SELECT nam FROM cakes", error: "SQLite: no such column: nam" });
    expect(await grade("Dear?", "I do not know")).toMatchObject({
      answer: "",
      error: "the response has no query",
    });
    expect(task.report(ids.get("Dear?") ?? "", failing)).toContain(
      "Correct SQL: SELECT name FROM cakes WHERE price > 400",
    );
    expect(task.describe(ids.get("Dear?") ?? "")).toEqual({
      question: "Question: Dear?",
      gold: "SELECT name FROM cakes WHERE price > 400",
    });
    expect(task.report(ids.get("Prices?") ?? "", failing)).toContain(
      "Correct rows: VALUES (520, 'Dobos'), (3e+2, 'Linzer')",
    );
  });

  it("has roles for its questions; its fingerprint changes with each of them, ids do not", async () => {
    const root = await bakery(path("ids"), questions(30));
    const states: { fingerprint: string; ids: string[] }[] = [];
    for (const yaml of [questions(30), questions(30).replace("+ 7 FROM", "+ 70 FROM"), questions(31)]) {
      write(root, yaml);
      await using task = await open(root);
      states.push({ fingerprint: task.fingerprint, ids: [...task.problemIds, ...task.testIds].sort() });
      expect([task.holdoutIds.length, task.testIds.length]).toEqual([10, 10]);
      expect(task.problemIds).toEqual(expect.arrayContaining([...task.holdoutIds]));
    }
    expect(new Set(states.map(({ fingerprint }) => fingerprint)).size).toBe(3);
    expect(states[1]?.ids).toEqual(states[0]?.ids);
    expect(states[2]?.ids).toEqual(expect.arrayContaining(states[0]?.ids ?? []));
  });

  it("starts from the manual, if there is one, and reads the schema as it was edited", async () => {
    const root = await bakery(path("manual"), questions(12));
    expect((await open(root)).seedInstructions).toMatch(/write one SQLite query/);
    writeFileSync(`${root}/manual.md`, "Prices are in cents.\n");
    writeFileSync(`${root}/schema.sql`, "CREATE TABLE cakes (price int -- in cents\n);");
    await using task = await open(root);
    expect(task.seedInstructions).toBe("Prices are in cents.");
    expect(task.systemPrompt(task.seedInstructions)).toContain(
      "-- in cents\n);\n\n# Instructions\nPrices are in cents.",
    );
    writeFileSync(`${root}/schema.sql`, " \n");
    await expect(open(root)).rejects.toThrow(/schema\.sql: it is empty/);
  });

  it("goes on with what a run was begun with, whatever has been edited since", async () => {
    const root = await bakery(path("frozen"), questions(12));
    const own = Workspace.open(root);
    writeProblems(own.problemsPath("001"), problemsOf(own));
    await using before = await open(own.problemsPath("001"));
    write(root, questions(3));
    writeFileSync(own.manualPath, "new");
    await using after = await open(own.problemsPath("001"));
    expect([after.fingerprint, after.problemIds]).toEqual([before.fingerprint, before.problemIds]);
    expect(after.seedInstructions).not.toBe("new");
  });

  it("questions of earlier runs keep their roles", async () => {
    const root = await bakery(path("roles"), questions(30));
    const own = Workspace.open(root);
    const first = problemsOf(own);
    writeProblems(own.problemsPath("001"), first);
    // Problems count when their run has begun.
    write(root, questions(45));
    mkdirSync(own.runPath("001"), { recursive: true });
    writeFileSync(`${own.runPath("001")}/config.json`, "{}");
    const roles = new Map(problemsOf(own).questions.map(({ id, role }) => [id, role]));
    for (const { id, role } of first.questions) expect([id, roles.get(id)]).toEqual([id, role]);
    expect([...roles.values()].filter((role) => role === "test")).toHaveLength(13);
  });

  it.each([
    [
      "- question: a\n  sql: SELECT 1\n- question: b\n  sql: SELECT nam FROM cakes\n- question: c\n  sql: DELETE FROM cakes\n",
      /questions\.yaml: line 3: the SQL of this question cannot be right: SQLite: no such column: nam; also line 5\. Correct the SQL/,
    ],
    ["- question: a\n  sql: SELECT 1; SELECT 2\n", /line 1: .*more than one statement/],
    ["- question: a\n  sql: SELECT random()\n", /line 1: .*result mismatch/],
  ])("%j: wrong gold is named", async (yaml, message) => {
    const root = await bakery(path(`gold-${Math.random()}`), yaml);
    await using task = await open(root);
    await expect(task.requireGold("questions.yaml")).rejects.toThrow(message);
  });

  it("says how many questions are missing", async () => {
    const own = Workspace.open(await bakery(path("few"), questions(11)));
    expect(() => requireEnough(problemsOf(own), "q.yaml")).toThrow(
      "q.yaml: 11 questions so far, but evolution needs at least 12. Write 1 more; 30 are a good start.",
    );
    write(own.path, questions(12));
    requireEnough(problemsOf(own), "q.yaml");
  });

  it("a table that does not fit the context is told before anything is generated", async () => {
    const columns = Array.from({ length: 300 }, (_, i) => `column_${i} INTEGER`);
    const database = sqlite(path("wide.sqlite"), `CREATE TABLE wide (${columns})`);
    await initFolder({ databases: [database], folder: path("wide"), prompts: "sql", model: {} });
    write(path("wide"), questions(12).replaceAll("cakes", "wide"));
    await using task = await open(path("wide"));
    const config = evolveConfigSchema.parse({ holdout: 4, batch: 3 });
    const model = new ScriptedModel(() => "", 4000);
    expect(() => planRun(task, model, config)).toThrow(
      /own\/wide: a problem's prompt takes \d+ tokens, and the context has room for 3936\. .*shorter schema/,
    );
    expect(model.requests).toEqual([]);
  });

  it("DuckDB's queries are DuckDB's", async () => {
    writeFileSync(path("cakes.csv"), "name,price\nSacher,450\nLinzer,300\n");
    await initFolder({ databases: [path("cakes.csv")], folder: path("duck"), prompts: "sql", model: {} });
    write(
      path("duck"),
      "- question: Longest?\n  sql: SELECT max_by(name, price) FROM cakes\n- question: Rows?\n  rows: [[Linzer, 300], [Sacher, 450]]\n",
    );
    await using task = await open(path("duck"));
    await task.requireGold("q.yaml");
    expect(task.seedInstructions).toMatch(/write one DuckDB query/);
    const [longest] = task.problems.questions;
    expect(task.prompt(longest?.id ?? "", "x")[0]?.content).toContain("schema of a DuckDB database");
    expect(
      await task.grade(
        longest?.id ?? "",
        "<answer>FROM cakes SELECT name ORDER BY price DESC LIMIT 1</answer>",
      ),
    ).toMatchObject({ score: 1 });
  });

  it("asks the embedded models in the very words they were trained on", async () => {
    const address = parseAddress("test/3");
    const database = makeDatabase(address);
    await using mini = MiniTask.open(address, 5000);
    writeDatabase(database, path("airport.sqlite")).close();
    await initFolder({
      databases: [path("airport.sqlite")],
      folder: path("airport"),
      prompts: "mini",
      model: {},
    });
    const [id = ""] = mini.problemIds;
    const { text, gold } = mini.problem(id);
    write(path("airport"), `- question: "${text.replace(" ?", "?")}"\n  sql: "${gold}"\n`);
    await using task = await open(path("airport"));
    const own = task.problems.questions[0]?.id ?? "";
    const rules = "cheap means rank = 'G' .";
    expect(task.seedInstructions).toBe(mini.seedInstructions);
    expect(task.prompt(own, rules)).toEqual(mini.prompt(id, rules));
    const outcome = await task.grade(own, "SELECT COUNT(*) FROM pilots");
    expect(outcome).toEqual(await mini.grade(id, "SELECT COUNT(*) FROM pilots"));
    const report = task.report(own, outcome);
    expect(report).toBe(mini.report(id, outcome));
    expect(task.evolverPrompt?.(rules, [report])).toBe(mini.evolverPrompt(rules, [report]));
    expect(readFileSync(path("airport", "schema.sql"), "utf8")).toMatch(
      /^pilots \( pilot_id .* \)\nplanes \( /,
    );
  });
});
