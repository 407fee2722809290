import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { evolveConfigSchema } from "#lse/evolve/config.js";
import { evolve } from "#lse/evolve/evolve.js";
import { planRun } from "#lse/evolve/plan.js";
import { TransferTask } from "#lse/evolve/transfer-task.js";
import { treeToJson } from "#lse/evolve/tree-file.js";
import { MemoryJournal } from "#lse/journal/journal.js";
import { JournalFile } from "#lse/journal/journal-file.js";
import { RunFolder } from "#lse/journal/run-folder.js";
import { deltaText } from "#lse/mini/deltas.js";
import { editGains, editStarts } from "#lse/mini/edit-gains.js";
import { perfectDelta } from "#lse/mini/edits.js";
import { type MiniProblem, makeProblems } from "#lse/mini/problems.js";
import { meanings, parseRules, rulesText } from "#lse/mini/rules.js";
import { simulatedAnswer } from "#lse/mini/sql.js";
import { MiniTask } from "#lse/mini/task.js";
import type { GenerateRequest } from "#lse/model.js";
import { resolveConfig } from "#lse/runs/config.js";
import { savedRuns } from "#lse/runs/saved-runs.js";
import { TaskPool } from "#lse/runs/tasks.js";
import { editStates, type SavedRun } from "#lse/train/rl/edit-states.js";
import { rollOut, scoreEdits } from "#lse/train/rl/rollouts.js";
import { ScriptedModel } from "../fakes.js";

const config = evolveConfigSchema.parse({
  ...{ rounds: 8, batch: 5, holdout: 20, ucbC: 0, tries: 2, edits: "delta", sampling: { maxTokens: 160 } },
});
let task: MiniTask;
let problems: ReadonlyMap<string, MiniProblem>;
beforeAll(() => {
  task = MiniTask.open({ split: "test", seed: 1 }, 5000);
  problems = new Map(makeProblems(task.database, 120).map((problem) => [problem.text, problem]));
});
afterAll(() => task[Symbol.asyncDispose]());

const isEdit = ({ messages }: GenerateRequest) => messages.length === 1;
const questionOf = (text: string) => (problems.get(text) as MiniProblem).question;

/** Answers as a perfect policy. */
const policy = ({ messages }: GenerateRequest): string => {
  const rules = parseRules(messages[0]?.content.split(" rules ")[1] ?? "");
  return simulatedAnswer(questionOf(messages[1]?.content ?? ""), meanings(rules));
};
/** The changes that a perfect reader of the prompt makes. */
function changesFor({ messages }: Pick<GenerateRequest, "messages">): string {
  const [front = "", ...asked] = (messages[0]?.content ?? "").split(" asked ");
  expect(front).toMatch(/^delta rules /);
  const rules = parseRules(front.replace("delta rules ", ""));
  const batch = asked.map((report) => ({
    question: questionOf(report.replace(/ (RIGHT|WRONG).*/, "")),
    correct: report.endsWith("RIGHT"),
  }));
  return deltaText(rules, perfectDelta(rules, batch, task.database.conventions));
}

/** A run by perfect models. @param broken replaces the edit with that number, from 1 */
function perfect(broken?: (request: GenerateRequest, edit: number) => string | undefined) {
  let edits = 0;
  return new ScriptedModel((request) => {
    if (!isEdit(request)) return policy(request);
    return broken?.(request, ++edits) ?? changesFor(request);
  });
}

describe("evolution by changes in the miniature world", () => {
  it("rises from nothing to nearly all with a perfect policy and a perfect reader", async () => {
    const model = perfect();
    const { tree, rejectedEdits } = await evolve(task, model, config, new MemoryJournal());
    expect(tree.root.score).toBeLessThan(0.3);
    expect(tree.best().score).toBeGreaterThan(0.85);
    expect(rejectedEdits).toBe(0);
    // What MiniTask reads, each term once.
    for (const { instructions } of tree.nodes) expect(rulesText(parseRules(instructions))).toBe(instructions);
  });

  it("asks with the first prompt again, no hotter, and asks nothing after a batch that was all right", async () => {
    const model = perfect((_, edit) => (edit === 1 ? "<delete> old </delete>" : undefined));
    const journal = new MemoryJournal();
    await evolve(task, model, { ...config, rounds: 25 }, journal);
    const [first, second] = model.requests.filter(isEdit);
    expect(second?.messages).toEqual(first?.messages);
    expect(second?.sampling).toEqual(first?.sampling);
    expect(second?.seed).not.toBe(first?.seed);
    const edits = journal.events.filter(({ type }) => type === "edit");
    expect(edits[0]).toMatchObject({ rejected: 'there is no rule for "old"' });
    expect(edits[1]).toMatchObject({ rejected: null });
    expect(journal.events.filter(({ type }) => type === "gate").length).toBeGreaterThan(5);
    for (const { messages } of model.requests.filter(isEdit)) expect(messages[0]?.content).toContain("WRONG");
  });

  it("is possible where the test is another database, and constrains answers to the task's own tags", async () => {
    await using other = MiniTask.open({ split: "test", seed: 2 }, 5000);
    const transfer = new TransferTask(task, other);
    expect(planRun(transfer, null, config).task.deltas).toBe(task.deltas);
    const model = perfect();
    await evolve(task, model, { ...config, rounds: 1, test: 0, constrainEdits: true }, new MemoryJournal());
    const [edit] = model.requests.filter(isEdit);
    expect(edit?.sampling.grammar).toBe(task.deltas.grammar);
  });
});

