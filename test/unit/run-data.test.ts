import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { AnswerPhase, RunEvent } from "#lse/journal/journal.js";
import { JournalFile } from "#lse/journal/journal-file.js";
import { RunFolder } from "#lse/journal/run-folder.js";
import { type RunSource, runData } from "#lse/report/run-data.js";

const home = mkdtempSync(join(tmpdir(), "lse-run-data-"));
afterAll(() => rmSync(home, { recursive: true }));

type AnswerEvent = Extract<RunEvent, { type: "answer" }>;
/** What a strategy adds to an answer. */
type Extra = Partial<Pick<AnswerEvent, "completions" | "confidence" | "repaired" | "examples">>;

const node = (id: number, score: number): RunEvent => ({
  type: "node",
  key: `${id}`,
  ...{ node: id, parent: id === 0 ? null : 0, round: id, score, standardError: 0.1, instructions: "Add." },
});

function answered(
  place: { node: number; problem: string; phase?: AnswerPhase },
  answer: string,
  extra: Extra = {},
): RunEvent {
  const { node, problem, phase = "holdout" } = place;
  const correct = answer === "right";
  return {
    type: "answer",
    key: [node, phase, 0, problem, 0].join("/"),
    ...{ node, phase, round: 0, problem, sample: 0, promptTokens: 100, tokens: 10 },
    outcome: { score: correct ? 1 : 0, correct, answer, error: correct ? null : "not so" },
    ...extra,
  };
}

let runs = 0;

function dataOf(events: readonly RunEvent[], describe: RunSource["describe"] = null) {
  const folder = RunFolder.create(join(home, `${++runs}`), {});
  {
    using log = new JournalFile(folder.eventsPath);
    for (const event of events) log.record(event);
  }
  return runData({ folder, describe, name: "run", task: "t", method: "ucb", draws: 8, settings: [] });
}

const STRATEGIC = [
  answered({ node: 0, problem: "a" }, "wrong", { completions: 9, confidence: 0.25, examples: ["x", "y"] }),
  answered({ node: 0, problem: "b" }, "right", { completions: 8, confidence: 0.25, examples: ["y", "z"] }),
  node(0, 0.5),
  answered({ node: 1, problem: "a" }, "right", { confidence: 0.625, repaired: true, examples: ["x", "y"] }),
  answered({ node: 1, problem: "b" }, "right", { confidence: 1, examples: ["y", "z"] }),
  node(1, 1),
  answered({ node: 1, problem: "c", phase: "batch" }, "wrong", { confidence: 1 }),
  answered({ node: 1, problem: "d", phase: "test" }, "wrong", { confidence: 1 }),
  answered({ node: 0, problem: "d", phase: "test" }, "right", { confidence: 1 }),
];

describe("what a page knows of a run", () => {
  it("has examples as indexes into a list, each with its question where the task is open", () => {
    const describe = (id: string) => ({ question: `What is ${id}?`, gold: id.toUpperCase() });
    const { problems, examples } = dataOf(STRATEGIC, describe);
    expect(problems).toEqual([
      { id: "a", question: "What is a?", gold: "A", examples: [0, 1] },
      { id: "b", question: "What is b?", gold: "B", examples: [1, 2] },
    ]);
    expect(examples).toEqual(["x", "y", "z"].map((id) => ({ id, question: `What is ${id}?` })));
    expect(dataOf(STRATEGIC).examples).toEqual(["x", "y", "z"].map((id) => ({ id, question: "" })));
  });

  it("says of the answer under each node how it came about", () => {
    const { answers, shown } = dataOf(STRATEGIC);
    const under = (node: number, problem: number) => answers[shown[node]?.[problem] ?? -1];
    expect(under(0, 0)).toEqual({ answer: "wrong", error: "not so", confidence: 0.25 });
    expect(under(0, 1)).toEqual({ answer: "right", error: null, confidence: 0.25 });
    expect(under(1, 0)).toEqual({ answer: "right", error: null, confidence: 0.625, repaired: true });
    expect(under(1, 1)).toEqual({ answer: "right", error: null, confidence: 1 });
  });

  it("counts right answers by confidence: the best node's, on holdout and test alone", () => {
    const { best, reliability } = dataOf(STRATEGIC);
    expect(best).toBe(1);
    expect(reliability).toMatchObject([
      { from: 0.5, to: 0.75, answers: 1, right: 1, mean: 1 },
      { from: 1, to: 1, answers: 2, right: 1, mean: 0.5 },
    ]);
  });

  it("counts answers, and the completions that they took", () => {
    const { phases } = dataOf(STRATEGIC);
    expect(phases).toContainEqual({
      phase: "holdout",
      asked: 4,
      completions: 19,
      promptTokens: 400,
      tokens: 40,
    });
    expect(phases).toContainEqual(expect.objectContaining({ phase: "test", asked: 2, completions: 2 }));
  });

  it("has nothing of all this for a run that draws one answer without examples", () => {
    const { problems, answers, examples, reliability, phases } = dataOf([
      answered({ node: 0, problem: "a" }, "right"),
      answered({ node: 0, problem: "b" }, "right"),
      node(0, 1),
    ]);
    expect(problems).toEqual(["a", "b"].map((id) => ({ id, question: "", gold: "" })));
    expect(answers).toEqual([{ answer: "right", error: null }]);
    expect([examples, reliability]).toEqual([[], []]);
    expect(phases).toMatchObject([{ asked: 2, completions: 2 }]);
  });
});
