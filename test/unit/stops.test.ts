import { describe, expect, it } from "vitest";
import { type EvolveConfig, evolveConfigSchema } from "#lse/evolve/config.js";
import { type EvolveOptions, evolve } from "#lse/evolve/evolve.js";
import { planRun } from "#lse/evolve/plan.js";
import { MemoryJournal } from "#lse/journal/journal.js";
import { answersByInstructions, isEdit, NumberTask, ScriptedModel } from "../fakes.js";

const config = (stop: EvolveConfig["stop"], over: object = {}) =>
  evolveConfigSchema.parse({
    rounds: 9,
    batch: 3,
    holdout: 10,
    test: 5,
    seed: 7,
    stop,
    sampling: { maxTokens: 50 },
    ...over,
  });

/** Knows three problems more after each edit, up to `most`. */
function learner(most = 30) {
  let edits = 0;
  return new ScriptedModel((request) => {
    if (!isEdit(request)) return answersByInstructions(request);
    const known = Math.min(most, 3 * ++edits);
    return `<prompt>known: 100 ${Array.from({ length: known }, (_, i) => i).join(" ")} ${"and ".repeat(edits)}</prompt>`;
  });
}

async function run(
  config: EvolveConfig,
  options: EvolveOptions = {},
  most = 30,
  journal = new MemoryJournal(),
) {
  const evolution = await evolve(new NumberTask(30), learner(most), config, journal, options);
  const answers = journal.events.filter(({ type }) => type === "answer").length;
  const rounds = journal.events.filter(({ type }) => type === "round").length;
  return { ...evolution, journal, answers, rounds, reason: journal.recall("done", "done")?.reason };
}

describe("a run ends", () => {
  it.each([
    15, 27, 28, 40, 41, 54, 1000,
  ])("within %i answers, having said how many rounds they buy", async (answers) => {
    const limited = config({ answers });
    const budget = planRun(new NumberTask(30), null, limited).budget;
    const { rounds, answers: spent, reason, test } = await run(limited);
    expect([rounds, spent]).toEqual([budget.rounds, budget.answers]);
    expect(spent).toBeLessThanOrEqual(answers);
    expect(test?.problems).toBe(5);
    if (answers === 1000) expect([rounds, reason]).toEqual([9, "all rounds were done"]);
    else
      expect(reason).toMatch(
        new RegExp(`^${spent - 5} of ${answers} answers were used, and a round .* takes 18$`),
      );
  });

  it("before it begins where the answers do not even suffice for that", async () => {
    await expect(run(config({ answers: 14 }))).rejects.toThrow(
      /14 answers are not enough.*take 15.*`evolve\.stop\.answers`/s,
    );
  });

  it("at so many generated tokens, those of edits among them", async () => {
    // The scripted model's completions are one token: 10 for the seed, 3 + 1 + 10 for a round, 5 for the test.
    expect(await run(config({ tokens: 42 }))).toMatchObject({
      rounds: 1,
      reason: "24 of 42 tokens were generated, and a round with the test takes 19",
    });
    expect((await run(config({ tokens: 43 }))).rounds).toBe(2);
    await expect(run(config({ tokens: 14 }))).rejects.toThrow(
      /14 tokens are not enough.*at least 15.*`evolve\.stop\.tokens`/s,
    );
  });

  it("earlier where the instructions it started from answer the test, too", async () => {
    const limited = config({ answers: 37 });
    const plan = planRun(new NumberTask(30), null, limited, true);
    expect(plan.budget).toMatchObject({ rounds: 1, answers: 33, testAnswers: 10, comparisonAnswers: 5 });
    expect(await run(limited, { plan })).toMatchObject({ rounds: 1, answers: 28 });
    expect(await run(config({ tokens: 47 }), { plan })).toMatchObject({ rounds: 1 });
    expect(() => planRun(new NumberTask(30), null, config({ answers: 19 }), true)).toThrow(/take 20/);
  });

  it("at a holdout score", async () => {
    const { tree, reason, rounds } = await run(config({ score: 0.5 }));
    expect(tree.best().score).toBeGreaterThanOrEqual(0.5);
    expect(tree.nodes.slice(0, -1).every(({ score }) => score < 0.5)).toBe(true);
    expect(reason).toBe("a holdout score of 0.5 was reached");
    expect(rounds).toBeLessThan(9);
  });

  it("after rounds that brought nothing better", async () => {
    const { tree, rounds, reason } = await run(config({ stagnation: 2 }), {}, 6);
    expect(rounds).toBe(tree.best().round + 2);
    expect(reason).toBe("2 rounds brought no better node");
  });

  it("after so many minutes", async () => {
    expect(await run(config({ minutes: 1e-9 }))).toMatchObject({
      rounds: 0,
      reason: expect.stringMatching(/^it had run for \d+\.\d of 1e-9 minutes, and/),
    });
  });

  it("no earlier than where it was killed, whatever is asked for when it goes on", async () => {
    const journal = new MemoryJournal();
    const dying = learner();
    const generate = dying.generate.bind(dying);
    dying.generate = async (...request) => {
      if (journal.recall("round", "4") !== undefined) throw new Error("killed");
      return await generate(...request);
    };
    await expect(evolve(new NumberTask(30), dying, config({}), journal)).rejects.toThrow("killed");
    const { rounds, reason } = await run(
      config({ minutes: 1e-9 }),
      { stopRequested: () => true },
      30,
      journal,
    );
    expect([rounds, reason]).toEqual([4, "someone asked for it"]);
  });

  it("when someone asks for it; the test is answered all the same, and the decision stands", async () => {
    let asked = 0;
    const { journal, rounds, reason, test } = await run(config({}), { stopRequested: () => ++asked > 2 });
    expect([rounds, reason]).toEqual([2, "someone asked for it"]);
    expect(test?.problems).toBe(5);
    const before = journal.events.length;
    const again = await run(config({}), { stopRequested: () => false }, 30, journal);
    expect([again.rounds, again.reason]).toEqual([2, "someone asked for it"]);
    expect(journal.events).toHaveLength(before);
  });
});
