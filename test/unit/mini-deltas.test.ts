import { describe, expect, it } from "vitest";
import { EDIT_KINDS, editKindFor } from "#lse/evolve/edit-kinds.js";
import { judgeOwnDelta } from "#lse/evolve/own-delta.js";
import { demonstrationsOf } from "#lse/mini/curriculum.js";
import { deltaText, MINI_DELTAS } from "#lse/mini/deltas.js";
import {
  type Demonstration,
  evolveDemonstrations,
  type MiniEdits,
  simulatedBatch,
} from "#lse/mini/demonstrations.js";
import { Draw } from "#lse/mini/draw.js";
import {
  changedRules,
  perfectDelta,
  perfectEdit,
  SLOPPINESS,
  sloppyDelta,
  sloppyEdit,
} from "#lse/mini/edits.js";
import { makeDatabase } from "#lse/mini/generator.js";
import { evolverPrompt } from "#lse/mini/prompts.js";
import { meanings, parseRules, type Rule, rulesText } from "#lse/mini/rules.js";
import { rulesInState } from "#lse/mini/states.js";
import { miniDeltaTokenizer, miniTokenizer } from "#lse/mini/tokenizer.js";
import { DELTA_WORDS, WORDS } from "#lse/mini/vocabulary.js";
import type { Task } from "#lse/task.js";
import { NumberTask } from "../fakes.js";

const RULES = "old means age >= 12 . late means ended IS NULL .";

const judge = (text: string, parent = RULES, finishReason: "stop" | "length" = "stop") =>
  judgeOwnDelta(MINI_DELTAS, { text, finishReason, generatedTokens: 9 }, { parent, unusable: () => null });

describe("a delta of the miniature world", () => {
  it("adds at the end, replaces in place and deletes, all by the rules of before", () => {
    expect(
      judge(
        " <add> net means fee - tax </add> <replace> old means age > 9 </replace> <delete> late </delete>",
      ),
    ).toEqual({
      instructions: "old means age > 9 . net means fee - tax .",
      verdict: "usable",
      reason: null,
    });
    expect(judge("<delete> old </delete> <add> old means age < 3 </add>").instructions).toBe(
      "late means ended IS NULL . old means age < 3 .",
    );
    expect(judge("<add> old means age < 3 . </add>", "none").instructions).toBe("old means age < 3 .");
    // A term has one rule.
    expect(judge("<add> old means age < 3 </add>").instructions).toBe(
      "old means age < 3 . late means ended IS NULL .",
    );
  });

  it("has only changes that are whole, and is one of as many as there are", () => {
    const rule = (term: string) => `<add> ${term} means age = 1 </add>`;
    const many = ["a", "b", "c", "d", "e"].map(rule).join(" ");
    expect(parseRules(judge(many).instructions)).toHaveLength(7);
    expect(judge(`${rule("a")} <add> b means`, RULES, "length").instructions).toBe(
      `${RULES} a means age = 1 .`,
    );
    expect(judge(`<add> b means <add> c ${rule("a")} </add>`).instructions).toBe(
      `${RULES} a means age = 1 .`,
    );
    expect(judge("<add> b means", RULES, "length").reason).toBe("cut off after 9 tokens, before any change");
    expect(judge("<add>".repeat(200_000)).verdict).toBe("invalid");
    expect(judge(`<add> a means ${"x ".repeat(200_000)}</add>`).verdict).toBe("usable");
  });

  it.each([
    ["nothing", "I would not change it .", "no change in the answer"],
    ["a rewrite", `<prompt> ${RULES} </prompt>`, "no change in the answer"],
    ["what is no rule", "<add> age >= 12 </add>", '"age >= 12" is not one rule'],
    ["nothing between the tags", "<replace> </replace>", '"" is not one rule'],
    ["two rules in one", "<add> a means b . c means d </add>", '"a means b . c means d" is not one rule'],
    ["another rule than there is", "<replace> net means fee </replace>", 'there is no rule for "net"'],
    ["the deletion of none", "<delete> net </delete>", 'there is no rule for "net"'],
    ["the deletion of a whole rule", "<delete> old means age >= 12 </delete>", /^there is no rule for/],
    ["the deletion of all", "<delete> old </delete> <delete> late </delete>", "only 4 characters long"],
  ])("%s is not usable", (_, text, reason) => {
    expect(judge(text)).toMatchObject({ verdict: "invalid", reason: expect.stringMatching(reason) });
  });

  it("that leaves all rules as they are changes nothing, whatever else the instructions say", () => {
    const parent = `Hello . ${RULES} old means age >= 12 .`;
    for (const text of [
      "<add> late means ended IS NULL </add>",
      "<replace> old means  age >= 12 . </replace>",
    ])
      expect(judge(text, parent)).toMatchObject({ verdict: "same", instructions: parent });
  });

  it("is judged by its room like any edit", () => {
    const completion = { text: "<delete> old </delete>", finishReason: "stop", generatedTokens: 9 } as const;
    const rules = { parent: RULES, unusable: () => "too long for the context" };
    expect(judgeOwnDelta(MINI_DELTAS, completion, rules)).toMatchObject({
      verdict: "invalid",
      reason: "too long for the context",
    });
  });

  it("is what `evolve.edits: delta` is for tasks that have such a form, and for these alone", () => {
    const task: Task = new NumberTask(3);
    const own = editKindFor("delta", { deltas: MINI_DELTAS });
    expect(own).toMatchObject({ grammar: MINI_DELTAS.grammar, needsFailures: true });
    expect(own?.retry).toBeUndefined();
    for (const name of ["rewrite", "delta", "example"] as const)
      expect(editKindFor(name, task)).toBe(EDIT_KINDS[name]);
    expect(editKindFor("rewrite", { deltas: MINI_DELTAS })).toBe(EDIT_KINDS.rewrite);
  });
});

