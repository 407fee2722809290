import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it, vi } from "vitest";
import { openTaskFile } from "#lse/task-file/task-file.js";
import { reply } from "../../examples/toy-model.js";
import { ChatServer } from "../chat-server.js";
import { lse, MAIN } from "../cli.js";
import { buildTinyBird } from "../tiny-bird/build.js";

const folder = mkdtempSync(join(tmpdir(), "lse-custom-"));
afterAll(() => rmSync(folder, { recursive: true }));

const root = fileURLToPath(new URL("../..", import.meta.url));
const TICKETS = join(root, "examples", "tickets.js");

let files = 0;
/** A module with this default export; each gets a name of its own, since Node keeps what it has imported. */
function module(text: string): string {
  const path = join(folder, `task-${files++}.mjs`);
  writeFileSync(path, text);
  return path;
}

/** A task of two problems that are answered with their names, with some members in other words. */
const task = (members = "") => `export default () => ({
  problemIds: ["a", "b"], seedInstructions: "Answer.",
  systemPrompt: (instructions) => "S " + instructions,
  prompt: (id, instructions) => [{ role: "system", content: "S " + instructions }, { role: "user", content: id }],
  grade: async (id, response) => ({ score: response === id ? 1 : 0, correct: response === id, answer: response, error: null }),
  report: (id) => id,
  validate: async () => ({ total: 2, passed: 2, failures: [] }),
  ${members}
})`;

