import { describe, expect, it } from "vitest";
import { type EvolveConfig, evolveConfigSchema } from "#lse/evolve/config.js";
import { evolve } from "#lse/evolve/evolve.js";
import { parseManual } from "#lse/evolve/manual.js";
import { treeToJson } from "#lse/evolve/tree-file.js";
import { MemoryJournal } from "#lse/journal/journal.js";
import { resolveConfig } from "#lse/runs/config.js";
import { NumberTask, ScriptedModel, SolvedTask, TWINS } from "../fakes.js";
import { expectResumes } from "../resuming.js";

const config = (over: Partial<EvolveConfig> = {}) =>
  evolveConfigSchema.parse({
    ...{
      rounds: 12,
      batch: 6,
      holdout: 8,
      test: 8,
      seed: 5,
      method: "bootstrap",
      sampling: { maxTokens: 50 },
    },
    ...over,
  });
const numberOf = (id = "") => Number(id.slice(1));
const isEven = (id: string) => numberOf(id) % 2 === 0;

/** Knows the even numbers, and all others from three own answers on. */
const policy = (contextSize?: number) =>
  new ScriptedModel(({ messages: [system, user] }) => {
    const own = system?.content.match(/\? *\n *right/g)?.length ?? 0;
    return isEven(user?.content ?? "") || own > 2 ? "right" : "wrong";
  }, contextSize);

/** The problems of a node's examples, those with the model's own answers apart. */
function shown(instructions = "") {
  const examples = parseManual(instructions).examples.map(
    (text) => /^what is (p\d+)\?\n(.*)$/s.exec(text) ?? [],
  );
  const own = examples.filter(([, , answer]) => answer === "right").map(([, id = ""]) => id);
  const solved = examples.filter(([, id, answer]) => answer === `it is ${id}`).map(([, id = ""]) => id);
  expect(own.length + solved.length).toBe(examples.length);
  return { own, solved, all: [...own, ...solved] };
}

async function run(over: Partial<EvolveConfig> = {}, model = policy(), journal = new MemoryJournal()) {
  const evolution = await evolve(new SolvedTask(80), model, config(over), journal);
  return { ...evolution, model, json: treeToJson(evolution, config(over)) };
}