/** Rules and a batch, from many states. */
function situation(seed: number) {
  const database = makeDatabase({ split: "train", seed });
  const draw = new Draw("deltas", seed);
  const state = (["none", "partial", "wrong", "half", "complete"] as const)[seed % 5] as "none";
  const rules = rulesInState(database, state, draw);
  return { rules, batch: simulatedBatch(database, rules, 5, draw), truth: database.conventions, draw };
}

describe("the demonstrators of deltas", () => {
  it("end with the rules that a rewrite would have: the perfect one always", () => {
    let usable = 0;
    for (let seed = 0; seed < 500; seed++) {
      const { rules, batch, truth } = situation(seed);
      const changes = perfectDelta(rules, batch, truth);
      const edited = rulesText(perfectEdit(rules, batch, truth));
      if (changes.length === 0) expect(edited).toBe(rulesText(rules));
      else {
        const judged = judge(deltaText(rules, changes), rulesText(rules));
        expect(judged).toEqual({ instructions: edited, verdict: "usable", reason: null });
        usable++;
      }
    }
    expect(usable).toBeGreaterThan(350);
  });

  it("make the same mistakes, but for rules that are forgotten by leaving them out", () => {
    const careful = { firstOnly: 0, dropOne: 0, dropHalf: 0, misattribute: 0, pad: 0 };
    let deleted = 0;
    for (let seed = 0; seed < 300; seed++) {
      const { rules, batch, truth } = situation(seed);
      const careless = (over: Partial<typeof careful>) => ({
        draw: new Draw("edit", seed),
        sloppiness: { ...careful, ...over },
      });
      const delta = (over: Partial<typeof careful>) => sloppyDelta(rules, batch, truth, careless(over));
      const rewrite = (over: Partial<typeof careful>) => sloppyEdit(rules, batch, truth, careless(over));
      const findings = perfectDelta(rules, batch, truth);
      expect(delta({})).toEqual(findings);
      expect(delta({ dropHalf: 1 })).toEqual(findings);
      for (const mistake of ["firstOnly", "misattribute"] as const)
        expect(rulesText(changedRules(rules, delta({ [mistake]: 1 })))).toBe(
          rulesText(rewrite({ [mistake]: 1 })),
        );
      if (findings.length === 0) {
        expect(delta({ dropOne: 1, pad: 1 })).toEqual([]);
        continue;
      }
      const padded = delta({ pad: 1 });
      expect(padded).toHaveLength(findings.length + 1);
      expect(findings).toContainEqual(padded.at(-1));
      expect(changedRules(rules, padded)).toEqual(changedRules(rules, findings));
      const [gone, ...others] = delta({ dropOne: 1 }).filter(({ meaning }) => meaning === null);
      expect(others).toEqual([]);
      if (gone === undefined) continue;
      expect(rules.map(({ term }) => term)).toContain(gone.term);
      expect(findings.map(({ term }) => term)).not.toContain(gone.term);
      deleted++;
    }
    expect(deleted).toBeGreaterThan(100);
  });
});

