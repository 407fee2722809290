import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { treeLines } from "#lse/terminal/evolve-view.js";
import { lseWithEnvironment, MAIN } from "../cli.js";

const folder = mkdtempSync(join(tmpdir(), "lse-terminal-"));
afterAll(() => rmSync(folder, { recursive: true }));

const model = fileURLToPath(new URL("../../models/mini.gguf", import.meta.url));
const options = (out: string) => [
  "evolve",
  "--task",
  "mini",
  "--model",
  model,
  "--rounds",
  "2",
  "--batch",
  "3",
  "--holdout",
  "4",
  "--test",
  "4",
  "--gpu-layers",
  "0",
  "--threads",
  "1",
  "--sequences",
  "4",
  "--decode-batch",
  "256",
  "--no-flash-attention",
  "--seed",
  "1",
  "--out",
  join(folder, out),
];
const ESCAPE = "\u001b[";

/** In a terminal of util-linux's `script`. */
function inTerminal(out: string, environment: NodeJS.ProcessEnv) {
  const command = [process.execPath, MAIN, ...options(out)].map((word) => `'${word}'`).join(" ");
  return spawnSync("script", ["-qec", `stty cols 100; ${command}`, "/dev/null"], {
    encoding: "utf8",
    env: { ...process.env, CI: undefined, NO_COLOR: undefined, FORCE_COLOR: undefined, ...environment },
  }).stdout;
}

const hasScript = spawnSync("script", ["--version"]).status === 0;
if (!hasScript) console.log("skipped: a run in a terminal (util-linux's `script` is not here)");

describe.skipIf(!hasScript)("a run in a terminal", () => {
  it("shows a bar with the time left, figures, and the tree", () => {
    const shown = inTerminal("terminal", {});
    expect(shown).toMatch(/\d+\/\d+ answers · \d+ s left · round 1 of 2/);
    expect(shown).toMatch(/\d answers\/s, \d+(\.\d)? tokens\/s/);
    expect(shown).toMatch(/best: {3}node 0 \(0\.\d{3}\) ± 0\.\d{3} on the holdout/);
    expect(shown).toMatch(/newest: node 1 \(0\.\d{3}\) from 0/);
    expect(shown).toContain("round 2 of 2 edits node");
    // What is left in the end is the result, in colour.
    const end = shown.slice(shown.lastIndexOf("answers · "));
    expect(end).not.toContain("answers/s");
    expect(end).toContain(`${ESCAPE}1mnode 0`);
  });

  it("has no colour with NO_COLOR, and no bar in CI", () => {
    const plain = inTerminal("plain", { NO_COLOR: "1" });
    expect(plain).not.toContain(`${ESCAPE}1mnode 0`);
    const ci = inTerminal("ci", { CI: "true", NO_COLOR: "1" });
    expect(ci).not.toContain(ESCAPE);
    expect(ci).toMatch(/^round 1 of 2: node 1 scores/m);
  });
});

it("piped, a run is a line a round and a result, without escapes", () => {
  const { stdout, stderr } = lseWithEnvironment({ FORCE_COLOR: undefined }, ...options("piped"));
  expect(stdout + stderr).not.toContain(ESCAPE);
  expect(stderr.match(/^round \d of 2: node \d scores/gm)).toHaveLength(3);
});

describe("the tree in a few lines", () => {
  const node = (node: number, parent: number | null, score: number) =>
    ({ type: "node", key: `${node}`, node, parent, round: node, score, standardError: 0.05 }) as const;

  it("is the way to the best node, the oldest of equal ones, and the newest", () => {
    const nodes = [node(0, null, 0.4), node(1, 0, 0.5), node(2, 0, 0.3), node(3, 1, 0.7), node(4, 3, 0.7)];
    expect(treeLines(nodes)).toEqual([
      "best:   node 0 (0.400) → 1 (0.500) → 3 (0.700) ± 0.050 on the holdout",
      "newest: node 4 (0.700) from 3, 3 (0.700) from 1, 2 (0.300) from 0, 1 (0.500) from 0",
    ]);
  });

  it("is the seed at first, and nothing before", () => {
    expect(treeLines([node(0, null, 0.4)])).toEqual(["best:   node 0 (0.400) ± 0.050 on the holdout"]);
    expect(treeLines([])).toEqual([]);
  });
});