describe("a task's own file", () => {
  it("is a task, named after the file, that may leave out what has a default", async () => {
    const path = module(task());
    await using opened = await openTaskFile(path, {});
    expect(opened.id).toMatch(/^task-\d+$/);
    expect(opened.problemIds).toEqual(["a", "b"]);
    expect(await opened.grade("a", "a")).toEqual({ score: 1, correct: true, answer: "a", error: null });
    expect(opened.describe).toBeUndefined();
  });

  it("has a fingerprint of its content, its options and what it adds", async () => {
    const of = async (text: string, options = {}) => (await openTaskFile(module(text), options)).fingerprint;
    const plain = await of(task());
    expect(await of(task())).toBe(plain);
    expect(await of(`${task()} // changed`)).not.toBe(plain);
    expect(await of(task(), { db: "x" })).not.toBe(plain);
    expect(await of(task('fingerprint: "data-2",'))).not.toBe(await of(task('fingerprint: "data-3",')));
  });

  it.each([
    ["export const x = 1", /its default export is not a function/],
    ["export default () => 5", /the task is number/],
    [task("quoted: 'none',"), /quoted is not a method/],
    [
      task("deltas: { prompt: () => '' },"),
      /deltas has not the methods prompt and apply and the text grammar/,
    ],
    [task("brief: { outline: 'a' },"), /brief has not the text outline, the method lesson/],
    [task("brief: { outline: 'a', lesson: () => '', worked: {} },"), /brief has not the text outline/],
    [task("grade: undefined,"), /the task has no method grade/],
    [task("seedInstructions: 3,"), /seedInstructions is not a text/],
    [task("problemIds: [],"), /problemIds is empty/],
    [task("problemIds: [1],"), /problemIds is not a list of names/],
    [task('testIds: ["b"],'), /the problem "b" is listed twice/],
    ["export default () => { throw new Error('no data here') }", /making the task failed: no data here/],
    ["export default (", /cannot be loaded: /],
    ['import "not-there"; export default () => {}', /cannot be loaded: .*not-there/],
  ])("%s is refused with its place", async (text, why) => {
    const path = module(text);
    const error = await openTaskFile(path, {}).catch((cause) => cause);
    expect(error.message).toMatch(why);
    expect(error).toMatchObject({ name: "LseError", problem: expect.stringContaining(path) });
  });

  it.each([
    [
      "grade: async () => ({ score: 2, correct: true, answer: '', error: null }),",
      /grade gave "a" the score 2/,
    ],
    [
      "grade: async () => ({ score: 1, correct: 1, answer: '', error: null }),",
      /grade has to return score, correct/,
    ],
    ["grade: async () => { throw new Error('oh') },", /grade failed on a response to "a": oh/],
    ["prompt: () => 'text',", /prompt returned no messages/],
    ["report: () => null,", /report returned no text/],
    ["systemPrompt: () => undefined,", /systemPrompt returned no text/],
    ["systemPrompt() { throw new TypeError('a\\nb') },", /systemPrompt failed: a\. Correct/],
    ["prompt: () => [null],", /prompt returned no messages/],
    ["prompt() { throw null },", /prompt failed: null/],
    ["report() { throw new Error('oh') },", /report failed: oh/],
    ["describe: () => ({ question: 5 }),", /describe has to return the texts question and gold for "a"/],
    ["describe() { throw new Error('oh') },", /describe failed: oh/],
    ["evolverPrompt: () => 7,", /evolverPrompt returned no text/],
    ["deltas: { prompt: () => 7, apply: () => null, grammar: '' },", /deltas\.prompt returned no text/],
    [
      "deltas: { prompt: () => '', apply: () => 'x', grammar: '' },",
      /deltas\.apply has to return instructions, or why they are refused, or null/,
    ],
    ["brief: { outline: 'a', lesson: () => 7 },", /brief\.lesson returned no text/],
    ["quoted: () => 7,", /quoted returned no text/],
    ["quoted() { throw new Error('oh') },", /quoted failed: oh/],
    [
      "read: async () => ({ answer: 'x', result: 'x', failure: null, isEmpty: false, mended: 3 }),",
      /read has to return/,
    ],
    ["validate() { throw new Error('oh') },", /validate failed: oh/],
    ["validate: async () => ({ total: 2 }),", /validate has to return total, passed and failures/],
  ])("%s is found when it is used", async (member, why) => {
    await using opened = await openTaskFile(module(task(member)), {});
    const use = async () => {
      opened.systemPrompt("i");
      opened.prompt("a", "i");
      opened.report("a", await opened.grade("a", "x"));
      opened.describe?.("a");
      opened.evolverPrompt?.("i", ["r"]);
      opened.deltas?.prompt("i", ["r"]);
      opened.deltas?.apply("i", "a");
      opened.brief?.lesson("a", await opened.grade("a", "x"));
      opened.quoted?.("r");
      await opened.read?.("a", "x");
      await opened.validate();
    };
    await expect(use()).rejects.toThrow(why);
  });

  it("counts an answer as wrong whose grade does not come", async () => {
    const path = module(task('grade: (id) => (id === "a" ? new Promise(() => {}) : { then() {} }),'));
    await using opened = await openTaskFile(path, {}, 5);
    const said = vi.spyOn(console, "error").mockImplementation(() => {});
    const late = { score: 0, correct: false, answer: "", error: "grading took longer than 0.005 s" };
    expect(await Promise.all([opened.grade("a", "x"), opened.grade("b", "x")])).toEqual([late, late]);
    expect(said.mock.calls.flat()[0]).toBe(
      `${path}: grade of an answer to "a": grading took longer than 0.005 s, so it counts as wrong`,
    );
    said.mockRestore();
  });

  it.each([
    "export default () => new Promise(() => {})",
    "await new Promise(() => {}); export default () => 5",
    task("validate: () => new Promise(() => {}),"),
  ])("that never comes to an end is one line: %s", (text) => {
    const { status, stdout, stderr } = lse("validate", "--task", module(text));
    expect(status).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toBe(
      "lse: something that is waited for never comes. Look at the task's own file, if there is one.\n",
    );
  });

  it("is asked for where it is not there, or of a kind that this Node does not take", () => {
    const missing = lse("validate", "--task", "./none.js");
    expect(missing).toMatchObject({ status: 1, stderr: expect.stringMatching(/none\.js: no such file/) });
    const wrong = lse("validate", "--task", "chess");
    expect(wrong.stderr).toMatch(/Give one of bird, mini, mmlu.*or a file such as/);
  });
});

