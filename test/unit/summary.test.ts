import { describe, expect, it } from "vitest";
import { type Answer, scoreOf } from "#lse/answer/answer.js";
import { summarise } from "#lse/evolve/summary.js";
import { NumberTask } from "../fakes.js";

const answer = (problem: string, response: string, score = 0): Answer => ({
  problem,
  sample: 0,
  response,
  outcome: { score, correct: score === 1, answer: "x", error: null },
  promptTokens: 1,
  tokens: 1,
  completions: 1,
});

const task = new NumberTask(10);
const long = (length: number) => `start ${"reasoning ".repeat(length / 10)} end`;
const answers = [answer("p1", long(2000)), answer("p2", "short", 1), answer("p3", long(500))];
const within = (limit: number) => (text: string) => text.length <= limit;

describe("the summary of a batch", () => {
  it("says everything when there is room", () => {
    const text = summarise(answers, task, within(10_000));
    expect(text).toContain("Problem 1: accuracy=0.00");
    expect(text).toContain("Problem 2: accuracy=1.00");
    expect(text).toContain("p3 answered x");
    for (const { response } of answers) expect(text).toContain(response);
    expect(text.split(`\n${"=".repeat(50)}\n`)).toHaveLength(3);
  });

  it("cuts the longest responses first, keeps their start and end, and says how much is missing", () => {
    const text = summarise(answers, task, within(1400));
    expect(text.length).toBeLessThanOrEqual(1400);
    expect(text.length).toBeGreaterThan(1300);
    expect(text).toContain(long(500));
    expect(text).not.toContain(long(2000));
    const left = Number(text.match(/\[… (\d+) characters left out …\]/)?.[1]);
    const kept =
      text
        .split("Full response:\n")[1]
        ?.split("\n===")[0]
        ?.replace(/\[….*…\]/, "").length ?? 0;
    expect(left + kept).toBe(long(2000).length);
    expect(text).toMatch(/Full response:\nstart reasoning/);
  });

  it("leaves out problems only when cut responses do not suffice, and counts them", () => {
    const text = summarise(answers, task, within(240));
    expect(text.length).toBeLessThanOrEqual(240);
    expect(text).toContain("Problem 1");
    expect(text).not.toContain("Problem 3");
    expect(text).toMatch(/of 3 problems are left out/);
  });
});

describe("the score of a node", () => {
  it("averages samples within problems and problems within the holdout", () => {
    const { score } = scoreOf([
      answer("a", "", 1),
      answer("a", "", 0),
      answer("b", "", 1),
      answer("b", "", 1),
    ]);
    expect(score).toBe(0.75);
  });

  it("has the standard error of a mean over problems", () => {
    const { score, standardError } = scoreOf([1, 1, 0, 0, 1].map((one, i) => answer(`p${i}`, "", one)));
    expect(score).toBe(0.6);
    // Sample standard deviation √(1.2 ∕ 4), divided by √5.
    expect(standardError).toBeCloseTo(Math.sqrt(1.2 / 4 / 5), 12);
    expect(scoreOf([answer("a", "", 1)]).standardError).toBeNaN();
  });
});
