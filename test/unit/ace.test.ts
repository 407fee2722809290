import { describe, expect, it } from "vitest";
import { ACE, parseCounted, printCounted } from "#lse/evolve/ace.js";
import { type EvolveConfig, evolveConfigSchema } from "#lse/evolve/config.js";
import { evolve } from "#lse/evolve/evolve.js";
import { parseManual } from "#lse/evolve/manual.js";
import { settled } from "#lse/evolve/methods.js";
import { treeToJson } from "#lse/evolve/tree-file.js";
import { MemoryJournal } from "#lse/journal/journal.js";
import type { Completion, GenerateRequest } from "#lse/model.js";
import type { EditState } from "#lse/train/rl/edit-states.js";
import { scoreEdits } from "#lse/train/rl/rollouts.js";
import { isEdit, NumberTask, ScriptedModel } from "../fakes.js";
import { expectResumes } from "../resuming.js";

const manual = (...rules: string[]) =>
  ["Answer well.\n\nRules:", ...rules.map((rule, i) => `${i + 1}. ${rule}`)].join("\n");
const judge = (
  text: string,
  parent = manual("the first rule", "the second rule"),
  over: Partial<Parameters<typeof ACE.judge>[1]> = {},
  finishReason: "stop" | "length" = "stop",
) => ACE.judge({ text, finishReason, generatedTokens: 9 }, { parent, unusable: () => null, ...over });
const rulesAfter = (text: string, parent?: string, over = {}) =>
  parseManual(judge(text, parent, over).instructions).rules;

describe("an edit of ACE", () => {
  it("moves the counts of rules, and adds others below them", () => {
    const once = judge(`<helpful rule="1"/> <harmful rule="2"/> <add>- a third rule</add>`);
    expect(once.verdict).toBe("usable");
    expect(parseManual(once.instructions).rules).toEqual([
      "the first rule (helpful 1, harmful 0)",
      "the second rule (helpful 0, harmful 1)",
      "a third rule",
    ]);
    // Counts alone are an edit; of two words on one rule the last counts, and a rule that there is not has none.
    expect(
      rulesAfter(
        `<helpful rule="2"/><harmful rule="1"/><helpful rule="1"/><harmful rule="9"/>`,
        once.instructions,
      ),
    ).toEqual([
      "the first rule (helpful 2, harmful 0)",
      "the second rule (helpful 1, harmful 1)",
      "a third rule",
    ]);
    for (const rule of ["plain", "counted (helpful 12, harmful 3)", "harmful 3)"])
      expect(printCounted(parseCounted(rule))).toBe(rule);
  });

  it("adds three rules at most, none that says what another says, and writes no counts for them", () => {
    const four = ["one one one", "two two two", "three three", "four four four"];
    expect(rulesAfter(four.map((rule) => `<add>${rule}</add>`).join(""), "Head of it.")).toEqual(
      four.slice(0, 3),
    );
    expect(rulesAfter("<add>cut off <add>a rule after it</add>", "Head of it.")).toEqual(["a rule after it"]);
    expect(rulesAfter("<add>a newer one (helpful 9, harmful 0)</add>", "Head of it.")).toEqual([
      "a newer one",
    ]);
    const words = "one two three four five six seven eight nine ten";
    const long = manual(`${words} (helpful 2, harmful 0)`, "the second rule");
    // The same words in another order, and nine of ten of all words.
    expect(judge(`<add>Ten, nine eight seven six five four three two one.</add>`, long)).toMatchObject({
      verdict: "same",
      reason: "all of it is there already",
    });
    expect(rulesAfter(`<helpful rule="1"/><add>${words.replace(" ten", "")}</add>`, long)).toEqual([
      `${words} (helpful 3, harmful 0)`,
      "the second rule",
    ]);
    expect(rulesAfter(`<add>${words.replace("nine ten", "")} and more</add>`, long)).toHaveLength(3);
  });

  it("takes rules out over the budget: those first that did more harm than good, then the oldest", () => {
    const many = Array.from({ length: 32 }, (_, i) => `rule number ${i}`);
    many[20] = "rule number 20 (helpful 3, harmful 5)";
    many[25] = "rule number 25 (helpful 0, harmful 3)";
    many[0] = "rule number 0 (helpful 4, harmful 0)";
    const added = "<add>one further</add><add>and a second one</add><add>and also a third</add>";
    const after = rulesAfter(added, manual(...many));
    expect(after).toHaveLength(32);
    // 25 and 20 did harm; of those that nobody judged, the oldest is number 1.
    expect(many.filter((rule) => !after.includes(rule))).toEqual([many[1], many[20], many[25]]);
    expect(after.slice(-3)).toEqual(["one further", "and a second one", "and also a third"]);
    // What has no room in the context is over the budget as well.
    const unusable = (text: string) => (text.length > 60 ? "too long for the context" : null);
    expect(
      rulesAfter(
        `<harmful rule="2"/><add>the third rule</add>`,
        manual("the first rule", "the second rule"),
        {
          unusable,
        },
      ),
    ).toEqual(["the first rule", "the third rule"]);
  });

  it.each([
    ["nothing", "All is well.", /no <helpful>, <harmful> or <add>/],
    ["too short a rule", "<add>short</add>", /a rule of 5 characters/],
    ["what the prompt says", "<add>A new rule</add>", /repeats what is asked for/],
    ["a single problem", "<add>the height of Hunter</add>", /a rule quotes problem 7/],
  ])("of %s cannot be used", (_, text, reason) => {
    const quoted = (rule: string) => (rule.includes("Hunter") ? "problem 7" : null);
    expect(judge(text, undefined, { quoted }).reason).toMatch(reason);
    expect(judge("<add>cut", undefined, {}, "length").reason).toBe("cut off after 9 tokens, before any rule");
  });
});