describe("lse validate", () => {
  it("passes the example", () => {
    const { status, stdout } = lse("validate", "--task", TICKETS, "--task-option", "things=2");
    expect(stdout).toBe("tickets: all 24 gold answers pass the task's own grader\n");
    expect(status).toBe(0);
  });

  it("names wrong gold answers and prompts that cannot learn, and exits with 1", () => {
    const path = module(
      task(`validate: async () => ({ total: 2, passed: 1, failures: [{ problem: "b", error: "is no" }] }),
        prompt: (id) => [{ role: "user", content: id }],`),
    );
    const { status, stdout } = lse("validate", "--task", path);
    expect(status).toBe(1);
    expect(stdout).toMatch(/: 1 of 2 gold answers pass the task's own grader\nb: is no\n/);
    expect(stdout).toMatch(/the instructions are not in the prompt of "a"/);
    expect(stdout).toMatch(/no two problems share their first message/);
    const { prompts, passed } = JSON.parse(lse("validate", "--task", path, "--json").stdout);
    expect([prompts.length, passed]).toEqual([2, 1]);
  });

  it("checks the tasks that come along, too", () => {
    const { status, stdout } = lse("validate", "--task", "mini", "--db", "test/3");
    expect(status).toBe(0);
    expect(stdout).toContain("mini/test/3: all 120 gold answers pass the task's own grader");
  });
});

describe("evolution of a task's own file", () => {
  it("improves from the command line, and a run does not go on with another file", async () => {
    await using server = await ChatServer.start(({ body }) => ({ text: reply(body.messages) }));
    const copy = module(
      readFileSync(TICKETS, "utf8").replace(
        'from "lse"',
        `from ${JSON.stringify(join(root, "dist/index.js"))}`,
      ),
    );
    const run = join(folder, "run");
    const options = [
      "evolve",
      "--task",
      copy,
      "--task-option",
      "things=4",
      "--model",
      "openai:toy",
      "--rounds",
      "8",
      "--base-url",
      `${server.url}/v1`,
      "--batch",
      "6",
      "--holdout",
      "12",
      "--test",
      "12",
      "--ucb-c",
      "0.1",
      "--seed",
      "1",
      "--json",
      "--out",
      run,
    ];
    const { stdout, status } = await running(options);
    expect(status).toBe(0);
    const result = JSON.parse(stdout);
    expect(result.seed.score).toBeLessThan(0.4);
    expect(result.test.low).toBeGreaterThan(result.seed.score);
    expect(JSON.parse(readFileSync(join(run, "config.json"), "utf8")).task).toEqual({
      name: "module",
      path: copy,
      options: { things: "4" },
      timeout: 300,
    });
    writeFileSync(copy, `${readFileSync(copy, "utf8")}\n// changed`);
    expect(lse("evolve", "--resume", run).stderr).toMatch(/made with another data or time limit/);
  });
});

/** Runs the command line beside this process, whose server it asks. */
async function running(options: string[]) {
  const child = spawn(process.execPath, [MAIN, ...options], { stdio: ["ignore", "pipe", "ignore"] });
  let stdout = "";
  child.stdout.on("data", (data) => {
    stdout += data;
  });
  const [status] = (await once(child, "close")) as [number];
  return { stdout, status };
}

it("the library's examples run", async () => {
  const run = (name: string, ...options: string[]) =>
    spawnSync(process.execPath, ["--import", "tsx", join(root, "examples", name), ...options], {
      encoding: "utf8",
      cwd: root,
    });
  const { stdout, stderr } = run("evolve.ts");
  expect(stderr).toBe("");
  const [, before, after] = /^([\d.]+) before, ([\d.]+) after/m.exec(stdout) ?? [];
  expect(Number(after)).toBeGreaterThan(Number(before));
  expect(stdout).toMatch(/On 20 unseen problems: \d/);
  await using server = await ChatServer.start(({ body }) => ({
    text: `<answer>SELECT COUNT(*) FROM products /* ${body.seed} */</answer><prompt>Rule ${body.seed}: count.</prompt>`,
  }));
  buildTinyBird(join(folder, "bird"));
  const compared = spawn(
    process.execPath,
    [
      "--import",
      "tsx",
      join(root, "examples", "compare-methods.ts"),
      join(folder, "bird"),
      "bakery",
      "openai:small",
      join(folder, "compared"),
    ],
    { cwd: root, env: { ...process.env, OPENAI_API_KEY: "sk-test", OPENAI_BASE_URL: `${server.url}/v1` } },
  );
  let output = "";
  for (const stream of [compared.stdout, compared.stderr])
    stream.setEncoding("utf8").on("data", (text) => {
      output += text;
    });
  const [status] = await once(compared, "close");
  expect([status, output]).toEqual([
    0,
    expect.stringMatching(/^UCB tree \(c = 2\) − chain: -?\d\.\d{3} \[/m),
  ]);
  expect(run("score-predictions.ts", "nowhere", "x.json").stderr).toMatch(/LseError: nowhere: no such file/);
});
