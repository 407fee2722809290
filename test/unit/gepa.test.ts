import { describe, expect, it } from "vitest";
import { type EvolveConfig, evolveConfigSchema, METHOD_NAMES } from "#lse/evolve/config.js";
import { evolve } from "#lse/evolve/evolve.js";
import { chooseFromFrontier, winsOnFrontier } from "#lse/evolve/pareto.js";
import { planRun } from "#lse/evolve/plan.js";
import { MemoryJournal } from "#lse/journal/journal.js";
import type { GenerateRequest } from "#lse/model.js";
import { answersByInstructions, dyingAfter, ScriptedModel, SolvedTask } from "../fakes.js";

describe("the Pareto frontier over problems", () => {
  it("counts on how many problems a candidate is among the best", () => {
    expect(
      winsOnFrontier([
        [1, 0, 0.5, 0],
        [0, 1, 0.5, 1],
      ]),
    ).toEqual([2, 3]);
  });

  it("leaves out who is nowhere the only one needed, the worse one of two, the newer of equals", () => {
    // The first is among the best on the first problem only, and so is the second, which is better elsewhere.
    expect(
      winsOnFrontier([
        [1, 0, 0],
        [1, 1, 0],
        [0, 0, 1],
      ]),
    ).toEqual([0, 2, 1]);
    expect(
      winsOnFrontier([
        [1, 0],
        [1, 0],
      ]),
    ).toEqual([2, 0]);
    // All are equal on the last problem, which keeps nobody by itself.
    expect(
      winsOnFrontier([
        [1, 0, 0],
        [0, 0, 0],
      ]),
    ).toEqual([3, 0]);
  });

  it("draws in proportion to the wins", () => {
    const scores = [
      [1, 1, 1, 0],
      [0, 0, 0, 0],
      [0, 0, 0, 1],
    ];
    const drawn = [0, 0.3, 0.74, 0.76, 0.999].map((draw) => chooseFromFrontier(scores, draw));
    expect(drawn).toEqual([0, 0, 0, 2, 2]);
  });
});

const config = (over: Partial<EvolveConfig> = {}) =>
  evolveConfigSchema.parse({
    rounds: 4,
    batch: 3,
    holdout: 10,
    test: 5,
    seed: 7,
    method: "gepa",
    sampling: { maxTokens: 50 },
    ...over,
  });

const isEdit = ({ messages }: GenerateRequest) => messages.length === 1;
const isCritic = ({ messages }: GenerateRequest) =>
  /text gradient|improve a variable/.test(messages[0]?.content ?? "");
const numbers = (known: readonly number[], edit: number) =>
  `known: 100 ${known.join(" ")} ${"and ".repeat(edit)}`;

/** Its n-th edit knows the n-th list of numbers. */
function learner(lists: readonly (readonly number[])[]) {
  let edits = 0;
  return new ScriptedModel((request) => {
    if (isEdit(request)) {
      const text = numbers(lists[edits] ?? [], ++edits);
      return `<prompt>${text}</prompt><add>${text}</add>`;
    }
    if (isCritic(request))
      return `<IMPROVED_VARIABLE>${numbers(lists[edits] ?? [], ++edits)}</IMPROVED_VARIABLE>`;
    return answersByInstructions(request);
  });
}

async function run(model: ScriptedModel, over: Partial<EvolveConfig> = {}, journal = new MemoryJournal()) {
  const task = new SolvedTask(30);
  const evolution = await evolve(task, model, config(over), journal);
  const gates = journal.events.filter((event) => event.type === "gate");
  const answers = journal.events.filter((event) => event.type === "answer");
  return {
    ...evolution,
    tree: evolution.tree,
    journal,
    gates,
    answers,
    budget: planRun(task, null, config(over)).budget,
  };
}

const all = Array.from({ length: 30 }, (_, i) => i);

