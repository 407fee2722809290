import { describe, expect, it } from "vitest";
import type { Answer } from "#lse/answer/answer.js";
import { Quotes } from "#lse/bird/quoted.js";
import { type EvolveConfig, evolveConfigSchema } from "#lse/evolve/config.js";
import { judgeDelta } from "#lse/evolve/delta.js";
import { deltaMessages } from "#lse/evolve/delta-prompt.js";
import { evolve } from "#lse/evolve/evolve.js";
import { type Manual, parseManual, printManual } from "#lse/evolve/manual.js";
import { planRun } from "#lse/evolve/plan.js";
import { treeToJson } from "#lse/evolve/tree-file.js";
import { MemoryJournal } from "#lse/journal/journal.js";
import { uniformStream } from "#lse/lib/random.js";
import type { GenerateRequest } from "#lse/model.js";
import type { WorkedCase } from "#lse/task.js";
import { ruleUnits } from "#lse/workspace/rule-units.js";
import { NumberTask, ScriptedModel, SolvedTask, TWINS } from "../fakes.js";

const MANUAL = "Answer well.\n\nRules:\n1. the first rule\n2. the second rule";

describe("a manual", () => {
  it("is a text with numbered rules below it, and reads back as it was printed", () => {
    const manual: Manual = {
      head: "Answer well.",
      rules: ["the first rule", "the second rule"],
      examples: [],
    };
    expect(printManual(manual)).toBe(MANUAL);
    expect(parseManual(MANUAL)).toEqual(manual);
    const others: Manual[] = [
      { head: "", rules: ["alone"], examples: [] },
      { head: "", rules: [], examples: ["Question: a\n\n<answer>SELECT 1\n- 2</answer>", "b"] },
      { ...manual, examples: ["Rules:\n1. in an example"] },
      { head: "", rules: [], examples: [] },
    ];
    for (const other of others) expect(parseManual(printManual(other))).toEqual(other);
    expect(printManual({ ...manual, examples: ["a\nb", "c"] })).toBe(`${MANUAL}\n\nExamples:\n- a\n  b\n- c`);
  });

  it("loses nothing of any text", () => {
    const draw = uniformStream(3);
    const parts = [
      "Rules:",
      "\n",
      "\n\n",
      "1. a",
      "2. b",
      "2.  c",
      "- d",
      "head",
      " ",
      "10. e",
      "",
      "Examples:",
      "\n  ",
    ];
    for (let i = 0; i < 3000; i++) {
      const text = Array.from({ length: 8 }, () => parts[Math.floor(draw() * parts.length)]).join("");
      expect(printManual(parseManual(text))).toBe(text);
    }
  });

  it("can be left one rule at a time", () => {
    expect(ruleUnits(MANUAL)).toEqual([
      { text: "Answer well.", without: "Rules:\n1. the first rule\n2. the second rule" },
      { text: "1. the first rule", without: "Answer well.\n\nRules:\n1. the second rule" },
      { text: "2. the second rule", without: "Answer well.\n\nRules:\n1. the first rule" },
    ]);
  });

  it("in another layout is a text without rules", () => {
    for (const text of ["Rules:\n2. from two", `${MANUAL}\nand more`, "x Rules:\n1. a", `${MANUAL}\n`])
      expect(parseManual(text)).toEqual({ head: text, rules: [], examples: [] });
  });
});

const judge = (text: string, parent = MANUAL, finishReason: "stop" | "length" = "stop") =>
  judgeDelta({ text, finishReason, generatedTokens: 9 }, { parent, unusable: () => null });
const rulesAfter = (text: string, parent?: string) => parseManual(judge(text, parent).instructions).rules;

const WORKED: WorkedCase = {
  outline: "car(id)",
  lessons: ["one", "two"],
  added: "the first lesson",
  replaced: { before: "a wrong rule", after: "the second lesson" },
};

