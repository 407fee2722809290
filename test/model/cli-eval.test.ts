/** `lse eval`, and votes with the miniature. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { SavedJournal } from "#lse/journal/journal-file.js";
import { lse, startLse } from "../cli.js";

const MODEL = fileURLToPath(new URL("../../models/mini.gguf", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "lse-eval-"));
const path = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const SIZES = ["--holdout", "12", "--test", "10"];
const mini = (...more: string[]) => [
  ...["eval", "--task", "mini", "--db", "test/1", "--model", MODEL, "--cache", path("cache")],
  ...[
    ...SIZES,
    "--threads",
    "1",
    "--sequences",
    "32",
    "--decode-batch",
    "64",
    "--no-flash-attention",
    ...more,
  ],
];
const eventsOf = (run: string) => new SavedJournal(join(path(run), "events.jsonl"));
const answersOf = (run: string) =>
  [...eventsOf(run).all("answer")]
    .map(({ phase, problem, outcome, confidence }) => ({ phase, problem, outcome, confidence }))
    .sort((a, b) => (a.phase + a.problem < b.phase + b.problem ? -1 : 1));

describe("lse eval", () => {
  it("scores by a vote, the same each time, and says how often agreement is right", () => {
    const first = lse(...mini("--draws", "6", "--out", path("one"), "--json"));
    expect(first.status, first.stderr).toBe(0);
    const { seed, best, test, nodes, reliability } = JSON.parse(first.stdout);
    expect([nodes, best.node, test.problems]).toEqual([1, 0, 10]);
    const answers = answersOf("one");
    expect(answers.map(({ phase }) => phase).filter((phase) => phase === "test")).toHaveLength(10);
    expect(answers).toHaveLength(22);
    expect(reliability.reduce((sum: number, { answers }: { answers: number }) => sum + answers, 0)).toBe(22);
    const holdout = answers.filter(({ phase }) => phase === "holdout");
    const right = holdout.filter(({ outcome }) => outcome.correct).length;
    expect(seed.score).toBeCloseTo(right / 12, 12);
    expect(eventsOf("one").count("generation")).toBe(22 * 6);
    // A vote that is always unanimous, or never, would not be one.
    expect(new Set(answers.map(({ confidence }) => confidence)).size).toBeGreaterThan(1);

    const again = lse(...mini("--draws", "6", "--out", path("two")));
    expect(again.stdout).toMatch(
      /^The instructions score 0\.\d+ .* on the holdout \(no examples, 6 answers by vote, no repair, full reasoning\)\./,
    );
    expect(again.stdout).toMatch(/agreement of draws +right +95 % interval/);
    expect(answersOf("two")).toEqual(answers);
  });

  it("that is killed in the middle of a vote ends like an unbroken one, with each completion once", async () => {
    const child = startLse(...mini("--draws", "6", "--out", path("killed")));
    const kept = () => {
      try {
        return (
          readFileSync(join(path("killed"), "events.jsonl"), "utf8").match(/^{"type":"generation"/gm)
            ?.length ?? 0
        );
      } catch {
        return 0;
      }
    };
    while (kept() < 10) await sleep(5);
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("close", resolve));
    const before = kept();
    expect(before).toBeLessThan(22 * 6);
    const resumed = lse("evolve", "--resume", path("killed"));
    expect(resumed.status, resumed.stderr).toBe(0);
    expect(answersOf("killed")).toEqual(answersOf("one"));
    expect(kept()).toBe(22 * 6);
  });

  it("takes instructions from a file or a run, and its runs are compared by their strategies", () => {
    writeFileSync(path("rules.txt"), "rules none\n");
    const given = lse(...mini("--instructions", path("rules.txt"), "--out", path("given"), "--json"));
    expect(given.status, given.stderr).toBe(0);
    expect(JSON.parse(given.stdout).best.instructions).toBe("rules none");
    const from = lse("eval", "--from", path("given"), "--draws", "3", "--out", path("from"), "--json");
    expect(from.status, from.stderr).toBe(0);
    expect(JSON.parse(from.stdout).best.instructions).toBe("rules none");
    const { comparable, reasons, methods } = JSON.parse(
      lse("compare", path("given"), path("from"), "--json").stdout,
    );
    expect(reasons).toEqual([]);
    expect(comparable).toBe(true);
    expect(methods.map(({ method }: { method: string }) => method)).toEqual([
      "no edits: no examples, 1 answer, no repair, full reasoning",
      "no edits: no examples, 3 answers by vote, no repair, full reasoning",
    ]);
  });

  it("gives its instructions to a run that starts from it, with rounds of the usual size", () => {
    const evolved = lse(
      ...["evolve", "--from", path("given"), "--rounds", "1", "--edits", "rewrite", "--out", path("evolved")],
      "--json",
    );
    expect(evolved.status, evolved.stderr).toBe(0);
    const { evolve } = JSON.parse(readFileSync(join(path("evolved"), "config.json"), "utf8"));
    expect(evolve).toMatchObject({ instructions: "rules none", rounds: 1, batch: 5 });
    const again = lse("evolve", "--from", path("evolved"), "--dry-run", "--json");
    expect(JSON.parse(again.stdout).config.evolve).toMatchObject({
      ...evolve,
      instructions: readFileSync(join(path("evolved"), "best.md"), "utf8").trim(),
    });
    expect(lse("evolve", "--from", path("nowhere"), "--out", path("x")).stderr).toMatch(/nowhere: .*\. \S/);
  });

  it.each([
    [["--examples", "2"], /mini\/test\/1: --examples does not work with this task, .*\. Leave it out/],
    [
      ["--draws", "4", "--temperature", "0"],
      /--draws: at temperature 0 all answers to a question are the same/,
    ],
    [["--instructions", "nowhere.txt"], /nowhere\.txt: no such file/],
    [["--rounds", "3"], /unknown option '--rounds'/],
  ])("%j is refused in one line", (options, message) => {
    const { status, stderr } = lse(...mini(...options, "--out", path("refused")));
    expect(status).toBe(1);
    expect(stderr.trim().split("\n").at(-1)).toMatch(message);
  });

  it("does not take --from and --config together, nor a run without scores", () => {
    copyFileSync(join(path("one"), "config.json"), path("config.json"));
    const both = lse("eval", "--from", path("one"), "--config", path("config.json"), "--out", path("x"));
    expect(both.stderr).toMatch(/--from and --config both say what to start with/);
  });
});
