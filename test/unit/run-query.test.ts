import { appendFileSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LseError } from "#lse/errors.js";
import { evolveConfigSchema } from "#lse/evolve/config.js";
import { type Evolution, evolve } from "#lse/evolve/evolve.js";
import { treeToJson } from "#lse/evolve/tree-file.js";
import { JournalFile } from "#lse/journal/journal-file.js";
import { RunFolder } from "#lse/journal/run-folder.js";
import { RunQuery } from "#lse/journal/run-query.js";
import { printable, printableLine } from "#lse/lib/printable.js";
import { textTable } from "#lse/terminal/text-table.js";
import { answersByInstructions, isEdit, NumberTask, numbersIn, ScriptedModel } from "../fakes.js";

const home = mkdtempSync(join(tmpdir(), "lse-query-"));
const path = join(home, "it's a run");
let evolution: Evolution;
let answered: number;

/** A run whose second edit is invalid at first. */
beforeAll(async () => {
  const config = evolveConfigSchema.parse({ rounds: 3, batch: 3, holdout: 10, sampling: { maxTokens: 50 } });
  const folder = RunFolder.create(path, {
    task: { name: "numbers", db: "n" },
    model: { path: "m.gguf" },
    evolver: {},
    evolve: config,
  });
  let edits = 0;
  const model = new ScriptedModel((request) => {
    if (!isEdit(request)) return answersByInstructions(request);
    if (++edits === 2) return "no tags";
    return `<prompt>known: 100 ${Array.from({ length: 9 * edits }, (_, i) => i).join(" ")}</prompt>`;
  });
  using log = new JournalFile(folder.eventsPath);
  evolution = await evolve(new NumberTask(30), model, config, log);
  folder.writeTree(treeToJson(evolution, config));
  answered = log.count("answer");
});
afterAll(() => rmSync(home, { recursive: true }));

async function ask(sql: string, folders = [path]) {
  await using query = await RunQuery.open(folders);
  return (await query.rows(sql)).rows;
}

