import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Answer } from "#lse/answer/answer.js";
import { Batches, withWrong } from "#lse/evolve/batches.js";
import { type EvolveConfig, evolveConfigSchema } from "#lse/evolve/config.js";
import { evolve } from "#lse/evolve/evolve.js";
import { drawKind, type KindTrial } from "#lse/evolve/mixed.js";
import { EvolutionTree } from "#lse/evolve/tree.js";
import { treeFromJson, treeToJson } from "#lse/evolve/tree-file.js";
import { MemoryJournal, type RunEvent } from "#lse/journal/journal.js";
import { JournalFile } from "#lse/journal/journal-file.js";
import { RunFolder } from "#lse/journal/run-folder.js";
import { RunQuery } from "#lse/journal/run-query.js";
import type { GenerateRequest } from "#lse/model.js";
import { runData } from "#lse/report/run-data.js";
import type { PromptParts } from "#lse/task.js";
import { NumberTask, ScriptedModel } from "../fakes.js";

const KINDS = ["rewrite", "delta", "example"] as const;

const trials = (
  counts: Partial<Record<(typeof KINDS)[number], [improved: number, tried: number]>>,
): KindTrial[] =>
  Object.entries(counts).flatMap(([kind, [improved, tried]]) =>
    Array.from({ length: tried }, (_, i) => ({ kind: kind as KindTrial["kind"], improved: i < improved })),
  );

const shares = (past: readonly KindTrial[]) => {
  const drawn = Array.from({ length: 3000 }, (_, round) => drawKind(KINDS, past, 5, round));
  return KINDS.map((kind) => drawn.filter((each) => each === kind).length / drawn.length);
};

describe("the kind that a round draws", () => {
  it("is any of them while nothing is known, and the same for the same seed and round", () => {
    for (const share of shares([])) expect(share).toBeCloseTo(1 / 3, 1);
    expect(drawKind(KINDS, [], 5, 17)).toBe(drawKind(KINDS, [], 5, 17));
  });

  it("is as likely as that its rate of improvements is the highest", () => {
    // Two kinds with the rates Beta(1, 1) and Beta(2, 1): the second is higher two times in three.
    const drawn = Array.from({ length: 6000 }, (_, round) =>
      drawKind(["rewrite", "delta"], trials({ delta: [1, 1] }), 5, round),
    );
    expect(drawn.filter((kind) => kind === "delta").length / drawn.length).toBeCloseTo(2 / 3, 1);
  });

  it("is mostly the one that has helped, and now and then another", () => {
    const [rewrite = 0, delta = 0, example = 0] = shares(
      trials({ rewrite: [0, 6], delta: [1, 4], example: [5, 6] }),
    );
    expect(example).toBeGreaterThan(0.8);
    expect(delta).toBeGreaterThan(0.02);
    expect(rewrite).toBeLessThan(delta);
  });
});

