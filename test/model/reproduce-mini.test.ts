import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "lse-reproduce-"));
afterAll(() => rmSync(folder, { recursive: true }));

const script = fileURLToPath(new URL("../../scripts/reproduce-mini/run.ts", import.meta.url));
const reproduce = (...options: string[]) =>
  spawnSync(process.execPath, ["--import", "tsx", script, ...options], { encoding: "utf8" });

it("reinforcement learning makes edits of databases it has not seen better", { timeout: 600_000 }, () => {
  const results = join(folder, "quick.json");
  const { status, stdout, stderr } = reproduce(
    "--quick",
    "--out",
    join(folder, "runs"),
    "--results",
    results,
  );
  expect(stderr).toContain("update 12 of 12");
  expect(status).toBe(0);
  expect(stdout).toContain("Improvement by one edit at temperature 1");
  const { edits } = JSON.parse(readFileSync(results, "utf8"));
  expect(edits.difference.low).toBeGreaterThan(0);
  expect(edits.lse.mean - edits.untrained.mean).toBeCloseTo(edits.difference.mean, 10);
  // The course of the training lies beside the results.
  const curve = readFileSync(join(folder, "quick-lse-curve.jsonl"), "utf8");
  expect(curve.trim().split("\n")).toHaveLength(12 + 3);
});

it("deltas are set beside rewrites at equal answers, and nothing is done twice", { timeout: 600_000 }, () => {
  const results = join(folder, "delta.json");
  const options = ["--part", "delta", "--quick", "--out", join(folder, "delta"), "--results", results];
  const first = reproduce(...options);
  expect(first).toMatchObject({ status: 0 });
  expect(first.stderr).toContain("update 2 of 2");
  const { edits, runs } = JSON.parse(readFileSync(results, "utf8"));
  const names = ["rewrites, untrained", "rewrites, LSE", "deltas, untrained", "deltas, LSE"];
  // Of two rounds: the seed instructions and two nodes, and two batches.
  expect(runs).toMatchObject([{ temperature: 1, answers: 3 * 20 + 2 * 5 }]);
  for (const { methods, differences } of [edits, ...runs]) {
    expect(methods.map(({ name }: { name: string }) => name)).toEqual(names);
    expect(differences).toHaveLength(4);
    const meanOf = (wanted: string) => methods.find(({ name }: { name: string }) => name === wanted).mean;
    for (const { a, b, mean } of differences) expect(mean).toBeCloseTo(meanOf(a) - meanOf(b), 10);
  }
  const again = reproduce(...options);
  expect(again.stdout).toBe(first.stdout);
  expect(again.stderr).not.toContain("update 2 of 2");
});