describe("a query over a run", () => {
  it("knows how it went, round by round", async () => {
    const { tree } = evolution;
    expect(
      await ask(`SELECT n.round, avg(a.score), any_value(n.score), any_value(n.instructions) FROM nodes n
                 JOIN answers a USING (run, node) WHERE a.phase = 'holdout' GROUP BY n.round, n.node ORDER BY 1`),
    ).toEqual(tree.nodes.map(({ round, score, instructions }) => [round, score, score, instructions]));
    expect(await ask("SELECT selected FROM rounds ORDER BY round")).toEqual(
      tree.nodes.slice(1).map(({ parent }) => [parent]),
    );
  });

  it("finds the problems that an edit gained or lost", async () => {
    const { tree, split } = evolution;
    const [parent, child] = [tree.root, tree.node(1)].map(({ instructions }) => numbersIn(instructions));
    const flipped = split.holdout.filter(
      (id) => parent?.includes(id.slice(1)) !== child?.includes(id.slice(1)),
    );
    expect(flipped.length).toBeGreaterThan(0);
    const rows = await ask(`SELECT c.problem, p.score, c.score FROM nodes n
      JOIN answers c ON (c.run, c.node, c.phase) = (n.run, n.node, 'holdout')
      JOIN answers p ON (p.run, p.node, p.phase, p.problem) = (n.run, n.parent, 'holdout', c.problem)
      WHERE n.node = 1 AND p.score <> c.score ORDER BY 1`);
    expect(rows).toEqual([...flipped].sort().map((id) => [id, 0, 1]));
  });

  it("counts tokens by phase, and the attempts at an edit", async () => {
    const usage = new Map(
      (await ask("SELECT phase, completions, tokens FROM usage")).map(([phase, ...rest]) => [phase, rest]),
    );
    // A completion of the scripted model is one token.
    expect(usage.get("batch")).toEqual([9n, 9n]);
    expect(usage.get("holdout")).toEqual([40n, 40n]);
    expect(usage.get("test")).toEqual([10n, 10n]);
    expect(usage.get("edit")).toEqual([4n, 4n]);
    expect(await ask("SELECT round, attempt FROM edits WHERE rejected IS NOT NULL")).toEqual([[2, 1]]);
    expect(await ask("SELECT sum(prompt_tokens) > 0 FROM answers")).toEqual([[true]]);
  });

  it("has one row for the run, with its test", async () => {
    const { test } = evolution;
    expect(
      await ask("SELECT task, database, method, seed, model, best, test, test_low, stop_reason FROM runs"),
    ).toEqual([
      ["numbers", "n", "ucb", 0n, "m.gguf", test?.node, test?.mean, test?.low, "all rounds were done"],
    ]);
  });

  it("may be asked while a line is being written, and before there is a tree", async () => {
    const going = join(home, "going");
    mkdirSync(going);
    for (const name of ["config.json", "events.jsonl"]) copyFileSync(join(path, name), join(going, name));
    appendFileSync(join(going, "events.jsonl"), '{"type":"answer","key":"9/hold');
    expect(existsSync(join(going, "tree.json"))).toBe(false);
    expect(await ask("SELECT count(*) FROM answers", [going])).toEqual([[BigInt(answered)]]);
    expect(await ask("SELECT run[-5:], count(*) FROM answers GROUP BY 1 ORDER BY 1", [path, going])).toEqual([
      ["a run", BigInt(answered)],
      ["going", BigInt(answered)],
    ]);
    expect(await ask("SELECT instructions FROM nodes WHERE node = 0", [going])).toEqual([
      [evolution.tree.root.instructions],
    ]);
  });

  it("has what a strategy adds to answers, and what the others have instead", async () => {
    const drawn = join(home, "drawn");
    mkdirSync(drawn);
    for (const name of ["config.json", "events.jsonl"]) copyFileSync(join(path, name), join(drawn, name));
    {
      using log = new JournalFile(join(drawn, "events.jsonl"));
      log.record({
        type: "answer",
        key: "0/test/9/p1/0",
        ...{ node: 0, phase: "test", round: 9, problem: "p1", sample: 0 },
        outcome: { score: 1, correct: true, answer: "right", error: null },
        ...{ promptTokens: 900, tokens: 90, completions: 9, confidence: 0.625, repaired: true },
        examples: ["p2", "p'3"],
      });
      const reading = { answer: "SELECT x", result: null, failure: "no such column: x", isEmpty: false };
      log.record({ type: "reading", key: "a", problem: "p1", reading });
      const usable = { answer: "SELECT 1", result: "1", failure: null, isEmpty: false };
      log.record({ type: "reading", key: "b", problem: "p1", reading: usable });
    }
    const columns = "completions, confidence, repaired, examples";
    expect(await ask(`SELECT ${columns} FROM answers WHERE round = 9`, [drawn])).toEqual([
      [9, 0.625, true, ["p2", "p'3"]],
    ]);
    expect(await ask(`SELECT DISTINCT ${columns} FROM answers`)).toEqual([[1, null, false, []]]);
    expect(await ask("SELECT completions FROM usage WHERE phase = 'test'", [drawn])).toEqual([[10n + 9n]]);
    expect(
      await ask("SELECT run[-5:], problem, answer, failure FROM readings ORDER BY answer", [drawn]),
    ).toEqual([
      ["drawn", "p1", "SELECT 1", null],
      ["drawn", "p1", "SELECT x", "no such column: x"],
    ]);
    expect(await ask("FROM readings")).toEqual([]);
  });

  it("says what DuckDB says, and which views there are", async () => {
    await expect(ask("SELEC 1")).rejects.toThrow(/syntax error.*runs, nodes, rounds/s);
    await expect(ask("SELECT 1", [join(home, "none")])).rejects.toThrow(/none: no events\.jsonl/);
    for (const name of ["config.json", "events.jsonl"])
      mkdirSync(join(home, "odd", name), { recursive: true });
    const odd = await ask("SELECT 1", [join(home, "odd")]).catch((error) => error);
    expect(odd).toBeInstanceOf(LseError);
    expect(odd.message).toMatch(/odd: cannot be read \(.*Check the files of these runs/s);
  });
});

describe("what is printed", () => {
  it("has no control characters of a model or a database but line ends and tabs", () => {
    expect(printable("a\x1b]0;x\x07\x1b[2Jb\r\n\tc\x9b\0")).toBe("a\\x1b]0;x\\x07\\x1b[2Jb\\r\n\tc\\x9b\\0");
    expect(printable("a\u202eb\u2066")).toBe("a\\u202eb\\u2066");
    expect(printableLine(" two\r\n  lines\x1b ")).toBe("two lines\\x1b");
  });

  it("may be a table of more rows than a call takes arguments", () => {
    const rows = Array.from({ length: 200_000 }, (_, i) => [String(i), "x"]);
    expect(
      textTable([["number", "letter"], ...rows])
        .split("\n")
        .at(-1),
    ).toBe("199999  x");
  });
});