describe("a run with mixed edits", () => {
  const config = (over: Partial<EvolveConfig> = {}) =>
    evolveConfigSchema.parse({
      ...{
        rounds: 16,
        batch: 4,
        holdout: 10,
        seed: 3,
        edits: "mixed",
        tries: 1,
        sampling: { maxTokens: 50 },
      },
      ...over,
    });
  class SolvedTask extends NumberTask {
    readonly parts: PromptParts = {
      seedInstructions: () => "",
      question: (id) => `what is ${id}?`,
      request: () => "",
      solution: (id) => `it is ${id}`,
      twinKeys: () => [],
      repair: () => "",
    };
  }
  const isDelta = ({ messages }: GenerateRequest) => messages[0]?.content.includes("# Its rules") === true;
  const isRewrite = ({ messages }: GenerateRequest) => messages[0]?.content.includes("<prompt>") === true;
  /** Rules help, examples do not, and rewrites have no tags. */
  const model = () =>
    new ScriptedModel((request) => {
      if (isRewrite(request)) return "no tags";
      if (isDelta(request)) return `<add>rule number ${request.seed}</add>`;
      const rules = request.messages[0]?.content.match(/rule number/g)?.length ?? 0;
      return Number(request.messages[1]?.content.slice(1)) % 12 < rules ? "right" : "wrong";
    });
  const kinds = (events: readonly RunEvent[]) =>
    events.flatMap((event) => (event.type === "edit" ? [event.kind] : []));

  it("comes to ask for the kind that helps, and says which kind each edit was", async () => {
    const journal = new MemoryJournal();
    const asked = model();
    const { tree } = await evolve(new SolvedTask(40), asked, config(), journal);
    const drawn = kinds(journal.events);
    expect(drawn).toHaveLength(16);
    expect(new Set(drawn)).toEqual(new Set(KINDS));
    const deltas = drawn.slice(8).filter((kind) => kind === "delta").length;
    expect(deltas).toBeGreaterThan(4);
    expect(asked.requests.filter(isDelta)).toHaveLength(drawn.filter((kind) => kind === "delta").length);
    expect(asked.requests.filter(isRewrite)).toHaveLength(drawn.filter((kind) => kind === "rewrite").length);
    expect(
      tree.nodes.filter(({ instructions }) => instructions.includes("Examples:")).length,
    ).toBeGreaterThan(0);
  });

  it("goes on as it would have without a kill, whenever that comes", async () => {
    const whole = new MemoryJournal();
    const run = await evolve(new SolvedTask(40), model(), config(), whole);
    const paid = (events: readonly RunEvent[]) => events.filter(({ type }) => type === "generation").length;
    for (const count of [30, 90, 170, 400]) {
      const kept = whole.events.slice(0, count);
      const journal = new MemoryJournal();
      for (const event of kept) journal.record(event);
      const asked = model();
      const resumed = await evolve(new SolvedTask(40), asked, config(), journal);
      expect(treeToJson(resumed, config())).toBe(treeToJson(run, config()));
      expect(asked.requests).toHaveLength(paid(whole.events) - paid(kept));
    }
  });

  it("keeps in its tree what kind of edit each prompt asks for", async () => {
    const { tree, records } = await evolve(new SolvedTask(40), model(), config(), new MemoryJournal());
    const saved = treeToJson({ tree, records }, config());
    expect(treeFromJson(saved, "tree.json").records.map(({ editKind }) => editKind)).toEqual(
      records.map(({ editKind, selfEvolvePrompt }) =>
        editKind === "rewrite" && selfEvolvePrompt === null ? null : editKind,
      ),
    );
    expect(new Set(records.map(({ editKind }) => editKind)).size).toBeGreaterThan(2);
  });

  it("keeps the prompt of a node for training, though a later round takes an example from it", async () => {
    const journal = new MemoryJournal();
    const one = config({ ucbC: 0, method: "best", rounds: 20 });
    const { records } = await evolve(new SolvedTask(40), model(), one, journal);
    const asked = new Map<number, string[]>();
    for (const event of journal.events)
      if (event.type === "edit")
        asked.set(event.parent, [...(asked.get(event.parent) ?? []), event.kind ?? ""]);
    const later = [...asked].filter(
      ([, own]) => own.at(-1) === "example" && own.some((kind) => kind !== "example"),
    );
    expect(later.length).toBeGreaterThan(0);
    for (const [node, own] of later) {
      const { selfEvolvePrompt, editKind, summary } = records[node] ?? {};
      expect(editKind).toBe(own.findLast((kind) => kind !== "example"));
      expect(selfEvolvePrompt).not.toBeNull();
      const [first] = summary ?? [];
      if (editKind === "rewrite")
        expect(JSON.stringify(selfEvolvePrompt)).toContain(`${first?.problem} answered`);
    }
  });

  it("says on its page and in SQL which kind each edit was", async () => {
    const home = mkdtempSync(join(tmpdir(), "lse-mixed-"));
    const folder = RunFolder.create(join(home, "run"), config());
    {
      using log = new JournalFile(folder.eventsPath);
      await evolve(new SolvedTask(40), model(), config(), log);
    }
    const about = { name: "run", task: "t", method: "ucb", draws: 1, settings: [], describe: null };
    const { nodes, rejected } = runData({ folder, ...about });
    expect(nodes[0]?.editKind).toBeUndefined();
    for (const { id, instructions, editKind } of nodes.slice(1)) {
      const parent = nodes[nodes[id]?.parent ?? 0]?.instructions ?? "";
      const rules = (text: string) => text.match(/rule number/g)?.length ?? 0;
      expect(editKind).toBe(rules(instructions) > rules(parent) ? "delta" : "example");
    }
    expect(rejected.every(({ why }) => why.startsWith("rewrite: no <prompt>"))).toBe(true);
    await using query = await RunQuery.open([folder.path]);
    const { rows } = await query.rows("SELECT DISTINCT kind FROM edits WHERE rejected IS NOT NULL");
    expect(rows).toEqual([["rewrite"]]);
    rmSync(home, { recursive: true });
  });

  it("draws among the kinds that the task knows", async () => {
    const journal = new MemoryJournal();
    await evolve(new NumberTask(40), model(), config(), journal);
    expect(new Set(kinds(journal.events))).toEqual(new Set(["rewrite", "delta"]));
    // Where no round draws, the run's configuration says it.
    const plain = new MemoryJournal();
    await evolve(new NumberTask(40), model(), config({ edits: "delta", rounds: 2 }), plain);
    expect(kinds(plain.events)).toEqual([undefined, undefined]);
  });
});

