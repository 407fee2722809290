import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PythonRandom } from "#lse/lib/python-random.js";
import { convertMmluPro, convertSuperGpqa } from "#lse/mmlu/convert.js";
import { readSubject } from "#lse/mmlu/dataset.js";
import { type Draws, reduceToFour } from "#lse/mmlu/reduce.js";
import { saveSubjects } from "#lse/mmlu/save.js";
import { put, putParquet } from "../mmlu-files.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lse-mmlu-convert-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const path = (...names: string[]) => join(folder, ...names);
const jsonLines = (name: string, rows: readonly object[]) =>
  put(path(name), rows.map((row) => JSON.stringify(row)).join("\n"));

/** Takes the first of what it is given, and turns orders around. */
const plainDraws: Draws = {
  sample: (items, count) => items.slice(0, count),
  shuffled: (items) => [...items].reverse(),
};

describe("four choices out of many", () => {
  const wide = { question: "?", options: ["a", "b", "c", "d", "e", "f"], answer: 4, source: "s" };

  it("the others are drawn first, then the order of all", () => {
    expect(reduceToFour(wide, plainDraws)).toEqual({
      question: "?",
      choices: ["c", "b", "a", "e"],
      answer: 3,
      error_type: "",
      source: "s",
      correct_answer: "3",
      potential_reason: "",
    });
    expect(reduceToFour({ ...wide, options: ["a", "b"], answer: 0 }, plainDraws).choices).toEqual(["b", "a"]);
  });

  it("a seed gives the same choices again, another one others; the right one is always among them", () => {
    const drawn = (seed: number) => {
      const draws = new PythonRandom(seed);
      return Array.from({ length: 40 }, () => reduceToFour(wide, draws));
    };
    expect(drawn(42)).toEqual(drawn(42));
    expect(drawn(42)).not.toEqual(drawn(43));
    const rows = drawn(42);
    for (const { choices, answer } of rows) {
      expect(choices[answer]).toBe("e");
      expect(new Set(choices).size).toBe(4);
    }
    expect(new Set(rows.map(({ answer }) => answer)).size).toBe(4);
    expect(new Set(rows.flatMap(({ choices }) => choices)).size).toBe(6);
  });
});

describe("MMLU-Pro", () => {
  const row = (over: object = {}) => ({
    question_id: 1,
    question: "?",
    options: ["a", "b", "c", "d", "e"],
    answer: "E",
    answer_index: 4,
    cot_content: "",
    category: "biology",
    src: "stemez-Biology",
    ...over,
  });

  it("leaves out what MMLU has, and makes a subject of each category", async () => {
    await putParquet(path("pro.parquet"), [
      row({ src: "ori_mmlu-anatomy" }),
      row({ question: "first?" }),
      row({ category: "computer science", src: "theoremQA-EECS" }),
      row({ src: null }),
      row({ question: "second?" }),
    ]);
    const subjects = await convertMmluPro(path("pro.parquet"), plainDraws);
    expect([...subjects.keys()]).toEqual(["biology", "computer_science"]);
    expect(subjects.get("biology")?.map(({ question }) => question)).toEqual(["first?", "second?"]);
    expect(subjects.get("computer_science")?.[0]).toMatchObject({ source: "theoremQA-EECS", answer: 3 });
  });

  it("names the row of an answer that is not there", async () => {
    const file = jsonLines("pro.jsonl", [row(), row({ answer_index: 5 })]);
    await expect(convertMmluPro(file, plainDraws)).rejects.toThrow(
      /pro\.jsonl: row 1: field options: the answer/,
    );
    const other = jsonLines("other.jsonl", [row({ category: 3 })]);
    await expect(convertMmluPro(other, plainDraws)).rejects.toThrow(/other\.jsonl: row 0: field category/);
  });

  it("npm run convert-mmlu-pro writes folders that the task reads, once", async () => {
    const file = jsonLines("pro.jsonl", [row(), row({ question: "second?" })]);
    const script = fileURLToPath(new URL("../../scripts/convert-mmlu-pro.ts", import.meta.url));
    const convert = () =>
      spawnSync(process.execPath, ["--import", "tsx", script, file, path("out")], { encoding: "utf8" });
    expect(convert()).toMatchObject({ status: 0, stdout: expect.stringMatching(/2 questions, 1 subjects/) });
    const { questions } = await readSubject(path("out"), "biology", "published");
    const [, second] = questions;
    expect(second?.question).toBe("second?");
    expect(second?.choices["ABCD".indexOf(second.gold)]).toBe("e");
    const again = convert();
    expect(again.status).toBe(1);
    expect(again.stderr).toMatch(/^error: .*out exists already/);
  });
});

describe("SuperGPQA", () => {
  const row = (uuid: string, subfield: string, over: object = {}) => ({
    uuid,
    question: `${uuid}?`,
    options: ["a", "b", "c", "d", "e"],
    answer: "b",
    answer_letter: "B",
    discipline: "Science",
    field: "Physics",
    subfield,
    difficulty: "hard",
    ...over,
  });
  const file = () =>
    jsonLines("gpqa.jsonl", [
      row("1", "Solid State & Physics"),
      row("2", "Acoustics"),
      row("3", "Acoustics"),
    ]);

  it("a subject for each field, or for each subfield that is large enough", async () => {
    const byField = await convertSuperGpqa(file(), plainDraws, { by: "field", minimum: 2 });
    expect([...byField].map(([name, rows]) => [name, rows.length])).toEqual([["physics", 3]]);
    const bySubfield = await convertSuperGpqa(file(), plainDraws, { by: "subfield", minimum: 2 });
    expect([...bySubfield].map(([name, rows]) => [name, rows.length])).toEqual([
      ["physics", 1],
      ["acoustics", 2],
    ]);
    expect(bySubfield.get("acoustics")?.[0]).toMatchObject({ source: "SuperGPQA-2", question: "2?" });
    const all = await convertSuperGpqa(file(), plainDraws, { by: "subfield", minimum: 1 });
    expect([...all.keys()]).toEqual(["solid_state_physics", "acoustics"]);
  });

  it("what is saved is laid out as the published sets are", async () => {
    const subjects = await convertSuperGpqa(file(), new PythonRandom(42), { by: "field", minimum: 1 });
    await saveSubjects(path("out"), subjects);
    const json = (...names: string[]) => JSON.parse(readFileSync(path("out", ...names), "utf8"));
    expect(json("dataset_dict.json")).toEqual({ splits: ["physics"] });
    expect(json("physics", "state.json")._data_files).toEqual([{ filename: "data-00000-of-00001.arrow" }]);
    expect(Object.keys(json("physics", "dataset_info.json").features)).toHaveLength(7);
    const { questions } = await readSubject(path("out"), undefined, "corrected");
    for (const { choices, gold } of questions) expect(choices["ABCD".indexOf(gold)]).toBe("b");
  });
});
