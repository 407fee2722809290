import { describe, expect, it } from "vitest";
import { LseError } from "#lse/errors.js";
import { type EvolveConfig, evolveConfigSchema } from "#lse/evolve/config.js";
import { evolve } from "#lse/evolve/evolve.js";
import { treeFromJson, treeToJson } from "#lse/evolve/tree-file.js";
import { MemoryJournal, type RunEvent } from "#lse/journal/journal.js";
import type { Completion, GenerateRequest } from "#lse/model.js";
import { answersByInstructions, isEdit, NumberTask, numbersIn, ScriptedModel } from "../fakes.js";

const config = (over: Partial<EvolveConfig> = {}) =>
  evolveConfigSchema.parse({
    rounds: 4,
    batch: 3,
    holdout: 10,
    seed: 7,
    sampling: { maxTokens: 50 },
    ...over,
  });

/** Adds the numbers of the batch's wrong answers to the instructions: what an evolver should do. */
function learn({ messages }: GenerateRequest): string {
  const prompt = messages[0]?.content ?? "";
  const known = prompt.match(/SYSTEM known: (.*)/)?.[1] ?? "";
  const failed = [...prompt.matchAll(/p(\d+) answered wrong/g)].map(([, number]) => number);
  return `Some failed.\n<prompt>known: ${known} ${failed.join(" ")}</prompt>`;
}

const learner = () =>
  new ScriptedModel((request) => (isEdit(request) ? learn(request) : answersByInstructions(request)));

describe("answers that are not in the form asked for", () => {
  /** Finds an answer only behind "SQL:". */
  class FormTask extends NumberTask {
    override async grade(problem: string, response: string) {
      const outcome = await super.grade(problem, response);
      return { ...outcome, answer: response.startsWith("SQL:") ? response : "" };
    }
  }
  const warningsOf = async (
    text: (answer: number) => string | Partial<Completion>,
    journal: MemoryJournal,
  ) => {
    let answers = 0;
    const model = new ScriptedModel((request) => (isEdit(request) ? learn(request) : text(answers++)));
    await evolve(new FormTask(60), model, config({ holdout: 25 }), journal);
    return journal.events.filter((event) => event.type === "warning");
  };

  it("are told of once, with one that is cut and without control characters", async () => {
    const journal = new MemoryJournal();
    const noise = `\u001b[2J\u202e\nno${"o".repeat(1000)}`;
    const warnings = await warningsOf(() => noise, journal);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]?.text).toMatch(
      /^none of the first 20 answers .* "\\x1b\[2J\\u202e\\nnoo{100,160}…"; usual causes are a wrong chat template/,
    );
    expect(warnings[0]?.text).not.toContain("maxTokens");
    expect(await warningsOf(() => noise, journal)).toEqual(warnings);
  });

  it("are said to be cut off where they were", async () => {
    const cutOff = (answer: number) => ({ text: "well", generatedTokens: answer < 3 ? 50 : 5 });
    const [warning] = await warningsOf(cutOff, new MemoryJournal());
    expect(warning?.text).toMatch(
      /; 3 of them were cut off at the token limit: raise `evolve\.sampling\.maxTokens`;/,
    );
  });

  it("are not told of when one of the first 20 is", async () => {
    expect(await warningsOf((answer) => (answer === 19 ? "SQL: 1" : "noise"), new MemoryJournal())).toEqual(
      [],
    );
  });
});