describe("batches that prefer wrong problems", () => {
  it("have up to half of them, and the rest as dealt", () => {
    const dealt = ["a", "b", "c", "d", "e"];
    expect(withWrong(dealt, [], 1)).toEqual(dealt);
    expect(withWrong(dealt, ["x"], 1)).toEqual(["x", "a", "b", "c", "d"]);
    const many = withWrong(dealt, ["x", "y", "z", "a"], 1);
    expect(new Set(many).size).toBe(5);
    expect(many.slice(0, 2).every((id) => ["x", "y", "z", "a"].includes(id))).toBe(true);
    expect(many.slice(2).every((id) => dealt.includes(id))).toBe(true);
    expect(withWrong(dealt, ["x", "y", "z", "a"], 2).slice(0, 2)).not.toEqual(many.slice(0, 2));
  });

  it("take what the nearest node says of a problem that several have answered", () => {
    const pool = Array.from({ length: 20 }, (_, i) => `p${i}`);
    const tree = new EvolutionTree("seed");
    const child = tree.add(0, "child", 1);
    const batches = new Batches(
      { schedule: "algorithm1", batch: 4, seed: 1, preferWrong: true },
      { pool, holdout: [], test: [] },
      tree,
    );
    const answers = (correct: Record<string, boolean>) =>
      Object.entries(correct).map(([problem, correct]) => ({ problem, outcome: { correct } }) as Answer);
    batches.keep(tree.root, answers({ p18: false, p19: true }));
    batches.keep(child, answers({ p18: true, p19: false }));
    const grandchild = tree.add(child.id, "grandchild", 2);
    for (const [node, wrong] of [
      [tree.root, "p18"],
      [child, "p19"],
      [grandchild, "p19"],
    ] as const)
      expect(batches.draw(node, 1)).toEqual([wrong, "p0", "p1", "p2"]);
  });

  it("go by the latest answers of the node, or of the nearest node above it", async () => {
    // From the second answer on p1 … is known under every node; the rest stays unknown.
    const journal = new MemoryJournal();
    const asked = new ScriptedModel((request) => {
      if (request.messages[0]?.content.includes("SYSTEM") !== true)
        return `<add>rule number ${request.seed}</add>`;
      return Number(request.messages[1]?.content.slice(1)) % 2 === 0 ? "right" : "wrong";
    });
    const config = evolveConfigSchema.parse({
      ...{ rounds: 4, batch: 6, holdout: 10, seed: 3, edits: "delta", test: 0, preferWrong: true },
      ...{ method: "chain", sampling: { maxTokens: 50 } },
    });
    await evolve(new NumberTask(40), asked, config, journal);
    const batches = new Map<number, { problem: string; correct: boolean }[]>();
    for (const event of journal.events)
      if (event.type === "answer" && event.phase === "batch")
        batches.set(event.round, [
          ...(batches.get(event.round) ?? []),
          { problem: event.problem, correct: event.outcome.correct },
        ]);
    const seen = new Map<string, boolean>();
    for (let round = 1; round <= 4; round++) {
      const batch = batches.get(round) ?? [];
      expect(batch).toHaveLength(6);
      const wrongBefore = [...seen].filter(([, correct]) => !correct).map(([problem]) => problem);
      const again = batch.filter(({ problem }) => wrongBefore.includes(problem));
      expect(again).toHaveLength(Math.min(3, wrongBefore.length));
      expect(batch.filter(({ problem }) => seen.get(problem) === true)).toEqual([]);
      for (const { problem, correct } of batch) seen.set(problem, correct);
    }
  });
});