describe("evolution by ACE", () => {
  const config = (over: Partial<EvolveConfig> = {}) =>
    evolveConfigSchema.parse({
      ...{ rounds: 4, batch: 4, holdout: 10, test: 0, seed: 7 },
      ...{ method: "ace", sampling: { maxTokens: 50 }, ...over },
    });
  const EDITS = [
    "<add>known now: 1 2 3 4 5 6 7 8</add>",
    `<harmful rule="1"/><add>also known: 30 31</add>`,
    `<harmful rule="1"/><helpful rule="2"/>`,
    "<add>and known: 40 41 42</add>",
  ];
  function writer(edits: readonly string[], answer: (request: GenerateRequest) => string = () => "wrong") {
    const model: ScriptedModel = new ScriptedModel((request) =>
      isEdit(request) ? (edits[model.requests.filter(isEdit).length - 1] ?? "nothing") : answer(request),
    );
    return model;
  }
  const prompts = (model: ScriptedModel) =>
    model.requests.filter(isEdit).map(({ messages }) => messages[0]?.content ?? "");

  it("is refused for a task whose evolvers know prompts of its own, with deltas or without", async () => {
    const own = { evolverPrompt: () => "own" };
    const deltas = { prompt: () => "", apply: () => null, grammar: "" };
    for (const more of [own, { ...own, deltas }]) {
      const task = Object.assign(new NumberTask(40), more);
      await expect(evolve(task, writer(EDITS), config(), new MemoryJournal())).rejects.toThrow(
        /`evolve\.method` cannot be "ace" with this task, whose evolvers know a prompt of its own/,
      );
    }
  });

  it("edits the newest version, better or not, and shows it the counts", async () => {
    const model = writer(EDITS);
    const { tree } = await evolve(new NumberTask(40), model, config(), new MemoryJournal());
    expect(tree.nodes.map(({ parent }) => parent)).toEqual([null, 0, 1, 2, 3]);
    expect(parseManual(tree.nodes[4]?.instructions ?? "").rules).toEqual([
      "known now: 1 2 3 4 5 6 7 8 (helpful 0, harmful 2)",
      "also known: 30 31 (helpful 1, harmful 0)",
      "and known: 40 41 42",
    ]);
    const [first, , , fourth] = prompts(model);
    expect(first).toContain("There are none yet.");
    expect(first).not.toContain("<helpful");
    expect(fourth).toContain("\n1. known now: 1 2 3 4 5 6 7 8 (helpful 0, harmful 2)\n");
    expect(fourth).toContain(`<helpful rule="1"/>`);
  });

  it("reads right answers too, after the wrong ones, and asks where all were right", async () => {
    const half = writer(EDITS, ({ messages }) =>
      Number(messages[1]?.content.slice(1)) % 2 ? "right" : "wrong",
    );
    await evolve(new NumberTask(40), half, config({ rounds: 1, batch: 8 }), new MemoryJournal());
    const verdicts = prompts(half)[0]?.match(/(?<=answered )\w+/g) ?? [];
    expect(new Set(verdicts)).toEqual(new Set(["wrong", "right"]));
    expect(verdicts).toEqual([...verdicts].sort().reverse());
    const right = writer(EDITS, () => "right");
    const { tree } = await evolve(new NumberTask(40), right, config({ rounds: 2 }), new MemoryJournal());
    expect(tree.nodes).toHaveLength(3);
  });

  it("keeps to a grammar of its own", async () => {
    const model = writer(EDITS);
    await evolve(new NumberTask(40), model, config({ constrainEdits: true }), new MemoryJournal());
    for (const request of model.requests)
      expect(request.sampling.grammar).toBe(isEdit(request) ? ACE.grammar : undefined);
  });

  it("is judged in training as in its runs", async () => {
    const task = new NumberTask(40);
    const { tree, split } = await evolve(task, writer(EDITS), config({ rounds: 1 }), new MemoryJournal());
    const { instructions, score, standardError } = tree.node(1);
    const state: EditState = {
      run: {
        ...{ origin: "here", policy: null, task, config: settled(config()), tree, records: [] },
        holdout: split.holdout,
      },
      ...{ node: 1, messages: [], kind: "delta", instructions, score, standardError, potential: 0 },
    };
    const policy = new ScriptedModel(() => "right");
    const [completion] = await new ScriptedModel(() => `<helpful rule="1"/>`).generate([
      { messages: [], sampling: config().sampling, seed: 1, sample: 0 },
    ]);
    const written = [{ state, completion: completion as Completion }];
    const { scored } = await scoreEdits(written, policy, new MemoryJournal());
    expect(scored).toMatchObject([{ isValid: true, score: 1, reward: 1 - score }]);
    expect(scored[0]?.instructions).toMatch(/ \(helpful 1, harmful 0\)$/);
  });

  it("resumes to the same tree and pays for nothing twice", async () => {
    const model = (written: number) => writer(EDITS.slice(written));
    const run = async (own: ScriptedModel, journal: MemoryJournal) =>
      treeToJson(await evolve(new NumberTask(40), own, config(), journal), config());
    await expectResumes({ model, run }, [0, 9, 14, 15, 20, 31, 44, 60]);
  });
});