describe("evolve", () => {
  it("scores the seed, then selects, answers a batch, edits and scores the child, each round", async () => {
    const journal = new MemoryJournal();
    const { tree, split } = await evolve(new NumberTask(30), learner(), config(), journal);
    const told = journal.events.flatMap((event) => {
      if (event.type === "answer") return [`${event.phase} ${event.node}`];
      return event.type === "generation" || event.type === "tokens" || event.type === "inputs"
        ? []
        : [event.type];
    });
    expect(told.filter((step, i) => step !== told[i - 1])).toEqual(
      [
        ["holdout 0", "node"],
        ["round", "batch 0", "edit", "holdout 1", "node"],
        ["round", "batch 0", "edit", "holdout 2", "node"],
        ["round", "batch 1", "edit", "holdout 3", "node"],
        ["round", "batch 1", "edit", "holdout 4", "node"],
        [`test ${tree.best().id}`, "test", "done"],
      ].flat(),
    );
    expect(split.holdout).toHaveLength(10);
    expect(new Set([...split.holdout, ...split.pool, ...split.test]).size).toBe(30);
    expect(tree.nodes.map(({ parent }) => parent)).toEqual([null, 0, 0, 1, 1]);
  });

  it("a node's score is the share of the holdout that its instructions solve", async () => {
    const { tree, split } = await evolve(
      new NumberTask(14),
      learner(),
      config({ holdout: 8 }),
      new MemoryJournal(),
    );
    for (const { instructions, score } of tree.nodes) {
      const known = numbersIn(instructions);
      const solved = split.holdout.filter((id) => known.includes(id.slice(1))).length;
      expect(score).toBe(solved / 8);
    }
  });

  it("the evolver never reads about a holdout problem", async () => {
    const model = learner();
    const { split } = await evolve(new NumberTask(30), model, config(), new MemoryJournal());
    for (const { messages } of model.requests.filter(isEdit)) {
      for (const id of split.holdout) expect(messages[0]?.content).not.toContain(`\n${id} answered`);
    }
  });

  it("all nodes are scored on the same problems with the same random numbers", async () => {
    const model = learner();
    const { split, tree } = await evolve(
      new NumberTask(30),
      model,
      config({ samples: 2 }),
      new MemoryJournal(),
    );
    const drawn = model.requests
      .filter((request) => !isEdit(request) && split.holdout.includes(request.messages[1]?.content ?? ""))
      .map(({ seed, sample, messages }) => `${messages[1]?.content} ${seed} ${sample}`);
    const perNode = 10 * 2;
    expect(drawn).toHaveLength(perNode * tree.nodes.length);
    for (let node = 1; node < tree.nodes.length; node++) {
      expect(drawn.slice(node * perNode, (node + 1) * perNode)).toEqual(drawn.slice(0, perNode));
    }
    expect(new Set(drawn).size).toBe(perNode);
  });

  it("batches come in the same order whatever is selected", async () => {
    const batches = async (method: EvolveConfig["method"]) => {
      const journal = new MemoryJournal();
      await evolve(new NumberTask(30), learner(), config({ method, rounds: 9 }), journal);
      return journal.events.flatMap((e) =>
        e.type === "answer" && e.phase === "batch" ? [`${e.round} ${e.problem}`] : [],
      );
    };
    const order = await batches("ucb");
    expect(order).toHaveLength(27);
    expect(await batches("chain")).toEqual(order);
  });

  it("returns the best node, not the last", async () => {
    const model: ScriptedModel = new ScriptedModel((request) => {
      if (!isEdit(request)) return answersByInstructions(request);
      return model.requests.filter(isEdit).length === 1
        ? `<prompt>known: ${Array.from({ length: 30 }, (_, i) => i).join(" ")}</prompt>`
        : "<prompt>forget everything</prompt>";
    });
    const { tree } = await evolve(new NumberTask(30), model, config(), new MemoryJournal());
    expect(tree.best()).toMatchObject({ id: 1, score: 1 });
    expect(tree.nodes.at(-1)?.score).toBe(0);
  });
});

describe("the test at the end", () => {
  it("is answered by the chosen node alone, once, with problems that nothing else has seen", async () => {
    const model = learner();
    const journal = new MemoryJournal();
    const { tree, split, test } = await evolve(
      new NumberTask(40),
      model,
      config({ test: 12, samples: 2 }),
      journal,
    );
    expect(split.test).toHaveLength(12);
    const answers = journal.events.flatMap((event) => (event.type === "answer" ? [event] : []));
    const onTest = answers.filter(({ problem }) => split.test.includes(problem));
    expect(onTest).toHaveLength(24);
    expect(new Set(onTest.map(({ phase, node }) => `${phase} ${node}`))).toEqual(
      new Set([`test ${tree.best().id}`]),
    );
    expect(answers.slice(-24)).toEqual(onTest);
    for (const { messages } of model.requests.filter(isEdit))
      for (const id of split.test) expect(messages[0]?.content).not.toContain(`\n${id} answered`);
    const known = numbersIn(tree.best().instructions);
    const solved = split.test.filter((id) => known.includes(id.slice(1))).length;
    expect(test).toMatchObject({ node: tree.best().id, problems: 12 });
    expect(test?.mean).toBeCloseTo(solved / 12, 12);
    expect(test?.low).toBeLessThanOrEqual(test?.mean ?? 0);
    expect(journal.recall("test", "test")).toMatchObject({ ...test });
  });

  it("may be left away", async () => {
    const journal = new MemoryJournal();
    const { test } = await evolve(new NumberTask(30), learner(), config({ test: 0 }), journal);
    expect(test).toBeNull();
    expect(journal.recall("test", "test")).toBeUndefined();
  });
});