describe("a change of rules", () => {
  it("adds, replaces and deletes by the numbers of before, in one edit", () => {
    expect(
      rulesAfter(
        `They fail. <delete rule="1"/> <add>a third rule</add>\n<replace rule="2">the second, better</replace>`,
      ),
    ).toEqual(["the second, better", "a third rule"]);
    expect(judge("<add>a third rule</add>")).toMatchObject({ verdict: "usable", reason: null });
    expect(judge("<add>- 1. in the first\nplace</add>", "Only a text.").instructions).toBe(
      "Only a text.\n\nRules:\n1. 1. in the first place",
    );
    expect(judge(`<delete rule="1"/><delete rule="2"/>`).instructions).toBe("Answer well.");
    expect(rulesAfter('<add>"a rule in quotes"</add><add>"Fast" means "high"</add>', "Head.")).toEqual([
      "a rule in quotes",
      '"Fast" means "high"',
    ]);
  });

  it("ends at the next tag, so that tags that are only talked of do no harm", () => {
    expect(rulesAfter("I use <add> to add one. <add>Join race over id.</add>", "Head of it.")).toEqual([
      "Join race over id.",
    ]);
    expect(
      rulesAfter(`<add>left open <delete rule="1"/> <replace rule="2">also open <add>a good rule</add>`),
    ).toEqual(["the second rule", "a good rule"]);
    expect(judge("<add>".repeat(200_000)).verdict).toBe("invalid");
  });

  it("does not depend on rules of the same words that were there before", () => {
    const twice = "H.\n\nRules:\n1. join a over b\n2. join b over a\n3. the third rule";
    expect(rulesAfter(`<delete rule="3"/>`, twice)).toEqual(["join a over b", "join b over a"]);
  });

  it("is one of three at most, and one that is cut off is none", () => {
    const four = ["one one one", "two two two", "three three", "four four four"];
    expect(rulesAfter(four.map((rule) => `<add>${rule}</add>`).join(""), "Head of it.")).toEqual(
      four.slice(0, 3),
    );
    const cut = "<add>a third rule</add><add>a fourth ru";
    expect(judge(cut, MANUAL, "length")).toMatchObject({ verdict: "usable" });
    expect(judge("<add>a fourth ru", MANUAL, "length").reason).toBe(
      "cut off after 9 tokens, before any change",
    );
  });

  it.each([
    ["nothing", "I would not change it.", /no <add>, <replace> or <delete>/],
    ["a rule that there is not", `<replace rule="3">another rule</replace>`, /there is no rule 3/],
    ["rule 0", `<delete rule="0"/>`, /there is no rule 0/],
    ["too short a rule", "<add>short</add>", /a rule of 5 characters/],
    ["an empty rule", "<add> </add>", /a rule of 0 characters/],
    ["too long a rule", `<add>${"long ".repeat(100)}</add>`, /a rule of 499 characters/],
    ["what the prompt says", "<add>A new rule</add>", /repeats what is asked for/],
    [
      "a sentence of the prompt",
      "<add>A rule is one sentence. It says where a fact is found</add>",
      /repeats what is asked for/,
    ],
    ["the same rule in another order", "<add>Rule: the FIRST.</add>", /^"Rule: the FIRST" is there already$/],
  ])("%s is not usable", (_, text, reason) => {
    expect(judge(text)).toMatchObject({ verdict: "invalid" });
    expect(judge(text).reason).toMatch(reason);
  });

  it("that cannot be made is left out, and the others are made", () => {
    const worked = { ...WORKED, added: "Cars have colours." };
    const rules = { parent: MANUAL, unusable: () => null, worked };
    const made = (text: string) => judgeDelta({ text, finishReason: "stop", generatedTokens: 9 }, rules);
    expect(
      parseManual(made("<add>cars have colours</add><add>short</add><add>a third rule</add>").instructions)
        .rules,
    ).toEqual(["the first rule", "the second rule", "a third rule"]);
    expect(rulesAfter(`<add>first: the rule</add><delete rule="7"/><delete rule="2"/>`)).toEqual([
      "the first rule",
    ]);
    expect(rulesAfter("<add>a third rule</add><add>A third rule!</add>")).toHaveLength(3);
    expect(made("<add>cars have colours</add>").reason).toBe("a rule repeats what is asked for");
    expect(made(`<replace rule="1">${worked.replaced.after}</replace>`).verdict).toBe("invalid");
  });

  it("does not write a rule twice where the change of that rule cannot be made", () => {
    expect(
      rulesAfter(`<replace rule="2">short</replace><add>The second rule.</add><add>a third rule</add>`),
    ).toEqual(["the first rule", "the second rule", "a third rule"]);
    expect(
      rulesAfter(
        `<add>the second rule!</add><replace rule="2">First, the rule</replace><add>a third rule</add>`,
      ),
    ).toEqual(["the first rule", "the second rule", "a third rule"]);
    expect(judge(`<add>the second rule!</add><replace rule="2">short</replace>`).verdict).toBe("invalid");
    expect(rulesAfter(`<add>the second rule!</add><delete rule="2"/><delete rule="1"/>`)).toEqual([
      "the second rule!",
    ]);
  });

  it("to the same words, or to another order, changes nothing", () => {
    expect(judge(`<replace rule="1">the first rule</replace>`)).toMatchObject({ verdict: "same" });
    expect(judge(`<delete rule="1"/><add>the first rule</add>`)).toMatchObject({ verdict: "same" });
  });

  it("is not usable if it quotes a single problem", () => {
    const quotes = new Quotes([
      {
        id: "7",
        question: "How tall is Hunter Zolomon now?",
        sql: "SELECT h FROM t WHERE n = 'Hunter Zolomon'",
      },
      { id: "8", question: "Who is blue?", sql: "SELECT n FROM t JOIN c ON t.c = c.id WHERE c.c = 'Blue'" },
      { id: "9", question: "Who has blue hair?", sql: "SELECT h FROM t WHERE n = 'Blue' AND m = 'x''y z'" },
    ]);
    const said = (rule: string) => {
      const rules = { parent: MANUAL, unusable: () => null, quoted: (text: string) => quotes.in(text) };
      return judgeDelta({ text: `<add>${rule}</add>`, finishReason: "stop", generatedTokens: 9 }, rules)
        .reason;
    };
    expect(said("To “how tall is hunter zolomon, now?” say 180")).toBe(
      "a rule quotes the question of problem 7",
    );
    expect(said("write select n from t join c on t.c = c.id where c.c = 'blue'")).toBe(
      "a rule quotes the gold query of problem 8",
    );
    expect(said("The height of Hunter-Zolomon is in t")).toBe(
      'a rule quotes a value of problem 7 alone: "hunter zolomon"',
    );
    expect(said("A person such as x'y z is in t")).toMatch(/a value of problem 9 alone/);
    // Several problems have it, it is one plain word, or part of one.
    expect(said("The colour 'Blue' is in c, and Zolomon in t")).toBeNull();
    expect(said("Hunter Zolomons are in t")).toBeNull();
  });

  it("is judged by its room like any edit", () => {
    const rules = { parent: MANUAL, unusable: () => "too long for the context" };
    const stop = { finishReason: "stop" as const, generatedTokens: 9 };
    expect(judgeDelta({ text: "<add>a third rule</add>", ...stop }, rules)).toMatchObject({
      verdict: "invalid",
      reason: "too long for the context",
    });
  });
});

