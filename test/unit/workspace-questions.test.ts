import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { QuestionFile, questionId } from "#lse/workspace/questions.js";
import { rowsAsSql } from "#lse/workspace/row-gold.js";
import { scratch } from "../workspace-folder.js";

const folder = scratch();
afterAll(folder.remove);

let files = 0;
function written(text: string): string {
  const path = folder.path(`questions-${files++}.yaml`);
  writeFileSync(path, text);
  return path;
}
const read = (text: string) => new QuestionFile(written(text)).questions;

describe("questions.yaml", () => {
  it("has questions with SQL or rows, and hints", () => {
    const [first, second, ...others] = read(`# mine
- question: How many?
  sql: |
    SELECT count(*)
    FROM t
  evidence: all of them
- question: Which?
  rows: [[1, null], [2.5, "it's"]]
`);
    expect(others).toEqual([]);
    expect(first).toMatchObject({
      question: "How many?",
      evidence: "all of them",
      line: 2,
      isRows: false,
      sql: "SELECT count(*)\nFROM t",
    });
    expect(second).toMatchObject({ line: 7, isRows: true, evidence: "" });
    expect(second?.sql).toBe("VALUES (1, NULL), (2.5e+0, 'it''s')");
  });

  it("may be empty, or nothing but comments", () => {
    expect(read("")).toEqual([]);
    expect(read("# - question: x\n")).toEqual([]);
    expect(read("[]")).toEqual([]);
  });

  it.each([
    ["a byte-order mark", (text: string) => Buffer.from(`\ufeff${text}`)],
    ["UTF-16", (text: string) => Buffer.from(`\ufeff${text}`, "utf16le")],
    ["CRLF", (text: string) => Buffer.from(text.replaceAll("\n", "\r\n"))],
    ["CR", (text: string) => Buffer.from(text.replaceAll("\n", "\r"))],
    ["a directive for YAML 1.1", (text: string) => Buffer.from(`%YAML 1.1\n---\n${text}`)],
  ])("with %s is read alike", (_name, encode) => {
    const path = written("");
    const text =
      "- question: NO é\n  sql: |\n    SELECT 1\n    FROM t\n- question: b\n  rows: [[NO, 2024-01-02, 1]]\n";
    writeFileSync(path, encode(text));
    expect(new QuestionFile(path).questions.map(({ question, sql }) => [question, sql])).toEqual([
      ["NO é", "SELECT 1\nFROM t"],
      ["b", "VALUES ('NO', '2024-01-02', 1)"],
    ]);
  });

  it("takes numbers for texts where texts belong, and codes with zeros in front", () => {
    const [first, second] = read(
      "- question: 2024\n  sql: 007\n  evidence: true\n- question: b\n  evidence:\n  rows: [[01234, -5, 0, 0.5, 00:01]]\n",
    );
    expect(first).toMatchObject({ question: "2024", sql: "007", evidence: "true" });
    expect(second).toMatchObject({ evidence: "", sql: "VALUES ('01234', -5, 0, 5e-1, '00:01')" });
  });

  it("that is not UTF-8 is refused, with the line", () => {
    const path = written("");
    writeFileSync(path, Buffer.from("- question: a\n  sql: '\xe9'\n", "latin1"));
    expect(() => new QuestionFile(path)).toThrow(`${path}: line 2: not a text in UTF-8`);
  });

  it.each([
    [
      "- question: a: b\n  sql: x\n",
      /line 1: Nested mappings .* Put texts that contain ": " or " #" in quotes/,
    ],
    ["- question: a\n  sql: 'x\n", /line 3: Missing closing 'quote/],
    ["- question: *all* cakes\n  sql: x\n", /Put texts/],
    [
      "- question: *all\n  sql: x\n",
      /line 1: Unresolved alias .*: all\. Put texts that begin with \* in quotes/,
    ],
    [
      "- &a [x, x, x, x, x, x, x, x]\n- &b [*a, *a, *a, *a, *a, *a, *a]\n- &c [*b, *b, *b, *b, *b, *b]\n- [*c, *c, *c, *c]\n",
      /line 2: Excessive alias count/,
    ],
    ["- question: a\n  sql: b\n---\n- question: c\n  sql: d\n", /line 3: a second document begins here/],
    ["question: a\nsql: b\n", /not a list of questions\. Begin each question with "- question:"/],
    ["- question: a\n  sql: b\n- just text\n", /line 3: question 2: .*expected object/],
    ["- question: a\n", /line 1: question 1: give either sql or rows/],
    ["- question: a\n  sql: b\n  rows: [[1]]\n", /question 1: give either sql or rows/],
    ["- sql: b\n", /line 1: question 1: field question: /],
    ["- question: '  '\n  sql: b\n", /line 1: question 1: field question: the question is empty/],
    ["- question: a\n  sql:\n", /line 2: question 1: field sql: /],
    ["- question: a\n  sql: b\n  answer: c\n", /question 1: Unrecognized key: "answer"/],
    ["- question: a\n  rows: [1, 2]\n", /line 2: question 1: field rows: each row is a list/],
    [
      "- question: a\n  rows: [[1], [1, 2]]\n",
      /line 2: question 1: field rows: all rows must have the same number of values/,
    ],
    ["- question: a\n  rows: [[{b: 1}]]\n", /field rows: a value is a number, a text/],
    ["- question: a\n  rows: [[.inf]]\n", /field rows: a value is a number/],
    [
      "- question: A  b?\n  sql: c\n\n- question: a b?\n  sql: d\n",
      /line 4: question 2 repeats the question of line 1/,
    ],
  ])("%j is refused, with its line", (text, message) => {
    const path = written(text);
    expect(() => new QuestionFile(path)).toThrow(message);
    expect(() => new QuestionFile(path)).toThrow(path);
  });

  it("names a question by its words, not by its gold, its place or its neighbours", () => {
    const [alone] = read("- question: How many?\n  sql: SELECT 1\n");
    const [, among] = read("- question: x\n  sql: y\n- question: how  many?\n  sql: SELECT 2\n");
    expect(among?.id).toBe(alone?.id);
    expect(questionId("How many?", "hint")).not.toBe(alone?.id);
  });

  it("gets a new question at the end, and keeps comments", () => {
    const path = written("# mine\n- question: a   # not sure\n  sql: SELECT 1\n");
    expect(new QuestionFile(path).put("Is it # or: b?", "a hint", "SELECT 2 -- two\nFROM t")).toBe("added");
    const text = readFileSync(path, "utf8");
    expect(text).toMatch(/^# mine\n- question: a +# not sure\n {2}sql: SELECT 1\n- question: /);
    expect(new QuestionFile(path).questions[1]).toMatchObject({
      question: "Is it # or: b?",
      evidence: "a hint",
      sql: "SELECT 2 -- two\nFROM t",
    });
  });

  it("gets its first question behind the comments it began with", () => {
    const path = written("# how to\n# - question: x\n");
    new QuestionFile(path).put("a", "", "SELECT 1");
    expect(readFileSync(path, "utf8")).toMatch(
      /^# how to\n# - question: x\n\n?- question: a\n {2}sql: SELECT 1\n$/,
    );
  });

  it("replaces the gold of a question that is there, rows too, and nothing when it is the same", () => {
    const path = written("- question: a\n  rows: [[1]]   # guessed\n- question: b\n  sql: SELECT 2\n");
    expect(new QuestionFile(path).put("B", "", "SELECT 2")).toBe("known");
    expect(new QuestionFile(path).put("a", "", "SELECT 1")).toBe("replaced");
    const { questions } = new QuestionFile(path);
    expect(questions.map(({ sql, isRows }) => [sql, isRows])).toEqual([
      ["SELECT 1", false],
      ["SELECT 2", false],
    ]);
  });
});

it("rows become a query; none and large numbers too", () => {
  expect(rowsAsSql([])).toBe("SELECT NULL WHERE 1 = 0");
  expect(rowsAsSql([[9007199254740993n, true, -0.5]])).toBe("VALUES (9007199254740993, 1, -5e-1)");
});
