import { describe, expect, it } from "vitest";
import { LseError } from "#lse/errors.js";
import type { MiniDatabase } from "#lse/mini/database.js";
import { makeDatabase } from "#lse/mini/generator.js";
import { makeProblems } from "#lse/mini/problems.js";
import { schemaText } from "#lse/mini/prompts.js";
import { drawQuestions, questionText } from "#lse/mini/questions.js";
import { makeRows, writeDatabase } from "#lse/mini/rows.js";
import { meanings, NO_RULES, parseRules, rulesText } from "#lse/mini/rules.js";
import { type MiniSplit, parseAddress, SPLITS } from "#lse/mini/splits.js";
import { answerWithout, differences, simulatedAnswer, withoutComments } from "#lse/mini/sql.js";
import * as vocabulary from "#lse/mini/vocabulary.js";

const many = (split: MiniSplit, count: number): MiniDatabase[] =>
  Array.from({ length: count }, (_, seed) => makeDatabase({ split, seed }));
const worlds = new Map(SPLITS.map((split) => [split, many(split, split === "train" ? 1500 : 400)]));
const all = [...worlds.values()].flat();
const WORDS = new Set(vocabulary.WORDS);

/** What two parts of the world must not share, as sets by part. */
function disjoint(itemsOf: (database: MiniDatabase) => string[]): void {
  const sets = SPLITS.map((split) => new Set((worlds.get(split) ?? []).flatMap(itemsOf)));
  for (const [i, set] of sets.entries()) {
    expect(set.size).toBeGreaterThan(10);
    for (const other of sets.slice(i + 1)) expect([...set].filter((item) => other.has(item))).toEqual([]);
  }
}

describe("the splits", () => {
  it("share no combination of term, column and value, and none of term and column", () => {
    disjoint(({ conventions }) => conventions.map(({ term, column, value }) => `${term}|${column}|${value}`));
    disjoint(({ conventions }) =>
      conventions.filter(({ kind }) => kind !== "factor").map(({ term, column }) => `${term}|${column}`),
    );
  });

  it("share no two tables that meet in a database", () => {
    disjoint(({ tables }) => {
      const names = tables.map(({ name }) => name).sort();
      return names.flatMap((a, i) => names.slice(i + 1).map((b) => `${a}|${b}`));
    });
  });

  it("share every word, and every word of a rule has been one of a rule in training", () => {
    for (const wordsOf of [
      (database: MiniDatabase) => schemaText(database).split(" "),
      ({ conventions }: MiniDatabase) => rulesText(conventions).split(" "),
    ]) {
      const trained = new Set((worlds.get("train") ?? []).flatMap(wordsOf));
      const others = [...(worlds.get("dev") ?? []), ...(worlds.get("test") ?? [])].flatMap(wordsOf);
      expect(others.filter((word) => !trained.has(word))).toEqual([]);
    }
  });
});

describe("a database", () => {
  it("has eight to twelve conventions, each for another term, on two to four tables with a join", () => {
    for (const { conventions, tables } of all) {
      expect(conventions.length).toBeGreaterThanOrEqual(8);
      expect(conventions.length).toBeLessThanOrEqual(12);
      expect(new Set(conventions.map(({ term }) => term)).size).toBe(conventions.length);
      expect(tables.length).toBeGreaterThanOrEqual(2);
      expect(tables.length).toBeLessThanOrEqual(4);
      const excluded = conventions.filter(({ kind }) => kind === "exclusion").map(({ term }) => term);
      expect(tables.some(({ parents }) => parents.some((parent) => !excluded.includes(parent)))).toBe(true);
      const own = tables.flatMap(({ columns }) =>
        columns.filter(({ content }) => content.kind !== "link").map(({ name }) => name),
      );
      expect(new Set(own).size).toBe(own.length);
    }
    expect(all.reduce((sum, { conventions }) => sum + conventions.length, 0) / all.length).toBeCloseTo(10, 0);
    const kinds = new Set(all.flatMap(({ conventions }) => conventions.map(({ kind }) => kind)));
    expect(kinds.size).toBe(7);
    expect(new Set((worlds.get("test") ?? []).map(({ domain }) => domain)).size).toBe(10);
  });

  it("is the same for the same address only, rows included", () => {
    const address = { split: "test", seed: 3 } as const;
    expect(makeDatabase(address)).toEqual(makeDatabase(address));
    expect(makeRows(makeDatabase(address))).toEqual(makeRows(makeDatabase(address)));
    expect(makeDatabase(address)).not.toEqual(makeDatabase({ ...address, seed: 13 }));
  });

  it("keeps its foreign keys", () => {
    for (const database of many("test", 10)) {
      const db = writeDatabase(database, ":memory:");
      expect(db.prepare("PRAGMA foreign_key_check").all()).toEqual([]);
      expect(
        db.prepare("SELECT count(*) AS n FROM pragma_foreign_key_list(?)").get(database.tables.at(-1)?.name),
      ).not.toEqual({ n: 0 });
      db.close();
    }
  });

  it.each(["", "x", "test/", "test/-1", "prod/3", "3.5", "1e3"])("is not addressed by %j", (text) => {
    expect(() => parseAddress(text)).toThrow(LseError);
  });

  it("is a test database when only a seed is given", () => {
    expect(parseAddress("3")).toEqual({ split: "test", seed: 3 });
    expect(parseAddress("train/17")).toEqual({ split: "train", seed: 17 });
  });
});

