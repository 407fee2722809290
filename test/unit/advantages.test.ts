import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { advantages, type Estimator, INVALID, type ScoredEdit } from "#lse/train/rl/advantages.js";
import { describeWithShared, sharedPath } from "../shared.js";

const edit = (group: number, score: number, reward: number): ScoredEdit => ({ group, score, reward });
const close = (found: readonly number[], wanted: readonly number[]) => {
  expect(found).toHaveLength(wanted.length);
  for (const [i, value] of wanted.entries()) expect(found[i]).toBeCloseTo(value, 5);
};

describe("advantages", () => {
  const two = [edit(0, 0.5, 0.25), edit(0, 0.25, 0), edit(1, 0.75, 0.5), edit(1, INVALID, INVALID)];

  it("delta is the reward itself", () => {
    expect(advantages(two, "delta")).toEqual([0.25, 0, 0.5, -1]);
  });

  it("whitening subtracts the mean of the whole update, and divides by its unbiased deviation", () => {
    const mean = -0.0625;
    const deviation = Math.sqrt(
      [0.25, 0, 0.5, -1].map((value) => (value - mean) ** 2).reduce((a, b) => a + b) / 3,
    );
    close(
      advantages(two, "delta-std"),
      [0.25, 0, 0.5, -1].map((value) => value / deviation),
    );
    close(
      advantages(two, "delta-whitened"),
      [0.25, 0, 0.5, -1].map((value) => (value - mean) / deviation),
    );
  });

  it("grpo compares a node's edits with each other only", () => {
    const half = Math.SQRT1_2;
    close(advantages(two, "grpo-score"), [half, -half, half, -half]);
    // Only what is invalid is worth another amount: −1 instead of −1 − 0.25.
    const three = [edit(0, 0.5, 0.25), edit(0, 0.25, 0), edit(0, INVALID, INVALID)];
    expect(advantages(three, "grpo-score")[0]).not.toBeCloseTo(
      advantages(three, "grpo-delta")[0] as number,
      2,
    );
  });

  it("a single edit is taken as it is", () => {
    for (const estimator of ["delta", "delta-std", "delta-whitened", "grpo-delta"] as const)
      close(advantages([edit(0, 0.5, 0.2)], estimator), [0.2]);
  });

  it("log-odds stay finite at the ends", () => {
    const ends = [edit(0, 1, 0.5), edit(0, 0, -0.5), edit(0, 0.5, 0.5), edit(0, 1, 0), edit(0, 0, 0)];
    const found = advantages(ends, "logit-delta");
    expect(found.every(Number.isFinite)).toBe(true);
    for (const [i, value] of [Math.log(99), -Math.log(99), Math.log(99), 0, 0].entries())
      expect(found[i]).toBeCloseTo(value, 3);
  });
});

describeWithShared("advantages of the published code", ["notes/reference_vectors.json"], () => {
  it("are the same numbers", () => {
    const { adv } = JSON.parse(readFileSync(sharedPath("notes/reference_vectors.json"), "utf8"));
    const edits = adv.score.map((score: number, i: number) => edit(0, score, adv.reward[i]));
    const names: Record<string, Estimator> = {
      delta: "delta",
      delta_std_norm: "delta-std",
      delta_whitening: "delta-whitened",
      grpo: "grpo-delta",
      logit_delta: "logit-delta",
    };
    for (const [name, estimator] of Object.entries(names)) close(advantages(edits, estimator), adv[name]);
  });
});
