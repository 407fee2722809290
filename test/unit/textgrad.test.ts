import { describe, expect, it } from "vitest";
import type { Answer } from "#lse/answer/answer.js";
import { type EvolveConfig, evolveConfigSchema } from "#lse/evolve/config.js";
import { evolve } from "#lse/evolve/evolve.js";
import { chooseFailures } from "#lse/evolve/textgrad.js";
import { MemoryJournal } from "#lse/journal/journal.js";
import type { GenerateRequest } from "#lse/model.js";
import { answersByInstructions, NumberTask, ScriptedModel } from "../fakes.js";

const answer = (problem: string, error: string | null): Answer => ({
  problem,
  sample: 0,
  response: "…",
  promptTokens: 1,
  tokens: 1,
  completions: 1,
  outcome: { score: error === null ? 1 : 0, correct: error === null, answer: "", error },
});
const chosen = (batch: readonly Answer[]) => chooseFailures(batch).map(({ problem }) => problem);

describe("the failures that are criticised", () => {
  it("have one of each kind of error before a second of any, at most six, in the batch's order", () => {
    const long = "x".repeat(120);
    const batch = [
      answer("a", "no such table"),
      answer("b", "No such TABLE"),
      answer("ok", null),
      answer("c", "no such table"),
      answer("d", `${long}1`),
      answer("e", `${long}2`),
      answer("f", "mismatch"),
      answer("g", "timeout"),
      answer("h", "syntax"),
      answer("i", "other"),
    ];
    // Six kinds: the second of "no such table", and of those that begin alike for 120 characters, have to go.
    expect(chosen(batch)).toEqual(["a", "d", "f", "g", "h", "i"]);
    expect(chosen(batch.slice(0, 4))).toEqual(["a", "b", "c"]);
  });

  it("are the whole batch where nothing failed", () => {
    expect(chosen([answer("a", null), answer("b", null)])).toEqual(["a", "b"]);
  });
});

const config = (over: Partial<EvolveConfig> = {}) =>
  evolveConfigSchema.parse({
    rounds: 4,
    batch: 3,
    holdout: 10,
    test: 0,
    seed: 7,
    method: "textgrad",
    sampling: { maxTokens: 50 },
    ...over,
  });
const step = ({ messages }: GenerateRequest) => {
  const [system] = messages;
  if (system?.content.includes("text gradient")) return "critique";
  return system?.content.includes("improve a variable") ? "rewrite" : "answer";
};
const numbers = (count: number) => `known: 100 ${Array.from({ length: count }, (_, i) => i).join(" ")}`;

/** Knows after its rewrites as many of the problems as `known` says. */
function learner(known: readonly number[]) {
  let rewrites = 0;
  return new ScriptedModel((request) => {
    switch (step(request)) {
      case "critique":
        return `It lacks numbers (${rewrites}).`;
      case "rewrite":
        // Other words each time: the same text again would not be taken for an edit.
        return `Better: <IMPROVED_VARIABLE>${numbers(known[rewrites++] ?? 0)} ${"and ".repeat(rewrites)}</IMPROVED_VARIABLE>`;
      default:
        return answersByInstructions(request);
    }
  });
}

describe("TextGrad", () => {
  it("goes on from the best version, and takes back what is not strictly better", async () => {
    const model = learner([20, 5, 20, 30]);
    const { tree, records } = await evolve(new NumberTask(30), model, config(), new MemoryJournal());
    const scores = tree.nodes.map(({ score }) => score);
    expect(scores[1]).toBeGreaterThan(0);
    expect(scores[2]).toBeLessThan(scores[1] as number);
    // The third edit has the same numbers as the first: as good, so not better.
    expect(scores[3]).toBe(scores[1]);
    expect(scores[4]).toBe(1);
    expect(tree.nodes.map(({ parent }) => parent)).toEqual([null, 0, 1, 1, 1]);
    // The whole of the chat is kept: critique asked for and given, rewrite asked for and given.
    expect(records[1]?.conversation?.map(({ role }) => role)).toEqual([
      "system",
      "user",
      "assistant",
      "system",
      "user",
      "assistant",
    ]);
  });

  it("criticises the failures and hands the critique on", async () => {
    const model = learner([10, 20, 30, 30]);
    const { split } = await evolve(new NumberTask(30), model, config({ rounds: 1 }), new MemoryJournal());
    const [critique, rewrite] = model.requests.filter((request) => step(request) !== "answer");
    const asked = critique?.messages[1]?.content ?? "";
    for (const problem of split.pool.slice(0, 3)) expect(asked).toContain(`${problem} answered wrong`);
    for (const problem of split.holdout) expect(asked).not.toContain(`${problem} answered`);
    expect(rewrite?.messages[1]?.content).toContain("It lacks numbers (0).");
    expect(critique?.seed).not.toBe(rewrite?.seed);
  });

  it("asks for as many answers as a tree does", async () => {
    const count = async (method: EvolveConfig["method"]) => {
      const journal = new MemoryJournal();
      const both = new ScriptedModel((request) => {
        if (step(request) === "rewrite") return `<IMPROVED_VARIABLE>${numbers(20)}</IMPROVED_VARIABLE>`;
        if (step(request) === "critique") return "It lacks numbers.";
        return request.messages.length === 1
          ? `<prompt>${numbers(20)}</prompt>`
          : answersByInstructions(request);
      });
      // Equal rewrites of the node they come from are refused, so no round of the tree may repeat itself.
      await evolve(new NumberTask(30), both, config({ method, rounds: 1 }), journal);
      return journal.events.filter(({ type }) => type === "answer").length;
    };
    const counts = await Promise.all((["ucb", "best", "chain", "textgrad"] as const).map(count));
    expect(new Set(counts)).toEqual(new Set([10 * 2 + 3]));
  });

  it("leaves out failures and cuts the critique where the context is too small for them", async () => {
    const model = new ScriptedModel((request) => {
      if (step(request) === "critique") return "x".repeat(20_000);
      return step(request) === "rewrite"
        ? `<IMPROVED_VARIABLE>${numbers(9)}</IMPROVED_VARIABLE>`
        : answersByInstructions(request);
    }, 4000);
    const small = config({ rounds: 1, batch: 8 });
    const { tree } = await evolve(new NumberTask(30), model, small, new MemoryJournal());
    expect(tree.nodes).toHaveLength(2);
    const rewrite = model.requests.find((request) => step(request) === "rewrite");
    // A token is a character here.
    expect(model.countTokens(rewrite?.messages ?? [])).toBeLessThanOrEqual(4000 - 50);
    expect(rewrite?.messages[1]?.content).toMatch(/x{100}.*characters left out/s);
  });

  it("refuses an empty critique and an answer without its tags", async () => {
    for (const [critique, rewrite, reason] of [
      ["", `<IMPROVED_VARIABLE>${numbers(9)}</IMPROVED_VARIABLE>`, "the critique is empty"],
      ["Bad.", `<prompt>${numbers(9)}</prompt>`, "no <IMPROVED_VARIABLE>…</IMPROVED_VARIABLE> in the answer"],
    ] as const) {
      const model = new ScriptedModel((request) => {
        if (step(request) === "critique") return critique;
        return step(request) === "rewrite" ? rewrite : answersByInstructions(request);
      });
      const journal = new MemoryJournal();
      const { tree } = await evolve(new NumberTask(30), model, config({ rounds: 1, tries: 1 }), journal);
      expect(tree.nodes).toHaveLength(1);
      expect(journal.events.flatMap((event) => (event.type === "edit" ? [event.rejected] : []))).toEqual([
        reason,
      ]);
    }
  });
});