describe("edits that must not be adopted", () => {
  const cases: [string, string | { text: string; finishReason: "length" }, RegExp][] = [
    ["no tags", "known: 1 2 3", /no <prompt>/],
    ["an empty tag", "<prompt> </prompt>", /no <prompt>/],
    ["too short", "<prompt>known</prompt>", /5 characters/],
    ["its parent again", "<prompt>known:  none so far\n</prompt>", /same as its parent/],
    ["cut off", { text: "<prompt>known: 1 2 3 4</prompt>", finishReason: "length" }, /cut off/],
    ["too long for the context", `<prompt>${"x".repeat(9000)}</prompt>`, /tokens/],
  ];

  it.each(cases)("%s: tried again, counted, skipped", async (_name, answer, reason) => {
    const model = new ScriptedModel((request) => (isEdit(request) ? answer : "wrong"), 10_000);
    const journal = new MemoryJournal();
    const { tree, rejectedEdits } = await evolve(new NumberTask(30), model, config({ rounds: 2 }), journal);
    expect(tree.nodes).toHaveLength(1);
    expect(tree.root.visits).toBe(2);
    expect(rejectedEdits).toBe(6);
    const reasons = journal.events.flatMap((e) => (e.type === "edit" ? [e.rejected ?? ""] : []));
    expect(reasons).toHaveLength(6);
    for (const why of reasons) expect(why).toMatch(reason);
  });

  it("a second attempt asks with another seed and is adopted when valid", async () => {
    const model: ScriptedModel = new ScriptedModel((request) => {
      if (!isEdit(request)) return "wrong";
      return model.requests.filter(isEdit).length % 2 === 1 ? "nothing" : "<prompt>known: 1 2 3</prompt>";
    });
    const { tree, rejectedEdits } = await evolve(
      new NumberTask(30),
      model,
      config({ rounds: 1 }),
      new MemoryJournal(),
    );
    expect(tree.nodes).toHaveLength(2);
    expect(rejectedEdits).toBe(1);
    expect(new Set(model.requests.filter(isEdit).map(({ seed }) => seed)).size).toBe(2);
  });
});

const sorted = (events: readonly RunEvent[]) => events.map((event) => JSON.stringify(event)).sort();

describe("resuming", () => {
  /** A model that dies after so many completions. */
  const mortal = (completions: number) => {
    const model: ScriptedModel = new ScriptedModel((request) => {
      if (model.requests.length > completions) throw new Error("killed");
      return isEdit(request) ? learn(request) : answersByInstructions(request);
    });
    return model;
  };

  it.each([
    0, 1, 9, 10, 13, 14, 15, 40, 60,
  ])("after %i completions pays for nothing twice and ends the same", async (alive) => {
    const whole = new MemoryJournal();
    const unbroken = await evolve(new NumberTask(30), learner(), config(), whole);
    const journal = new MemoryJournal();
    const first = mortal(alive);
    await expect(evolve(new NumberTask(30), first, config(), journal)).rejects.toThrow("killed");
    const second = learner();
    const task = new NumberTask(30);
    const resumed = await evolve(task, second, config(), journal);
    expect(treeToJson(resumed, config())).toBe(treeToJson(unbroken, config()));
    // Grading goes on while answers are generated, so a kill may change the order of events, not their set.
    expect(sorted(journal.events)).toEqual(sorted(whole.events));
    expect(alive + second.requests.length).toBe(whole.events.filter((e) => e.type === "generation").length);
  });

  it("refuses to go on with another model, context or task", async () => {
    const journal = new MemoryJournal();
    await evolve(new NumberTask(30), learner(), config({ rounds: 1 }), journal);
    const other = new ScriptedModel(() => "", 5000);
    await expect(evolve(new NumberTask(30), other, config({ rounds: 1 }), journal)).rejects.toThrow(
      /context size/,
    );
  });
});

