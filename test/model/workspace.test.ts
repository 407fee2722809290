import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { MAIN, startLse } from "../cli.js";

const checkout = fileURLToPath(new URL("../../", import.meta.url));
const work = mkdtempSync(join(tmpdir(), "lse-own-database-"));
const own = join(work, "example", "pets");
const read = (name: string) => readFileSync(join(own, name), "utf8");
const settled = (run: string) => JSON.parse(read(`runs/${run}/manual.json`));

interface Ran {
  readonly command: string;
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** `manual.md` afterwards. */
  readonly manual: string;
}

/** What came of each command of the walk-through, in order. */
const transcript: Ran[] = [];
const ran = (command: string) => transcript.filter((each) => each.command.startsWith(command));

/** The commands in the walk-through of docs/own-database.md. */
function documented(): string[] {
  const text = readFileSync(join(checkout, "docs", "own-database.md"), "utf8");
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block = ""]) => block);
  return blocks.flatMap((block) => block.trim().split("\n"));
}

function run(command: string): Ran {
  const words = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
  const [program, name, ...rest] = words;
  if (program === "cp") {
    cpSync(join(work, name as string), join(work, rest[0] as string));
    return { command, status: 0, stdout: "", stderr: "", manual: "" };
  }
  const script = join(checkout, "scripts", `${rest[0]}.ts`);
  const start = program === "npm" ? ["--import", "tsx", script, ...rest.slice(2)] : [MAIN, ...rest];
  // tsx is looked for from the checkout.
  const cwd = program === "npm" ? checkout : work;
  const where =
    program === "npm" ? start.map((word) => (word === "example" ? join(work, word) : word)) : start;
  const { status, stdout, stderr } = spawnSync(process.execPath, where, {
    cwd,
    encoding: "utf8",
    env: { ...process.env, FORCE_COLOR: undefined, XDG_CACHE_HOME: join(work, "cache") },
  });
  const manual = existsSync(join(own, "manual.md")) ? read("manual.md") : "";
  return { command, status, stdout, stderr, manual };
}

/** The same rounding wherever the tests run: what is fast is not measured. */
function fixEngine(): void {
  const config = JSON.parse(read("lse.json"));
  Object.assign(config.model, {
    gpuLayers: 0,
    threads: 1,
    sequences: 16,
    decodeBatch: 256,
    flashAttention: true,
  });
  writeFileSync(join(own, "lse.json"), JSON.stringify(config));
}

beforeAll(() => {
  symlinkSync(join(checkout, "models"), join(work, "models"));
  for (const command of documented()) {
    transcript.push(run(command));
    if (command.includes("lse init")) fixEngine();
    if (command === "npx lse evolve example/pets" && !existsSync(join(work, "before")))
      cpSync(own, join(work, "before"), { recursive: true });
  }
}, 180_000);

afterAll(() => rmSync(work, { recursive: true }));