describe("GEPA", () => {
  it("scores on the holdout only what does better on its own batch", async () => {
    // Nothing new, then everything.
    const { tree, gates, answers, split } = await run(learner([[], all, all]));
    expect(gates.slice(0, 2)).toMatchObject([
      { round: 1, before: 0, edited: 0, adopted: false },
      { round: 2, before: 0, edited: 3, adopted: true },
    ]);
    expect(tree.nodes.map(({ round, score }) => [round, score])).toEqual([
      [0, 0],
      [2, 1],
    ]);
    const of = (phase: string, round: number) =>
      answers.filter((each) => each.phase === phase && each.round === round).map(({ problem }) => problem);
    expect(of("gate", 1)).toEqual(of("batch", 1));
    expect(of("batch", 1)).toEqual(split.pool.slice(0, 3));
    expect(of("holdout", 1)).toEqual([]);
    expect(of("holdout", 2)).toHaveLength(10);
  });

  it("asks for no edit where nothing was wrong", async () => {
    const model = learner([all]);
    const { gates } = await run(model);
    expect(gates[0]).toMatchObject({ before: 0, edited: 3, adopted: true });
    // From now on only the node that knows everything is on the frontier.
    for (const gate of gates.slice(1))
      expect(gate).toMatchObject({ before: 3, edited: null, adopted: false });
    expect(model.requests.filter(isEdit)).toHaveLength(1);
  });

  it("shows the reflection the batch's outcomes and nothing of the holdout", async () => {
    const model = learner([all]);
    const { split } = await run(model);
    const asked = model.requests.find(isEdit)?.messages[0]?.content ?? "";
    for (const problem of split.pool.slice(0, 3)) expect(asked).toContain(`${problem} answered wrong`);
    for (const problem of [...split.holdout, ...split.test])
      expect(asked).not.toContain(`${problem} answered`);
  });

  it("leaves out examples from the end where the context is too small", async () => {
    const model = new ScriptedModel(
      (request) => (isEdit(request) ? `<prompt>${numbers(all, 1)}</prompt>` : "wrong ".repeat(100)),
      2400,
    );
    await run(model, { batch: 8, test: 0 });
    const asked = model.requests.find(isEdit)?.messages ?? [];
    expect(model.countTokens(asked)).toBeLessThanOrEqual(2400 - 50);
    expect(asked[0]?.content).toContain("Example 1");
    expect(asked[0]?.content).not.toContain("Example 8");
  });

  it("goes on while the answers of the rounds suffice, and never beyond", async () => {
    const { answers, budget, journal } = await run(learner([[]]));
    const perRound = 2 * 3 + 10;
    expect(budget.answers).toBe(10 + 4 * (3 + 10) + 5);
    expect(answers.length).toBeLessThanOrEqual(budget.answers);
    expect(answers.length).toBeGreaterThan(budget.answers - perRound);
    expect(journal.recall("done", "done")?.reason).toBe("the answers of 4 rounds were used");
  });

  it("resumes to the same tree and pays for nothing twice", async () => {
    const lists = [[], [1, 2, 3, 4, 5, 6], all.slice(0, 20), all];
    const whole = await run(learner(lists), { spendAll: true });
    for (const alive of [0, 5, 12, 17, 25, 40]) {
      const journal = new MemoryJournal();
      const mortal = dyingAfter(alive, learner(lists));
      await expect(run(mortal, { spendAll: true }, journal)).rejects.toThrow("killed");
      const edits = journal.events.filter((event) => event.type === "edit").length;
      const again = await run(learner(lists.slice(edits)), { spendAll: true }, journal);
      expect(again.tree.nodes.map(({ score }) => score)).toEqual(whole.tree.nodes.map(({ score }) => score));
      expect(again.answers).toHaveLength(whole.answers.length);
    }
  });
});

describe("an equal budget", () => {
  it("is the same number of answers for every method, on the same problems", async () => {
    // Some edits fail, some help, some do not.
    const lists = [[1, 2], [], [3, 4, 5, 6, 7, 8], all.slice(0, 15), [], all, all, [4]];
    const runs = await Promise.all(
      METHOD_NAMES.map((method) => run(learner(lists), { method, spendAll: true })),
    );
    for (const { answers, budget, split } of runs) {
      expect(answers).toHaveLength(budget.answers);
      expect(split).toEqual(runs[0]?.split);
    }
  });

  it("spends what rounds without a usable edit leave on the best node's score", async () => {
    const unusable = new ScriptedModel((request) =>
      isEdit(request) ? "no tags" : answersByInstructions(request),
    );
    const { tree, answers, budget, journal } = await run(unusable, { method: "ucb", spendAll: true });
    expect(tree.nodes).toHaveLength(1);
    expect(answers).toHaveLength(budget.answers);
    const scored = answers.filter(({ phase }) => phase === "holdout");
    expect(scored).toHaveLength(10 * 5);
    expect(new Set(scored.map(({ problem, sample }) => `${problem}/${sample}`)).size).toBe(50);
    expect(journal.recall("refined", "0")).toMatchObject({ node: 0, score: 0 });
  });

  it("is not spent where a condition ended the run", async () => {
    const { answers, budget } = await run(learner([all]), {
      method: "ucb",
      spendAll: true,
      stop: { score: 1 },
    });
    expect(answers).toHaveLength(10 + 13 + 5);
    expect(budget.answers).toBe(67);
  });
});