describe("the reward of changes", () => {
  it("is asked of runs, too, whose trees do not say what kind their edits are, as older versions wrote them", async () => {
    const home = mkdtempSync(join(tmpdir(), "lse-deltas-"));
    const { rounds, batch, holdout, edits, sampling } = config;
    const given = {
      task: { name: "mini", db: "test/1", timeout: 5 },
      model: { path: "a.gguf" },
      evolve: { rounds, batch, holdout, edits, sampling },
    };
    const run = resolveConfig(given, "here");
    const folder = RunFolder.create(join(home, "run"), run);
    {
      using log = new JournalFile(folder.eventsPath);
      const evolution = await evolve(task, perfect(), run.evolve, log);
      const tree = treeToJson(evolution, run.evolve);
      expect(tree).toContain('"edit_kind": "delta"');
      folder.writeTree(tree.replace(/,\s*"edit_kind": "delta"/g, ""));
    }
    await using tasks = new TaskPool();
    const kinds = editStates(await savedRuns(home, tasks), "random", 1).map(({ kind }) => kind);
    expect(new Set(kinds)).toEqual(new Set(["delta"]));
    rmSync(home, { recursive: true });
  });

  const savedRun = async (): Promise<SavedRun> => {
    const model = perfect();
    const { tree, records, split } = await evolve(task, model, config, new MemoryJournal());
    return { origin: "runs/a", policy: "scripted", task, config, tree, records, holdout: split.holdout };
  };

  it("is the improvement in training, 0 where nothing changes, and −1 for what cannot be used", async () => {
    const run = await savedRun();
    const state = editStates([run], "potential", 1).find(({ node }) => node === 0);
    if (state === undefined) throw new Error("the root has no prompt");
    const written = (text: string) => ({
      state,
      completion: { text, finishReason: "stop" as const, generatedTokens: 9 },
    });
    const good = changesFor(state);
    const { scored } = await scoreEdits(
      [good, `${good} ${good}`, "<add> a means", `<prompt> ${good} </prompt> <delete> old </delete>`].map(
        written,
      ),
      new ScriptedModel(policy),
      new MemoryJournal(),
    );
    expect(scored[0]?.reward).toBeGreaterThan(0);
    expect(scored[0]?.reward).toBeCloseTo((run.tree.nodes[1]?.score ?? 0) - run.tree.root.score, 10);
    expect(scored[1]).toEqual(scored[0]);
    expect(scored.slice(2).map(({ reward, isValid }) => [reward, isValid])).toEqual([
      [-1, false],
      [-1, false],
    ]);
    const later = editStates([run], "reverse", 1).find(({ instructions }) => instructions !== "none");
    if (later === undefined) throw new Error("no node has rules");
    const [rule] = parseRules(later.instructions);
    const evolver = new ScriptedModel(() => `<replace> ${rule?.term} means ${rule?.meaning} </replace>`);
    const plan = { states: [later], rollouts: 2, sampling: config.sampling, seed: 1, round: 1 };
    const models = { evolver, policy: new ScriptedModel(policy) };
    const { rollouts, times } = await rollOut(plan, models, new MemoryJournal());
    expect(rollouts.map(({ reward, isValid }) => [reward, isValid])).toEqual([
      [0, true],
      [0, true],
    ]);
    expect(times.asked).toBe(0);
  });

  it("is measured of single edits, which are asked for where something was wrong alone", async () => {
    const model = perfect();
    for (const state of ["none", "complete"] as const) {
      const starts = await editStarts(model, [task], state, config);
      const before = model.requests.filter(isEdit).length;
      const drawn = { sampling: config.sampling, samples: 2, seed: 1 };
      const [gains] = await editGains({ policy: model, evolver: model }, starts, drawn);
      const edits = model.requests.filter(isEdit).length - before;
      expect(edits).toBe(state === "none" ? 2 : 0);
      if (state === "none") expect(gains?.gain).toBeGreaterThan(0.2);
      else expect(gains).toEqual({ gain: 0, invalid: 0 });
    }
  });
});
