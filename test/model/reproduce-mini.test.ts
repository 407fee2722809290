import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "lse-reproduce-"));
afterAll(() => rmSync(folder, { recursive: true }));

it("reinforcement learning makes edits of databases it has not seen better", { timeout: 600_000 }, () => {
  const script = fileURLToPath(new URL("../../scripts/reproduce-mini/run.ts", import.meta.url));
  const results = join(folder, "quick.json");
  const options = ["--quick", "--out", join(folder, "runs"), "--results", results];
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", script, ...options], {
    encoding: "utf8",
  });
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