describe("BootstrapFewShot with random search", () => {
  it("draws each candidate anew below the root, and asks no evolver", async () => {
    const { tree, split, model, records } = await run();
    expect(tree.nodes.map(({ parent }) => parent)).toEqual([null, ...Array(12).fill(0)]);
    expect(model.requests.every(({ messages }) => messages.length === 2)).toBe(true);
    expect(records.every(({ selfEvolvePrompt }) => selfEvolvePrompt === null)).toBe(true);
    const [labels, first, ...others] = tree.nodes.slice(1).map(({ instructions }) => shown(instructions));
    expect(labels?.own).toEqual([]);
    expect(labels?.solved).toHaveLength(16);
    // In the order of the batches; twins of scored problems are passed over.
    const scored = new Set([...split.holdout, ...split.test].map((id) => numberOf(id) % TWINS));
    const right = split.pool.filter((id) => isEven(id) && !scored.has(numberOf(id) % TWINS));
    expect(first?.own).toEqual(right.slice(0, first?.own.length));
    expect(first?.own.length).toBeGreaterThan(0);
    const counts = others.map(({ own }) => own.length);
    expect(Math.min(...counts)).toBe(1);
    expect(Math.max(...counts)).toBe(4);
    const sets = others.map(({ all }) => all.join());
    expect(new Set(sets).size).toBe(sets.length);
    for (const { own, all } of others) {
      expect(all).toHaveLength(16);
      expect(all.slice(0, own.length)).toEqual(own);
      expect(new Set(all).size).toBe(all.length);
    }
  });

  it("shows no problem of the holdout or the test and no twin of one, and as its own only right answers", async () => {
    const { tree, split } = await run();
    const scored = new Set([...split.holdout, ...split.test].map((id) => numberOf(id) % TWINS));
    // There are twins in the pool, right ones among them, so that something had to be passed over.
    const twins = split.pool.filter((id) => scored.has(numberOf(id) % TWINS));
    expect(twins.some(isEven)).toBe(true);
    for (const { instructions } of tree.nodes) {
      const { own, solved, all } = shown(instructions);
      for (const id of all) {
        expect(split.pool).toContain(id);
        expect(scored.has(numberOf(id) % TWINS)).toBe(false);
      }
      expect(own.every(isEven)).toBe(true);
      expect(solved.every((id) => numberOf(id) >= 10)).toBe(true);
    }
  });

  it("shows of several right answers to a problem the first", async () => {
    class LaxTask extends SolvedTask {
      override grade(id: string, response: string) {
        return super.grade(id, response.split(" ")[0] ?? "");
      }
    }
    const model: ScriptedModel = new ScriptedModel(() => `right at ${model.requests.length}`);
    const journal = new MemoryJournal();
    // Two batches to a deal of the pool, so that problems come again.
    const over = config({ rounds: 8, batch: 10, holdout: 8, test: 8, tries: 1 });
    const { tree } = await evolve(new LaxTask(40), model, over, journal);
    const first = new Map<string, number>();
    for (const [i, { messages }] of model.requests.entries()) {
      const id = messages[1]?.content ?? "";
      if (!messages[0]?.content.includes("Examples:") && !first.has(id)) first.set(id, i + 1);
    }
    const shown = tree.nodes.flatMap(({ instructions }) => [
      ...instructions.matchAll(/what is (p\d+)\?\n +right at (\d+)/g),
    ]);
    expect(shown.length).toBeGreaterThan(8);
    for (const [, id = "", at] of shown) expect([id, Number(at)]).toEqual([id, first.get(id)]);
  });

  it("lets the holdout choose, the root among the candidates", async () => {
    const { tree, test } = await run();
    const best = tree.best();
    expect(best.score).toBe(1);
    expect(shown(best.instructions).own.length).toBeGreaterThan(2);
    expect(test).toMatchObject({ node: best.id, mean: 1 });
    const plain = new ScriptedModel(({ messages: [system] }) =>
      system?.content.includes("Examples:") ? "wrong" : "right",
    );
    expect((await run({}, plain)).test).toMatchObject({ node: 0, mean: 1 });
  });

  it("puts the examples in the place of those that the root has", async () => {
    const instructions = "Answer.\n\nRules:\n1. be brief\n\nExamples:\n- old one";
    const { tree } = await run({ instructions, rounds: 2 });
    for (const node of tree.nodes.slice(1)) {
      expect(parseManual(node.instructions)).toMatchObject({ head: "Answer.", rules: ["be brief"] });
      expect(node.instructions).not.toContain("old one");
    }
  });

  it("leaves out from the end what has no room in the context", async () => {
    const { tree } = await run({}, policy(250));
    const sizes = tree.nodes.slice(1).map(({ instructions }) => shown(instructions));
    expect(sizes.length).toBe(12);
    for (const { own, all } of sizes) {
      expect(all.length).toBeLessThan(8);
      expect(all.length).toBeGreaterThan(own.length === 0 ? 2 : own.length);
    }
    const none = await run({ rounds: 1 }, policy(90));
    expect(none.tree.nodes).toHaveLength(1);
    expect(none.rejectedEdits).toBe(3);
  });

  it("resumes to the same tree and pays for nothing twice", async () => {
    const again = async (model: ScriptedModel, journal: MemoryJournal) =>
      (await run({}, model, journal)).json;
    await expectResumes({ model: () => policy(), run: again }, [0, 9, 14, 15, 20, 47, 90]);
  });

  it("is refused for a task that does not say what an example looks like, and with other edits", async () => {
    await expect(evolve(new NumberTask(80), policy(), config(), new MemoryJournal())).rejects.toThrow(
      /`evolve\.method` cannot be "bootstrap" with this task, which does not say what an example looks like/,
    );
    const given = (evolve: object) => ({
      ...{ task: { name: "bird", data: "d", db: "s" }, model: { path: "m.gguf" } },
      evolve: { method: "bootstrap", ...evolve },
    });
    expect(() => resolveConfig(given({ edits: "delta" }), "here")).toThrow(/a way of its own to write edits/);
    expect(() => resolveConfig(given({ constrainEdits: true }), "here")).toThrow(
      /no model writes these edits/,
    );
  });
});
