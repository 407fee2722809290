import { describe, expect, it } from "vitest";
import { type EvolveConfig, evolveConfigSchema } from "#lse/evolve/config.js";
import { evolve } from "#lse/evolve/evolve.js";
import { parseManual } from "#lse/evolve/manual.js";
import { treeToJson } from "#lse/evolve/tree-file.js";
import { MemoryJournal } from "#lse/journal/journal.js";
import { resolveConfig } from "#lse/runs/config.js";
import { methodOf } from "#lse/runs/finished-run.js";
import { isEdit, NumberTask, ScriptedModel } from "../fakes.js";
import { expectResumes } from "../resuming.js";

const config = (over: Partial<EvolveConfig> = {}) =>
  evolveConfigSchema.parse({
    ...{ rounds: 4, batch: 4, holdout: 10, test: 0, seed: 7, tries: 1 },
    ...{ method: "skillopt", sampling: { maxTokens: 50 }, ...over },
  });

/** Its rules, which say how many of all problems are answered right: those whose number is below the sum of theirs. */
const worth = (instructions = "") =>
  parseManual(instructions).rules.reduce((sum, rule) => sum + Number(/-?\d+$/.exec(rule)), 0);

/** Writes these answers, one an edit. */
function writer(edits: readonly string[]) {
  const model: ScriptedModel = new ScriptedModel((request) => {
    if (isEdit(request)) return edits[model.requests.filter(isEdit).length - 1] ?? "nothing";
    const [system, user] = request.messages;
    return Number(user?.content.slice(1)) < worth(system?.content) ? "right" : "wrong";
  });
  return model;
}
const prompts = (model: ScriptedModel) =>
  model.requests.filter(isEdit).map(({ messages }) => messages[0]?.content ?? "");

describe("SkillOpt", () => {
  const EDITS = [
    "<add>first is worth 20</add>",
    "<add>harmful one, worth -10</add>",
    "<add>as good, worth 0</add>",
    "<add>better by 15</add>",
  ];

  it("goes on from the current version, which only a strictly better edit replaces", async () => {
    const { tree } = await evolve(new NumberTask(40), writer(EDITS), config(), new MemoryJournal());
    const scores = tree.nodes.map(({ score }) => score);
    expect(scores[1]).toBeGreaterThan(scores[0] as number);
    expect(scores[2]).toBeLessThan(scores[1] as number);
    expect(scores[3]).toBe(scores[1]);
    expect(scores[4]).toBeGreaterThan(scores[1] as number);
    expect(tree.nodes.map(({ parent }) => parent)).toEqual([null, 0, 1, 1, 1]);
    expect(parseManual(tree.best().instructions).rules).toEqual(["first is worth 20", "better by 15"]);
  });

  it("shows the evolver the edits that were rejected in this epoch, of older versions too", async () => {
    const edits = [
      "<add>harmful at first, worth -10</add>",
      "no change",
      "<add>first is worth 20</add>",
      "<add>as good, worth 0</add>",
      "<add>once more, worth 0</add>",
      "<add>of another epoch, worth 0</add>",
    ];
    const model = writer(edits);
    // Six batches are dealt before the pool is shuffled anew.
    const over = config({ rounds: 8, batch: 5 });
    const { tree } = await evolve(new NumberTask(40), model, over, new MemoryJournal());
    expect(tree.nodes.map(({ parent }) => parent)).toEqual([null, 0, 0, 2, 2, 2]);
    const [first, second, third, fourth, fifth, , seventh] = prompts(model);
    expect(first).not.toContain("What was tried before");
    expect(second).toContain(`- With "harmful at first, worth -10": no change.\n`);
    expect(third).toContain("- Not usable: no <add>, <replace> or <delete> in the answer.\n");
    // What was better is no rejected edit; what an older version rejected still is one, without that version's rules.
    expect(fourth).not.toContain(`With "first is worth 20"`);
    expect(fourth).toContain(`- With "harmful at first, worth -10": no change.\n`);
    expect(fifth).toContain(`- With "as good, worth 0": no change.\n`);
    expect(seventh).not.toContain("What was tried before");
  });

  it("has changes of rules as edits, whatever the default says, and no others", async () => {
    const { records } = await evolve(new NumberTask(40), writer(EDITS), config(), new MemoryJournal());
    expect(records[0]?.selfEvolvePrompt?.[0]?.content).toContain("There are none yet.");
    const given = (evolve: object) => ({
      task: { name: "bird", data: "d", db: "s" },
      model: { path: "m.gguf" },
      evolve,
    });
    const named = (evolve: object) => methodOf(resolveConfig(given(evolve), "here"));
    expect(named({ method: "skillopt" })).toBe("SkillOpt");
    expect(named({ method: "skillopt", edits: "delta" })).toBe("SkillOpt");
    expect(named({ method: "best", edits: "delta" })).toBe("best-first, delta edits");
    // Runs whose evolvers saw something else are no repetitions of one another.
    expect(named({ edits: "delta", editContext: "none", editReports: 2 })).toBe(
      "UCB tree (c = 2), delta edits, evolver shown answers alone, 2 answers of a batch shown",
    );
    expect(() => named({ method: "skillopt", edits: "example" })).toThrow(/SkillOpt has a way of its own/);
    class OwnTask extends NumberTask {
      evolverPrompt = () => "own";
      // In these words nothing can be said of the edits that were rejected.
      readonly deltas = { prompt: () => "own", apply: () => null, grammar: "" };
    }
    for (const edits of ["rewrite", "delta"] as const)
      await expect(
        evolve(new OwnTask(40), writer([]), { ...config(), edits }, new MemoryJournal()),
      ).rejects.toThrow(
        /`evolve\.method` cannot be "skillopt" with this task, whose evolvers know a prompt of its own/,
      );
  });

  it("resumes to the same tree and pays for nothing twice", async () => {
    const model = (written: number) => writer(EDITS.slice(written));
    const run = async (own: ScriptedModel, journal: MemoryJournal) =>
      treeToJson(await evolve(new NumberTask(40), own, config(), journal), config());
    await expectResumes({ model, run }, [0, 9, 14, 15, 20, 31, 44, 60]);
  });
});