describe("demonstrations of deltas", () => {
  const take = (stream: Generator<Demonstration[]>, groups: number): Demonstration[][] =>
    Array.from({ length: groups }, () => stream.next().value as Demonstration[]);
  const promptOf = ({ messages }: Demonstration) => messages[0]?.content ?? "";
  const rulesOf = (prompt: string): Rule[] =>
    parseRules(prompt.split(" asked ")[0]?.replace(/^delta rules /, "") ?? "");

  it.each([
    ["perfect", null],
    ["sloppy", SLOPPINESS],
  ] as const)("of the %s reader are usable one and all, and say nothing that the prompt does not", (_, sloppiness) => {
    const words = new Set([...WORDS, ...DELTA_WORDS]);
    const tags = new Set<string>();
    for (const seed of [1, 2]) {
      for (const demonstration of take(
        evolveDemonstrations({ seed, sloppiness, edits: "delta" }),
        250,
      ).flat()) {
        const { completion } = demonstration;
        const prompt = promptOf(demonstration);
        const before = rulesOf(prompt);
        const judged = judge(completion, rulesText(before));
        expect(judged).toMatchObject({ verdict: "usable", reason: null });
        expect(prompt).toContain(" WRONG ");
        const known = meanings(before);
        for (const { term, meaning } of parseRules(judged.instructions)) {
          if (known.get(term) !== meaning) expect(prompt).toContain(`gold ${meaning}`);
          expect(prompt.split(" ")).toContain(term);
        }
        // What is there is replaced or deleted, what is not is added.
        for (const [, tag = "", term = ""] of completion.matchAll(/<(add|replace|delete)> (\S+)/g)) {
          expect(known.has(term)).toBe(tag !== "add");
          tags.add(tag);
        }
        expect(`${prompt} ${completion}`.split(" ").filter((word) => !words.has(word))).toEqual([]);
        const tokens = miniDeltaTokenizer.encodeCompletion(completion);
        expect(tokens).toHaveLength(completion.split(" ").length + 1);
        expect(tokens.length).toBeLessThan(100);
        expect(miniDeltaTokenizer.decode(tokens)).toBe(` ${completion}`);
      }
    }
    expect([...tags].sort()).toEqual(sloppiness === null ? ["add", "replace"] : ["add", "delete", "replace"]);
  });

  it("are about the batches that rewrites of the seed are about, which were not all right", () => {
    const prompts = (edits: MiniEdits) =>
      take(evolveDemonstrations({ seed: 5, sloppiness: null, edits }), 300).map(([first]) =>
        promptOf(first as Demonstration),
      );
    const rewrites = prompts("rewrite").filter((prompt) => prompt.includes(" WRONG "));
    expect(rewrites.length).toBeLessThan(300);
    expect(prompts("delta").slice(0, rewrites.length)).toEqual(rewrites.map((prompt) => `delta ${prompt}`));
    expect(MINI_DELTAS.prompt(RULES, ["asked a"])).toBe(`delta ${evolverPrompt(RULES, ["asked a"])}`);
  });

  it("come as often as a stage of training says, and leave the others as they were", () => {
    const stages = (delta?: number) => [
      { name: "all", steps: 400, evolve: 0.5, sloppy: false, ...(delta === undefined ? {} : { delta }) },
    ];
    const at = (step: number, delta?: number) => demonstrationsOf(stages(delta), 1, step, 1).flat();
    const isDelta = (given: Demonstration[]) => promptOf(given[0] as Demonstration).startsWith("delta ");
    const counts = { none: 0, half: 0, all: 0 };
    for (let step = 1; step <= 400; step++) {
      expect(at(step, 0)).toEqual(at(step));
      if (isDelta(at(step, 0))) counts.none++;
      if (isDelta(at(step, 0.5))) counts.half++;
      if (isDelta(at(step, 1))) counts.all++;
      if (!isDelta(at(step, 0.5))) expect(at(step, 0.5)).toEqual(at(step));
    }
    expect(counts.none).toBe(0);
    expect(counts.half).toBeGreaterThan(70);
    expect(counts.half).toBeLessThan(130);
    expect(counts.all).toBeGreaterThan(170);
  });
});

it("the grammar of deltas allows every rule there is", () => {
  const [, letters, mark] = /word ::= (\[.*\]\{1,16\}) \| "(<)" "="\?$/m.exec(MINI_DELTAS.grammar) ?? [];
  const word = new RegExp(`^(${letters}|${mark}=?)$`);
  for (let seed = 0; seed < 500; seed++)
    for (const { term, meaning } of makeDatabase({ split: "train", seed }).conventions) {
      for (const part of [term, ...meaning.split(" ")]) expect(part).toMatch(word);
      expect(meaning.split(" ").length).toBeLessThanOrEqual(6);
    }
});

it("words of deltas come after all others, whose tokens stay what they are", () => {
  expect(WORDS.filter((word) => DELTA_WORDS.includes(word))).toEqual([]);
  expect(miniDeltaTokenizer.vocabulary).toBe(miniTokenizer.vocabulary + DELTA_WORDS.length);
  const text = ` ${WORDS.join(" ")}`;
  expect(miniDeltaTokenizer.encode(text)).toEqual(miniTokenizer.encode(text));
});