describe("evolution by changes of rules", () => {
  const config = (over: Partial<EvolveConfig> = {}) =>
    evolveConfigSchema.parse({
      ...{ rounds: 3, batch: 4, holdout: 10, seed: 7, sampling: { maxTokens: 50 }, edits: "delta" },
      ...over,
    });
  const isDelta = ({ messages }: GenerateRequest) =>
    messages.at(-1)?.content.includes("# What to write") === true ||
    messages.at(-1)?.content.startsWith("That cannot be used") === true;
  /** Answers more problems the more rules there are, and adds one with the numbers that were answered wrong. */
  const learner = () =>
    new ScriptedModel((request) => {
      const [system, user] = request.messages;
      const { rules } = parseManual(system?.content ?? "");
      if (!isDelta(request)) return Number(user?.content.slice(1)) % 3 < rules.length ? "right" : "wrong";
      const failed = [...(request.messages[0]?.content.matchAll(/p(\d+) answered wrong/g) ?? [])];
      return `They were unknown. <add>known too: ${failed.map(([, number]) => number).join(" ")}</add>`;
    });

  it("grows rules below the seed instructions, and shows the evolver what went wrong alone", async () => {
    const model = learner();
    const { tree, records } = await evolve(new NumberTask(40), model, config(), new MemoryJournal());
    const [root, first] = tree.nodes;
    expect(parseManual(first?.instructions ?? "").head).toBe(root?.instructions);
    expect(tree.best().score).toBeGreaterThan(root?.score ?? 1);
    const rules = tree.nodes.map(({ instructions }) => parseManual(instructions).rules.length);
    expect(Math.max(...rules)).toBeGreaterThan(1);
    const prompt = records[0]?.selfEvolvePrompt?.[0]?.content ?? "";
    expect(prompt).toContain("There are none yet.");
    expect(prompt).not.toContain("SYSTEM");
    expect(prompt).not.toContain("answered right");
    expect(prompt).not.toContain("<replace");
    const later = model.requests.filter(isDelta).at(-1)?.messages[0]?.content ?? "";
    expect(later).toMatch(/\n1\. known too: [\d ]+\n/);
    expect(later).toContain(`<delete rule="1"/>`);
  });

  it("tells the evolver what was tried from a node, and what it brought", async () => {
    const said = [
      "<add>this one does harm</add>",
      "nothing at all",
      "<add>this one is good</add>",
      "<add>another good one</add>",
    ];
    const model: ScriptedModel = new ScriptedModel((request) => {
      if (isDelta(request)) return said[model.requests.filter(isDelta).length - 1] ?? "";
      const { rules } = parseManual(request.messages[0]?.content ?? "");
      if (rules.includes("this one does harm")) return "wrong";
      return Number(request.messages[1]?.content.slice(1)) % 4 === rules.length ? "wrong" : "right";
    });
    const over = { rounds: 3, tries: 1, ucbC: 0, batch: 20 };
    const { tree } = await evolve(new NumberTask(40), model, config(over), new MemoryJournal());
    const prompts = model.requests.filter(isDelta).map(({ messages }) => messages[0]?.content ?? "");
    const points = Math.round(100 * tree.root.score);
    expect(points).toBeGreaterThan(0);
    expect(prompts[0]).not.toContain("What was tried before");
    expect(prompts[2]).toContain(
      `# What was tried before\n- With "this one does harm": ${points} points worse.\n- Not usable: no <add>, <replace> or <delete> in the answer.\n`,
    );
    expect(tree.nodes).toHaveLength(3);
  });

  it("asks again after an edit that cannot be used: with the reason, and hotter", async () => {
    const model = new ScriptedModel((request) => {
      if (!isDelta(request)) return "wrong";
      return request.messages.length === 1 ? "<add>short</add>" : "<add>long enough</add>";
    });
    const { tree, records } = await evolve(
      new NumberTask(40),
      model,
      config({ rounds: 1 }),
      new MemoryJournal(),
    );
    const [first, second, ...others] = model.requests.filter(isDelta);
    expect(others).toEqual([]);
    expect(second?.messages.slice(1)).toEqual([
      { role: "assistant", content: "<add>short</add>" },
      {
        role: "user",
        content: "That cannot be used: a rule of 5 characters. Write other changes, in the forms above.",
      },
    ]);
    expect(second?.sampling.temperature).toBeGreaterThan(first?.sampling.temperature ?? 9);
    expect(parseManual(tree.nodes[1]?.instructions ?? "").rules).toEqual(["long enough"]);
    expect(records[1]?.conversation).toHaveLength(4);
  });

  it("works a case of other data first, where the task has one, in the forms that this one has", async () => {
    class WorkedTask extends NumberTask {
      readonly brief = { outline: "t(a, b)", lesson: (id: string) => `lesson of ${id}`, worked: WORKED };
    }
    const task = new WorkedTask(40);
    const model = learner();
    const first = config({ rounds: 2, ucbC: 0, method: "chain" });
    const { records } = await evolve(task, model, first, new MemoryJournal());
    const [system, shown, done, asked, ...others] = records[0]?.selfEvolvePrompt ?? [];
    expect(others).toEqual([]);
    expect([system, shown, done, asked].map((message) => message?.role)).toEqual([
      "system",
      "user",
      "assistant",
      "user",
    ]);
    expect(shown?.content).toMatch(
      /^# Its rules\nThere are none yet\.\n\n# The names in its data\ncar\(id\)\n\n# How it did\n1 of 3 were right\.\n\none\n\ntwo\n/,
    );
    expect(done?.content).toBe("<add>the first lesson</add>\n<add>the second lesson</add>");
    expect(asked?.content).toMatch(
      /^# Its rules\nThere are none yet\.\n\n# The names in its data\nt\(a, b\)\n/,
    );
    expect(asked?.content.split("# What to write")[1]).toBe(shown?.content.split("# What to write")[1]);
    // With rules, a rule is replaced.
    const [, second, answer] = records[1]?.selfEvolvePrompt ?? [];
    expect(second?.content).toContain("# Its rules\n1. a wrong rule\n");
    expect(answer?.content).toBe(
      `<add>the first lesson</add>\n<replace rule="1">the second lesson</replace>`,
    );
    const none = await evolve(task, learner(), { ...first, editContext: "none" }, new MemoryJournal());
    expect(none.records[0]?.selfEvolvePrompt?.[1]?.content).not.toContain("car(id)");
  });

  it("leaves out what was tried long ago before the last report, where not all has room", async () => {
    const tried = Array.from({ length: 8 }, (_, i) => ({
      instructions: `x\n\nRules:\n1. ${`rule ${i} `.repeat(40)}`,
      gain: 0.1,
    }));
    const task = new NumberTask(9);
    const outcome = { score: 0, correct: false, answer: "", error: null };
    const batch = ["p1", "p2"].map((problem) => ({ problem, outcome })) as unknown as Answer[];
    const prompt = (limit: number) =>
      deltaMessages({
        ...{ task, instructions: "x", batch, tried },
        fits: ([message]) => (message?.content.length ?? 0) < limit,
      })[0]?.content;
    // The last six alone are told of.
    expect(prompt(9000)).toMatch(/p1 .*p2 .*rule 2.*rule 7/s);
    expect(prompt(9000)).not.toMatch(/rule [01] /);
    expect(prompt(2200)).toMatch(/p1 /);
    expect(prompt(2200)).toMatch(/rule 7/);
    expect(prompt(2200)).not.toMatch(/rule 2|p2 /);
    expect(prompt(10)).not.toMatch(/p1|rule 7/);
  });

  it("shows the evolver what is asked for: names, the whole prompt or neither, and so many answers", async () => {
    class BriefTask extends NumberTask {
      readonly brief = { outline: "t(a, b)", lesson: (id: string) => `lesson of ${id}` };
    }
    const shown = async (over: Partial<EvolveConfig>, task: NumberTask = new BriefTask(40)) => {
      const one = config({ rounds: 1, tries: 1, ...over });
      const { records } = await evolve(task, learner(), one, new MemoryJournal());
      return records[0]?.selfEvolvePrompt?.[0]?.content ?? "";
    };
    const lessons = (text: string) => text.match(/lesson of p\d+/g)?.length;
    const usual = await shown({});
    expect(usual).toContain("# The names in its data\nt(a, b)\n\n# How it did\n");
    expect(lessons(usual)).toBe(4);
    expect(usual).not.toContain("answered wrong");
    expect(await shown({ editContext: "none" })).not.toContain("t(a, b)");
    expect(await shown({ editContext: "prompt" })).toContain("# The model's whole prompt\nSYSTEM known");
    expect(lessons(await shown({ editReports: 2 }))).toBe(2);
    expect(await shown({}, new NumberTask(40))).toMatch(
      /known: none so far\n\n# Its rules\n.*\n\n# How it did/,
    );
    class NamelessTask extends NumberTask {
      readonly brief = { outline: "", lesson: (id: string) => `lesson of ${id}` };
    }
    expect(await shown({}, new NamelessTask(40))).not.toContain("# The names in its data");
    const rewrite = { edits: "rewrite" } as const;
    expect(await shown(rewrite)).toContain("# The model's whole prompt\nSYSTEM known");
    const names = await shown({ ...rewrite, editContext: "names", editReports: 3 });
    // Only the whole prompt is one that stands below.
    expect(await shown(rewrite)).toMatch(/under the prompt below\. .*# The instructions in it, /s);
    expect(names).toContain("under a prompt with these instructions in it.");
    expect(names).toContain(
      "exactly as they are now.\n\n# The names in its data\nt(a, b)\n\n# The instructions, which",
    );
    expect(names.match(/^Problem \d+: accuracy/gm)).toHaveLength(3);
    const none = await shown({ ...rewrite, editContext: "none" });
    expect(none).toContain("under a prompt with these instructions in it. You will see");
    expect(none).not.toMatch(/SYSTEM|t\(a, b\)/);
  });

  it("asks for no edit where nothing went wrong", async () => {
    const model = new ScriptedModel(() => "right");
    const journal = new MemoryJournal();
    const { tree } = await evolve(new NumberTask(40), model, config(), journal);
    expect(journal.events.filter(({ type }) => type === "gate")).toHaveLength(3);
    expect(tree.nodes).toHaveLength(1);
    expect(model.requests.filter(isDelta)).toEqual([]);
  });

  it("gives edits a length of their own, which leaves the prompt the more room", async () => {
    const model = learner();
    await evolve(new NumberTask(40), model, config({ editMaxTokens: 9 }), new MemoryJournal());
    for (const request of model.requests) expect(request.sampling.maxTokens).toBe(isDelta(request) ? 9 : 50);
    const small = () => new ScriptedModel(() => "x", 1300);
    const shown = async (over: Partial<EvolveConfig>) => {
      const long = config({ batch: 25, sampling: config({}).sampling, ...over });
      const { records } = await evolve(new NumberTask(60), small(), long, new MemoryJournal());
      return (records[0]?.selfEvolvePrompt?.[0]?.content.match(/answered x/g) ?? []).length;
    };
    expect(await shown({ editMaxTokens: 10 })).toBeGreaterThan(await shown({ editMaxTokens: 300 }));
  });

  it("has rules of so many tokens at most, and the evolver is told", async () => {
    const model = learner();
    const small = config({ rounds: 6, method: "chain", ruleTokens: 50 });
    const { tree } = await evolve(new NumberTask(40), model, small, new MemoryJournal());
    // A token of this model is a character.
    const lengths = tree.nodes.map(({ instructions }) => {
      const { rules } = parseManual(instructions);
      return printManual({ head: "", rules, examples: [] }).length;
    });
    expect(Math.max(...lengths)).toBeGreaterThan(20);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(50);
    const told = model.requests.map(({ messages }) => messages.at(-1)?.content ?? "");
    expect(told.find((text) => text.startsWith("That cannot be used"))).toMatch(
      /^That cannot be used: its rules take \d+ tokens, and may take 50\./,
    );
    const long = config({ ruleTokens: 5, instructions: MANUAL, rounds: 1 });
    await expect(evolve(new NumberTask(40), learner(), long, new MemoryJournal())).resolves.toBeDefined();
  });

  it("shows an evolver with words of its own so many answers, and refuses to choose what else it sees", async () => {
    class OwnTask extends NumberTask {
      evolverPrompt = (_: string, reports: readonly string[]) => `own ${reports.join("; ")}`;
      readonly deltas = {
        prompt: (_: string, reports: readonly string[]) => `own delta ${reports.join("; ")}`,
        apply: () => null,
        grammar: "",
      };
    }
    for (const edits of ["rewrite", "delta"] as const) {
      const over = { edits, rounds: 1, editReports: 2 };
      const { records } = await evolve(new OwnTask(40), learner(), config(over), new MemoryJournal());
      expect(records[0]?.selfEvolvePrompt?.[0]?.content).toMatch(/^own (delta )?p\d+ [^;]*; p\d+ [^;]*$/);
    }
    const chosen = config({ edits: "rewrite", editContext: "names" });
    await expect(evolve(new OwnTask(40), learner(), chosen, new MemoryJournal())).rejects.toThrow(
      /`evolve\.editContext` does not go with this task/,
    );
  });

  it("is refused for a task whose evolvers know a prompt of its own", async () => {
    class OwnTask extends NumberTask {
      evolverPrompt = () => "own";
    }
    const running = evolve(new OwnTask(40), learner(), config(), new MemoryJournal());
    await expect(running).rejects.toThrow(
      /`evolve\.edits` cannot be "delta" with this task, whose evolvers know a prompt of its own/,
    );
  });
});

describe("evolution by examples", () => {
  const config = (over: Partial<EvolveConfig> = {}) =>
    evolveConfigSchema.parse({
      ...{ rounds: 20, batch: 6, holdout: 8, test: 8, seed: 5, method: "chain", edits: "example" },
      ...over,
    });
  const examplesOf = (text = "") => parseManual(text).examples;

  it("puts in, replaces and takes out solved problems of the batch, and asks no evolver", async () => {
    const model = new ScriptedModel(({ messages }) => (messages[1]?.content === "p3" ? "right" : "wrong"));
    const { tree, split, records, spent } = await evolve(
      new SolvedTask(80),
      model,
      config(),
      new MemoryJournal(),
    );
    expect(model.requests.every(({ messages }) => messages.length === 2)).toBe(true);
    expect(spent).toMatchObject({ edits: 20, editTokens: 0 });
    expect(records[0]?.selfEvolvePrompt).toBeNull();
    expect(tree.nodes).toHaveLength(21);
    const sizes = tree.nodes.map(({ instructions }) => examplesOf(instructions).length);
    const changes = sizes.slice(1).map((size, i) => size - (sizes[i] as number));
    expect(new Set(changes)).toEqual(new Set([3, 2, 1, 0, -1]));
    for (const [i, { instructions }] of tree.nodes.entries())
      expect(new Set(examplesOf(instructions)).size).toBe(sizes[i]);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(8);
    const shown = tree.nodes.flatMap(({ instructions }) => examplesOf(instructions));
    const keys = (ids: readonly string[]) => new Set(ids.map((id) => Number(id.slice(1)) % TWINS));
    const scored = keys([...split.holdout, ...split.test]);
    for (const example of shown) {
      const [, id = ""] = /^what is (p\d+)\?\nit is \1$/.exec(example) ?? [];
      expect(split.pool).toContain(id);
      expect(scored.has(Number(id.slice(1)) % TWINS)).toBe(false);
      expect(Number(id.slice(1))).toBeGreaterThanOrEqual(10);
    }
  });

  it("is planned without an evolver's tokens, whichever method has such edits", () => {
    const budgetOf = (over: Partial<EvolveConfig>) =>
      planRun(new SolvedTask(80), null, config({ method: "ucb", ...over })).budget;
    for (const over of [{}, { method: "bootstrap" }] as const) {
      const { edits, editPromptTokens, generatedTokensAtMost, answerTokensAtMost } = budgetOf(over);
      expect([edits, editPromptTokens, generatedTokensAtMost]).toEqual([20, 0, answerTokensAtMost]);
    }
    for (const edits of ["rewrite", "mixed"] as const)
      expect(budgetOf({ edits }).editPromptTokens).toBeGreaterThan(0);
  });

  it("takes out one example at a time, also of more than edits leave there", async () => {
    const examples = Array.from({ length: 16 }, (_, i) => `given ${i}`);
    const instructions = printManual({ head: "Answer.", rules: [], examples });
    const over = { method: "best", rounds: 60, ucbC: 0, instructions } as const;
    // Whatever is changed is worse, so that all edits are of the given ones.
    const model = new ScriptedModel(({ messages }) =>
      messages[0]?.content.includes(instructions)
        ? messages[1]?.content.endsWith("1")
          ? "wrong"
          : "right"
        : "wrong",
    );
    const { tree } = await evolve(new SolvedTask(80), model, config(over), new MemoryJournal());
    const kept = tree.nodes.slice(1).map((node) => examplesOf(node.instructions));
    const removals = kept.filter((own) => own.every((example) => examples.includes(example)));
    expect(removals.length).toBeGreaterThan(0);
    for (const own of removals) expect(own).toHaveLength(15);
    for (const own of kept.filter((each) => !removals.includes(each))) expect(own).toHaveLength(8);
  });

  it("makes the same tree each time, and prefers problems that were answered wrong", async () => {
    const policy = () =>
      new ScriptedModel(({ messages }) =>
        Number(messages[1]?.content.slice(1)) % 2 === 0 ? "right" : "wrong",
      );
    const trees = [];
    for (const _ of [1, 2]) {
      const evolution = await evolve(new SolvedTask(80), policy(), config(), new MemoryJournal());
      trees.push(treeToJson(evolution, config()));
      for (const { instructions } of evolution.tree.nodes)
        for (const example of examplesOf(instructions))
          expect(Number(/p(\d+)/.exec(example)?.[1]) % 2).toBe(1);
    }
    expect(trees[1]).toBe(trees[0]);
  });

  it("lets examples give way to others where they may take so many tokens", async () => {
    const small = config({ exampleTokens: 80 });
    const run = await evolve(new SolvedTask(80), new ScriptedModel(() => "x"), small, new MemoryJournal());
    const shown = run.tree.nodes.map(({ instructions }) => examplesOf(instructions));
    const lengths = shown.map((examples) => printManual({ head: "", rules: [], examples }).length);
    expect(Math.max(...lengths)).toBeGreaterThan(50);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(80);
    expect(run.rejectedEdits).toBe(0);
    const tiny = config({ exampleTokens: 20, rounds: 1, tries: 1 });
    const none = await evolve(new SolvedTask(80), new ScriptedModel(() => "x"), tiny, new MemoryJournal());
    expect(none.tree.nodes).toHaveLength(1);
  });

  it("has no edit where no problem of the batch can be an example, or none was answered wrong", async () => {
    const unsolved = Object.assign(new SolvedTask(80), {
      parts: { ...new SolvedTask(80).parts, solution: () => null },
    });
    const none = await evolve(unsolved, new ScriptedModel(() => "x"), config(), new MemoryJournal());
    expect(none.tree.nodes).toHaveLength(1);
    expect(none.rejectedEdits).toBe(60);
    const all = await evolve(
      new SolvedTask(80),
      new ScriptedModel(() => "right"),
      config(),
      new MemoryJournal(),
    );
    expect(all.tree.nodes).toHaveLength(1);
    expect(all.rejectedEdits).toBe(0);
  });

  it("is refused for a task that does not say what an example looks like", async () => {
    const running = evolve(new NumberTask(80), new ScriptedModel(() => "x"), config(), new MemoryJournal());
    await expect(running).rejects.toThrow(/`evolve\.edits` cannot be "example" with this task/);
  });
});