describe("before anything is generated", () => {
  it.each([
    [
      "a holdout larger than the pool",
      10_000,
      { holdout: 28 },
      /30 problems.*holdout of 28 and batches of 3/,
    ],
    ["a context too small for the prompt", 60, {}, /context has room for/],
    ["a context too small for the evolver", 900, {}, /evolver's prompt takes/],
  ])("%s is refused", async (_name, contextSize, over, message) => {
    const model = new ScriptedModel(() => "", contextSize);
    const failure = evolve(new NumberTask(30), model, config(over), new MemoryJournal());
    await expect(failure).rejects.toThrow(message);
    await expect(failure).rejects.toBeInstanceOf(LseError);
    expect(model.requests).toHaveLength(0);
  });
});

describe("the tree file", () => {
  it("reads back what it wrote", async () => {
    const evolution = await evolve(new NumberTask(30), learner(), config(), new MemoryJournal());
    const text = treeToJson(evolution, config());
    const { tree, records } = treeFromJson(text, "tree.json");
    expect(tree.nodes).toEqual(evolution.tree.nodes);
    expect(tree.totalSelections).toBe(4);
    const nodes = JSON.parse(text).nodes;
    expect(nodes[1].conversation.at(-1).content).toContain("<prompt>");
    expect(nodes[0].self_evolve_prompt[0].content).toContain("answered wrong");
    expect(nodes[4].self_evolve_prompt).toBeNull();
    expect(records).toEqual(evolution.records);
    expect(treeToJson({ tree, records }, config())).toBe(text);
  });

  it("gives back the published code's form, but for histories", () => {
    const chat = [
      { role: "user", content: "Improve it." },
      { role: "assistant", content: "<prompt>Count twice.</prompt>" },
    ];
    const node = (over: object) => ({
      depth: 1,
      visits: 0,
      performance: null,
      conversation: null,
      summary: null,
      history: null,
      self_evolve_prompt: null,
      ...over,
    });
    const published = {
      format_version: 1,
      selection: "ucb",
      ucb_c: 2.0,
      next_id: 3,
      total_selections: 2,
      root_id: 0,
      nodes: [
        node({
          id: 0,
          parent_id: null,
          depth: 0,
          visits: 2,
          performance: 0.42,
          round_idx: 0,
          instructions: "Count.",
          self_evolve_prompt: chat.slice(0, 1),
          summary: [{ task_id: "bird_3", accuracy: 0.0, tests: [{ error: "result mismatch" }] }],
        }),
        node({
          id: 1,
          parent_id: 0,
          round_idx: 1,
          performance: 0.5,
          instructions: "Count twice.",
          conversation: chat,
        }),
        // The last child is never scored there.
        node({ id: 2, parent_id: 0, round_idx: 2, instructions: "Count." }),
      ],
    };
    const withHistory = published.nodes.map((each) => ({ ...each, history: [chat] }));
    const text = JSON.stringify({ ...published, nodes: withHistory });
    const written = JSON.parse(treeToJson(treeFromJson(text, "t"), { method: "ucb", ucbC: 2 }));
    const nodes = published.nodes.map((each) => ({ ...each, standard_error: null }));
    expect(written).toEqual({ ...published, nodes });
  });

  it("names the file and the field of a broken one", () => {
    expect(() => treeFromJson("{", "x/tree.json")).toThrow(/x\/tree\.json/);
    expect(() => treeFromJson('{"format_version":1,"root_id":0,"nodes":[{"id":0}]}', "t")).toThrow(
      /parent_id/,
    );
    const orphan = { id: 3, parent_id: 0, instructions: "" };
    expect(() =>
      treeFromJson(JSON.stringify({ format_version: 1, root_id: 0, nodes: [orphan] }), "t"),
    ).toThrow(/node 3/);
  });
});