describe("questions and queries", () => {
  it("are made of the vocabulary's words with single blanks between them", () => {
    expect(WORDS.size).toBe(vocabulary.WORDS.length);
    expect(WORDS.size).toBeLessThanOrEqual(600);
    for (const database of all.slice(0, 600)) {
      const truth = meanings(database.conventions);
      const stream = drawQuestions(database, "words");
      for (let i = 0; i < 5; i++) {
        const question = stream.next().value;
        const text = [
          schemaText(database),
          rulesText(database.conventions),
          questionText(question),
          simulatedAnswer(question, truth),
          simulatedAnswer(question, new Map()),
        ].join(" ");
        expect(text.split(" ").filter((word) => !WORDS.has(word))).toEqual([]);
      }
    }
  });

  it("run on the rows, and fail or differ when any one rule is missing", () => {
    for (const database of [...many("test", 12), ...many("dev", 6), ...many("train", 6)]) {
      const truth = meanings(database.conventions);
      const db = writeDatabase(database, ":memory:");
      const run = (sql: string) => {
        try {
          return JSON.stringify(
            db
              .prepare(sql)
              .all()
              .map((row) => Object.values(row as object)),
          );
        } catch {
          return "failed";
        }
      };
      const problems = makeProblems(database, 120);
      expect(new Set(problems.map(({ text }) => text)).size).toBe(120);
      for (const { gold, question, hidden } of problems) {
        expect(run(gold)).not.toMatch(/^failed$|^\[\]$|^\[\[null|^\[\[0\]/);
        expect(run(gold)).toBe(run(withoutComments(gold)));
        for (const term of hidden) {
          const others = new Map([...truth].filter(([other]) => other !== term));
          expect(run(simulatedAnswer(question, others))).not.toBe(run(gold));
          expect(run(answerWithout(question, truth, term))).not.toBe(run(gold));
        }
      }
      expect(problems.filter(({ question }) => question.of !== null).length).toBeGreaterThan(5);
      expect(problems.filter(({ hidden }) => hidden.length === 0).length).toBeLessThan(40);
      expect(makeProblems(database, 20)).toEqual(problems.slice(0, 20));
      db.close();
    }
  });

  it("a perfect policy needs the rules: all, half of them, none", () => {
    const ex = (share: number) => {
      const right = many("test", 30).flatMap((database) => {
        const { conventions } = database;
        const rules = meanings(conventions.slice(0, Math.round(conventions.length * share)));
        return makeProblems(database, 40).map(
          ({ question, gold }) => simulatedAnswer(question, rules) === gold,
        );
      });
      return right.filter(Boolean).length / right.length;
    };
    expect(ex(1)).toBe(1);
    expect(ex(0.5)).toBeGreaterThan(0.2);
    expect(ex(0.5)).toBeLessThan(0.6);
    expect(ex(0)).toBeLessThan(0.2);
  });
});

describe("differences between queries", () => {
  it("pair conditions by the terms in their comments, whatever their order", () => {
    const gold =
      "SELECT COUNT(*) FROM a JOIN b USING ( b_id ) WHERE /* cheap */ rank = 'G' AND /* a */ void = 0 AND /* old */ age > 3";
    expect(
      differences("SELECT COUNT(*) FROM a WHERE /* old */ old = 1 AND /* cheap */ cheap = 1", gold),
    ).toEqual([
      { predicted: "cheap = 1", gold: "rank = 'G'" },
      { predicted: null, gold: "void = 0" },
      { predicted: "old = 1", gold: "age > 3" },
    ]);
  });

  it("name a condition that stands for the wrong term", () => {
    expect(
      differences(
        "SELECT COUNT(*) FROM a WHERE /* old */ old = 1 AND /* a */ age > 3",
        "SELECT COUNT(*) FROM a WHERE /* old */ age > 3 AND /* a */ void = 1",
      ),
    ).toEqual([
      { predicted: "old = 1", gold: "age > 3" },
      { predicted: "age > 3", gold: "void = 1" },
    ]);
  });

  it("show what is selected without the aggregate, and conditions that are too many", () => {
    expect(
      differences(
        "SELECT SUM( /* net */ net ) FROM a WHERE /* a */ void = 1",
        "SELECT SUM( /* net */ fee - tax ) FROM a",
      ),
    ).toEqual([
      { predicted: "net", gold: "fee - tax" },
      { predicted: "void = 1", gold: null },
    ]);
  });

  it("are the gold query's parts for what is no query, and none for equal queries", () => {
    const gold = "SELECT COUNT(*) FROM a WHERE /* a */ void = 0";
    expect(differences("I cannot say", gold)).toEqual([
      { predicted: null, gold: "COUNT(*)" },
      { predicted: null, gold: "void = 0" },
    ]);
    expect(differences(withoutComments(gold), gold)).toEqual([]);
  });
});

describe("rules in instructions", () => {
  it("survive writing and reading", () => {
    for (const { conventions } of all.slice(0, 300)) {
      const rules = conventions.map(({ term, meaning }) => ({ term, meaning }));
      expect(parseRules(rulesText(rules))).toEqual(rules);
    }
    expect(parseRules(NO_RULES)).toEqual([]);
    expect(rulesText([])).toBe(NO_RULES);
  });

  it("count once a term, the last one in the first one's place, and the rest of the text is passed over", () => {
    const text =
      "so cheap means nothing . cheap means rank = 'G' . means . old means age > 3 .\ncheap means tier < 4 . old";
    expect(parseRules(text)).toEqual([
      { term: "cheap", meaning: "tier < 4" },
      { term: "old", meaning: "age > 3" },
    ]);
  });
});