describe("the walk-through of docs/own-database.md", () => {
  it("has commands of all kinds, and each of them does what it should", () => {
    expect(transcript.length).toBeGreaterThan(12);
    for (const { command, status, stderr } of transcript) {
      const fails = transcript.findIndex((each) => each.command === command && each.status === 1);
      // Only questions that the manual does not know about yet.
      if (fails >= 0) expect(command).toContain("lse ask");
      else expect([command, status, stderr.includes("lse:")]).toEqual([command, 0, false]);
    }
  });

  it("a plan names the answers before a model is opened", () => {
    expect(ran("npx lse evolve example/pets --dry-run")[0]?.stdout).toMatch(
      /^task +own\/pets$.* 8 rounds, .*8 edits and 150 answers \(20 of them for the test\)/ms,
    );
  });

  it("the first run's manual is better on questions that nothing else has seen", () => {
    const { outcome, questions, start, best, test, gain } = settled("001");
    expect([outcome, questions, test.problems]).toEqual(["taken", 30, 10]);
    expect(best).toBeGreaterThan(start);
    expect(gain.mean).toBeGreaterThan(0.2);
    expect(test.mean - gain.mean).toBeLessThan(0.3);
    expect(ran("npx lse evolve example/pets")[1]?.stdout).toMatch(
      /manual\.md was replaced by a better one: 0\.\d+ → 0\.\d+ on the 10 selection questions; on the 10 test questions .*, a gain of 0\.\d+ \[/,
    );
  });

  it("an answer changes from wrong to right", () => {
    const [before, after] = ran('npx lse ask example/pets "list late');
    expect([before?.status, before?.stdout]).toEqual([
      1,
      expect.stringContaining("No rows: SQLite: no such column: late."),
    ]);
    expect(before?.stderr).toContain("There is no manual yet");
    expect([after?.status, after?.stdout]).toEqual([
      0,
      expect.stringMatching(
        /level = 'R'\n\ntreatment_id\n2\n[\s\S]*\d+ rows, of which the first 20 are shown/,
      ),
    ]);
  });

  it("feedback becomes a question, and the next run starts from the manual and learns it", () => {
    const questions = parse(read("questions.yaml"));
    expect(questions).toHaveLength(31);
    expect(questions[30]).toMatchObject({ question: "list verified receipts ?" });
    const first = ran("npx lse evolve example/pets")[1];
    const second = JSON.parse(read("problems/002.json"));
    expect(second.start).toBe(first?.manual.trim());
    expect(second.questions.at(-1)).toMatchObject({ question: "list verified receipts ?", role: "pool" });
    const roles = new Map(second.questions.map(({ id, role }: { id: string; role: string }) => [id, role]));
    for (const { id, role } of JSON.parse(read("problems/001.json")).questions)
      expect(roles.get(id)).toBe(role);
    expect(settled("002")).toMatchObject({ outcome: "taken", start: settled("001").best });
    const [before, after] = ran('npx lse ask example/pets "list verified');
    expect([before?.status, after?.status]).toEqual([1, 0]);
    expect(after?.stdout).toContain("unit < 11");
    expect(ran("npx lse ask example/pets --feedback right")[0]?.stdout).toContain(
      "is there already, with the same SQL",
    );
  });

  it("the manual is printed, with its history and what each rule is worth", () => {
    const [plain, history, worth] = ran("npx lse manual example/pets");
    expect(plain?.stdout).toBe(read("manual.md"));
    expect(history?.stdout).toMatch(/^run 001\n30 questions; .*: taken\n/);
    expect(history?.stdout).toMatch(/\nrun 002\n31 questions; [\s\S]*\n {2}\+ verified means unit < 11 \./);
    const rows = (worth?.stdout ?? "").split("\n").filter((line) => line.includes(" means "));
    expect(rows).toHaveLength(read("manual.md").split(" . ").length);
    const values = rows.map((row) => Number.parseFloat(row.replace("−", "-")));
    expect(values).toEqual([...values].sort((a, b) => b - a));
    expect(values[0]).toBeGreaterThan(0);
  });
});

describe("a folder's runs", () => {
  const lse = (...options: string[]) => run(`npx lse ${options.join(" ")}`);

  it("that were killed go on, and end with the tree of an unbroken one", async () => {
    const folder = join(work, "killed");
    cpSync(join(work, "before"), folder, { recursive: true });
    for (const name of ["runs", "problems"]) rmSync(join(folder, name), { recursive: true, force: true });
    rmSync(join(folder, "manual.md"), { force: true });
    const config = JSON.parse(readFileSync(join(folder, "lse.json"), "utf8"));
    config.database = "../example/pets.sqlite";
    delete config.model.path;
    writeFileSync(join(folder, "lse.json"), JSON.stringify(config));
    const events = join(folder, "runs", "001", "events.jsonl");
    const child = startLse("evolve", folder, "--model", join(work, "models", "mini.gguf"));
    while (!existsSync(events) || !readFileSync(events, "utf8").includes('"type":"round","key":"2"'))
      await sleep(10);
    child.kill("SIGKILL");
    const refused = lse("evolve", folder, "--rounds", "3");
    expect([refused.status, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/runs\/001 is not over, and goes on with its own configuration \(--rounds\)/),
    ]);
    const resumed = lse("evolve", folder);
    expect(resumed.stderr).toContain("runs/001 goes on.");
    expect(resumed.stderr).toContain("lse.json keeps the model for the next time.");
    expect(JSON.parse(readFileSync(join(folder, "lse.json"), "utf8")).model.path).toBe("../models/mini.gguf");
    expect(readFileSync(join(folder, "runs", "001", "tree.json"), "utf8")).toBe(read("runs/001/tree.json"));
    expect(readFileSync(join(folder, "manual.md"), "utf8")).toBe(
      ran("npx lse evolve example/pets")[1]?.manual,
    );
  });

  it.each([
    [["--out", "x"], /--out does not go with a workspace\. Leave it out/],
    [["--test-db", "x"], /--test-db does not go with a workspace/],
    [["--holdout", "11"], /keeps 10 problems for the holdout, not 11\. Lower --holdout/],
    [["--evolver-adapter", "models/mini.md"], /mini\.md/],
  ])("%j is refused in one line", (options, message) => {
    const before = readFileSync(join(own, "lse.json"), "utf8");
    const { status, stderr } = lse("evolve", "example/pets", ...options);
    expect(status).toBe(1);
    expect(stderr.trim().split("\n").at(-1)).toMatch(message);
    expect(existsSync(join(own, "runs", "003"))).toBe(false);
    if (!options.includes("--evolver-adapter"))
      expect(readFileSync(join(own, "lse.json"), "utf8")).toBe(before);
  });

  it("wrong SQL, a question too few and a database that is gone are told before a model is opened", () => {
    const folder = join(work, "wrong");
    lse("init", "example/pets.sqlite", "--to", "wrong", "--prompts", "mini", "--model", "models/none.gguf");
    const evolving = (questions: string) => {
      writeFileSync(join(folder, "questions.yaml"), questions);
      return lse("evolve", "wrong").stderr;
    };
    expect(evolving("- question: a\n  sql: SELECT nam FROM pets\n")).toBe(
      "lse: wrong/questions.yaml: line 1: the SQL of this question cannot be right: SQLite: no such column: nam. Correct the SQL, or give the expected rows instead.\n",
    );
    expect(evolving("- question: a\n  sql: SELECT 1\n")).toBe(
      "lse: wrong/questions.yaml: 1 question so far, but evolution needs at least 12. Write 11 more; 30 are a good start.\n",
    );
    writeFileSync(join(folder, "lse.json"), read("lse.json").replace("../pets.sqlite", "../gone.sqlite"));
    expect(evolving("")).toMatch(/gone\.sqlite does not exist\. Check the path/);
    expect(existsSync(join(folder, "runs"))).toBe(false);
  });

  it.each([
    [["ask", "example/pets"], /the question is missing/],
    [["ask", "example/pets", "x", "--sql", "y"], /--sql is for feedback/],
    [["ask", "example/pets", "x", "--feedback", "right"], /feedback is for a question that was asked/],
    [["ask", "folder-without-model", "x"], /lse\.json: it names no model yet\. Give one with --model/],
    [["ask", "example"], /example: no lse\.json here/],
    [["manual", "models"], /models: no lse\.json here/],
  ])("lse %j says what to do", (options, message) => {
    if (!existsSync(join(work, "folder-without-model")))
      lse("init", "example/pets.sqlite", "--to", "folder-without-model");
    const { status, stderr } = lse(...options);
    expect([status, stderr]).toEqual([1, expect.stringMatching(message)]);
  });
});
