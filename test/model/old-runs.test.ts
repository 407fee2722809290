import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lse } from "../cli.js";

const NAMES = ["collected", "gepa", "pareto", "textgrad", "ucb"] as const;
const folder = mkdtempSync(join(tmpdir(), "lse-old-runs-"));
const path = (...names: string[]) => join(folder, ...names);
const at = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));

/** Runs made by version 0.1, before its node events had instructions, or scores by that name. */
function copyTo(to: string): void {
  cpSync(at("fixtures/version-0.1"), path(to), { recursive: true });
  for (const name of NAMES) {
    const file = path(to, name, "config.json");
    const config = JSON.parse(readFileSync(file, "utf8"));
    config.model.path = at(`../${config.model.path}`);
    writeFileSync(file, JSON.stringify(config));
  }
}

const events = (run: string) =>
  readFileSync(path(run, "events.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

beforeAll(() => copyTo("runs"));
afterAll(() => rmSync(folder, { recursive: true }));

describe.each(NAMES)("a run of version 0.1: %s", (name) => {
  const run = join("runs", name);
  const saved = JSON.parse(readFileSync(at(`fixtures/version-0.1/${name}/tree.json`), "utf8"));
  const scores = saved.nodes.map(({ performance }: { performance: number }) => performance);

  it("opens in tree, query and report", () => {
    const tree = lse("tree", path(run));
    expect(tree).toMatchObject({ status: 0, stderr: "" });
    expect(tree.stdout).toContain(`node 0  ${scores[0].toFixed(3)}`);
    const query = lse("query", path(run), "SELECT score, instructions FROM nodes ORDER BY node", "--json");
    const rows = query.stdout.trim().split("\n");
    expect(rows.map((row) => JSON.parse(row))).toEqual(
      saved.nodes.map((node: { instructions: string }, i: number) => ({
        score: scores[i],
        instructions: node.instructions,
      })),
    );
    expect(lse("report", path(run))).toMatchObject({ status: 0, stderr: "" });
    expect(readFileSync(path(run, "report.html"), "utf8").includes(`"score":${scores[0]},`)).toBe(true);
  });

  it("is over when it is resumed, and nothing is asked for", () => {
    const before = events(run).filter(({ type }) => type === "generation").length;
    const { status, stdout, stderr } = lse("evolve", "--resume", path(run), "--json");
    expect(status, stderr).toBe(0);
    const { generations, nodes, best } = JSON.parse(stdout);
    expect([generations, nodes, best.score]).toEqual([before, scores.length, Math.max(...scores)]);
    expect(JSON.parse(readFileSync(path(run, "tree.json"), "utf8"))).toEqual(saved);
  });
});

it("runs of version 0.1 are compared", () => {
  const { status, stdout } = lse("compare", path("runs"), "--json");
  expect(status).toBe(0);
  const { methods } = JSON.parse(stdout);
  expect(methods.map(({ method }: { method: string }) => method).sort()).toEqual(
    ["GEPA", "Pareto frontier", "TextGrad", "UCB tree (c = 0.3)", "chain"].sort(),
  );
});

it("one that was cut off goes on from where it was", () => {
  copyTo("cut");
  const run = join("cut", "ucb");
  const file = path(run, "events.jsonl");
  const lines = readFileSync(file, "utf8").split("\n");
  const third = lines.findIndex((line) => line.startsWith('{"type":"round","key":"3"'));
  writeFileSync(file, `${lines.slice(0, third).join("\n")}\n${lines[third]?.slice(0, 20)}`);
  const kept = events("runs/ucb").filter(({ type, round }) => type === "node" && round < 3);
  const { status, stderr } = lse("evolve", "--resume", path(run));
  expect(status, stderr).toBe(0);
  const after = events(run);
  expect(after.filter(({ type }) => type === "node").slice(0, kept.length)).toEqual(kept);
  expect(after.at(-1)).toMatchObject({ type: "done", reason: "all rounds were done" });
});
