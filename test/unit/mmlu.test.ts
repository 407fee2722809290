import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LseError } from "#lse/errors.js";
import { nearest } from "#lse/lib/nearest.js";
import { readSubject } from "#lse/mmlu/dataset.js";
import { type GoldRules, goldLetter } from "#lse/mmlu/gold.js";
import { SUBJECTS } from "#lse/mmlu/subjects.js";
import { MmluTask } from "#lse/mmlu/task.js";
import { openTask, taskConfigSchema } from "#lse/runs/tasks.js";
import { arrowBytes, put, putParquet, putSubject, row, rows } from "../mmlu-files.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lse-mmlu-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const path = (...names: string[]) => join(folder, ...names);
const read = (dataPath = folder, subject?: string, rules: GoldRules = "corrected") =>
  readSubject(dataPath, subject, rules);
const golds = async (...args: Parameters<typeof read>) =>
  (await read(...args)).questions.map(({ gold }) => gold);

describe("the right letter", () => {
  it.each([
    ["no correction", null, 2, 4, "C", "C"],
    ["an empty one", "", 2, 4, "C", "C"],
    ["a letter", "B", 2, 4, "B", "B"],
    ["a small letter", "b", 2, 4, "B", "B"],
    ["a digit, counting from 0", "3", 2, 4, "D", "D"],
    ["the digit 0", "0", 2, 4, "A", "A"],
    ["the integer 0", 0, 2, 4, "A", "C"],
    ["another integer", 1, 2, 4, "B", "B"],
    ["spaces around a letter", " B ", 2, 4, "B", "C"],
    ["several letters", "A, B", 2, 4, "C", "C"],
    ["words", "none of these", 2, 4, "C", "C"],
    ["a letter too far", "E", 2, 4, "C", "C"],
    ["a digit too far", "4", 2, 4, "C", "C"],
    ["the fifth of five choices", "E", 2, 5, "E", "E"],
    ["an answer that is a letter", null, "D", 4, "D", "D"],
    ["an answer that is no choice", null, 4, 4, null, null],
    ["no answer at all", null, null, 4, null, null],
  ] as const)("%s", (_name, correction, answer, choices, corrected, published) => {
    expect(goldLetter(correction, answer, choices, "corrected")).toBe(corrected);
    expect(goldLetter(correction, answer, choices, "published")).toBe(published);
  });
});

describe("files", () => {
  it.each(["stream", "file"] as const)("Arrow as a %s", async (form) => {
    put(path("biology", "data.arrow"), arrowBytes(rows(5), form));
    const { subject, questions } = await read();
    expect(subject).toBe("biology");
    expect(questions).toHaveLength(5);
    expect(questions[1]).toEqual({
      id: "1",
      question: "Question 1?",
      choices: ["a", "b", "c", "d"],
      gold: "B",
    });
  });

  it("Parquet files give the same questions, wherever the hub puts them", async () => {
    put(path("arrow", "biology.arrow"), arrowBytes(rows(5)));
    const { questions } = await read(path("arrow"));
    for (const name of ["a/0000.parquet", "b/test-00000-of-00001.parquet", "c/test/0000.parquet"]) {
      put(path(name), "");
      await putParquet(path(name), rows(5));
      rmSync(path(`${name}.json`));
    }
    for (const subject of "abc") expect((await read(folder, subject)).questions).toEqual(questions);
    const file = await read(path("b", "test-00000-of-00001.parquet"), "biology");
    expect(file).toEqual({ subject: "biology", questions, dropped: 0 });
    expect((await read(path("b", "test-00000-of-00001.parquet"))).subject).toBe("test-00000-of-00001");
  });

  it("the parts of a table follow each other; of several splits the test is read", async () => {
    put(path("test-00001-of-00002.arrow"), arrowBytes([row({ answer: 3 })]));
    put(path("test-00000-of-00002.arrow"), arrowBytes([row({ answer: 2 }), row({ answer: 0 })]));
    put(path("dev-00000-of-00001.arrow"), arrowBytes(rows(5)));
    expect(await golds()).toEqual(["C", "A", "D"]);
  });

  it("rows without a right choice are left out, and ids count those that stay", async () => {
    const wrong = row({ error_type: "no_correct_answer", answer: 9 });
    const corrected = row({ error_type: "wrong_groundtruth", correct_answer: "C" });
    putSubject(path("anatomy"), [wrong, row({ error_type: "bad_question_clarity" }), wrong, corrected]);
    const { questions, dropped } = await read();
    expect(dropped).toBe(2);
    expect(questions.map(({ id, gold }) => [id, gold])).toEqual([
      ["0", "B"],
      ["1", "C"],
    ]);
  });

  it("corrections may be integers, of which the published code does not see 0", async () => {
    putSubject(path("anatomy"), [row({ correct_answer: 0 }), row({ correct_answer: 3 })]);
    expect(await golds()).toEqual(["A", "D"]);
    expect(await golds(folder, undefined, "published")).toEqual(["B", "D"]);
  });

  it("all of more than four choices count; the published code leaves out those after the fourth", async () => {
    putSubject(path("law"), [row({ choices: [..."abcdef"], answer: 2, correct_answer: "F" })]);
    expect((await read()).questions[0]).toMatchObject({ choices: [..."abcdef"], gold: "F" });
    const [question] = (await read(folder, undefined, "published")).questions;
    expect(question).toMatchObject({ choices: [..."abcd"], gold: "C" });
  });

  it("as many rows as the folder states, or an error", async () => {
    const info = (rows: number) => ({ splits: { test: { num_examples: rows }, dev: { num_examples: 1 } } });
    putSubject(path("anatomy"), rows(3), info(3));
    expect((await read()).questions).toHaveLength(3);
    putSubject(path("anatomy"), rows(3), info(4));
    await expect(read()).rejects.toThrow(/dataset_info\.json: states 4 rows, but the files have 3/);
  });

  it("another subject that is not complete is in nobody's way", async () => {
    putSubject(path("anatomy"), rows(3));
    putSubject(path("virology"), rows(3));
    put(path("virology", "state.json"), "{");
    expect((await read(folder, "anatomy")).questions).toHaveLength(3);
    await expect(read(folder, "virology")).rejects.toThrow(/virology.state\.json: not valid JSON/);
  });
});

describe("what is wrong is named, with the next step", () => {
  const subject = (over: Parameters<typeof row>[0]) => putSubject(path("anatomy"), [row(), row(over)]);
  const cut = (bytes: number) => {
    const whole = arrowBytes(rows(50));
    put(path("a.arrow"), whole.subarray(0, bytes < 0 ? whole.length + bytes : bytes));
  };

  it.each([
    ["no folder", () => path("nowhere"), /nowhere: no such file or folder/],
    ["no subject", () => folder, /has no folder of a subject/],
    ["an empty question", () => subject({ question: "" }), /arrow: row 1: field question/],
    ["one choice", () => subject({ choices: ["a"] }), /arrow: row 1: field choices/],
    ["no answer", () => subject({ answer: null }), /row 1: field answer: neither a whole number nor text/],
    ["an answer that is no choice", () => subject({ answer: 4 }), /row 1: field answer: 4 is none of the 4/],
    ["no row at all", () => putSubject(path("anatomy"), []), /has no question with a right choice/],
    ["an empty file", () => cut(0), /a\.arrow: not a complete Arrow file \(its end is missing\)/],
    ["a file cut in a batch", () => cut(1000), /a\.arrow: not a complete Arrow file/],
    ["a file cut at its end", () => cut(-4), /a\.arrow: not a complete Arrow file/],
    ["text for Arrow", () => put(path("a.arrow"), "text"), /a\.arrow: not a complete Arrow file/],
    ["text for Parquet", () => put(path("a.parquet"), "text"), /a\.parquet: not a complete Parquet file/],
    ["another kind", () => put(path("a.csv"), "question"), /a\.csv: unknown kind of file/],
    [
      "a part that is missing",
      () => {
        put(path("anatomy", "test-00000-of-00002.arrow"), arrowBytes(rows(3)));
      },
      /test-00000-of-00002\.arrow: the data is incomplete \(1 of 2 parts found\)/,
    ],
    [
      "a file that is missing",
      () => {
        putSubject(path("anatomy"), rows(3));
        put(path("anatomy", "state.json"), { _data_files: [{ filename: "x.arrow" }] });
      },
      /x\.arrow: the data is incomplete \(.*state\.json names it\)/,
    ],
    [
      "a state without files",
      () => {
        putSubject(path("anatomy"), rows(3));
        put(path("anatomy", "state.json"), {});
      },
      /state\.json: field _data_files/,
    ],
    [
      "MMLU-Pro as published",
      () => put(path("a.jsonl"), '{"question": "?", "options": ["a"], "answer": "A"}'),
      /a\.jsonl: row 0: field choices.*npm run convert-mmlu-pro/,
    ],
    ["a line that is no object", () => put(path("a.jsonl"), "{}\n3"), /a\.jsonl: line 2: not an object/],
  ])("%s", async (_name, make, message) => {
    const made = make();
    const dataPath = typeof made === "string" ? made : existsSync(path("a.arrow")) ? path("a.arrow") : folder;
    await expect(read(dataPath)).rejects.toThrow(message);
    await expect(read(dataPath)).rejects.toThrow(LseError);
  });

  it("subjects: the nearest, those there are, and who has another", async () => {
    for (const name of ["biology", "computer_science", "math"]) putSubject(path(name), rows(3));
    await expect(read()).rejects.toThrow(/has 3 subjects. Choose one with `task\.db`: biology, comp/);
    await expect(read(folder, "Computer-science")).rejects.toThrow(/Did you mean computer_science\?/);
    await expect(read(folder, "maths")).rejects.toThrow(/has no subject "maths"\. Did you mean math\?/);
    await expect(read(folder, "virology")).rejects.toThrow(
      /MMLU-Redux 2\.0 has it: set `task\.data` to that folder/,
    );
    await expect(read(path("math"), "biology")).rejects.toThrow(/the folder of the subject "math", not of/);
    expect((await read(path("math"), "math")).subject).toBe("math");
    expect((await read(path("math"))).subject).toBe("math");
  });
});

it("knows 57 subjects of MMLU-Redux and nine of MMLU-Pro-Redux; nearest forgives a slip", () => {
  expect(new Set(SUBJECTS["MMLU-Redux 2.0"]).size).toBe(57);
  expect(new Set(SUBJECTS["MMLU-Pro-Redux"]).size).toBe(9);
  expect(nearest("High School Phisics", SUBJECTS["MMLU-Redux 2.0"])).toBe("high_school_physics");
  expect(nearest("virolgy", SUBJECTS["MMLU-Redux 2.0"])).toBe("virology");
});

describe("the task", () => {
  const open = (...content: ReturnType<typeof row>[]) => {
    putSubject(path("anatomy"), content);
    return MmluTask.open({ dataPath: folder, goldRules: "corrected" });
  };

  it("asks with what never changes first, then instructions, then question and choices", async () => {
    await using task = await open(row({ choices: ["one", "two", "three"] }));
    expect(task.id).toBe("mmlu/anatomy");
    const [system, user] = task.prompt("0", "Mind the units.");
    expect(system?.content).toBe(task.systemPrompt("Mind the units."));
    expect(system?.content.endsWith("# Instructions\nMind the units.")).toBe(true);
    expect(user?.content).toBe("Which letter is second?\n\nA. one\nB. two\nC. three");
  });

  it.each([
    ["<answer>B</answer>", 1, "B", null],
    ["Drafts: <answer>C</answer>. So <answer>\n b </answer>", 1, "B", null],
    ["<answer>C</answer>", 0, "C", /the correct answer is B/],
    ["B", 0, "", /no letter between/],
    ["<answer> </answer>", 0, "", /no letter between/],
    ["<answer>B. two</answer>", 0, "B. two", /not the letter of a choice alone/],
    ["<answer>E</answer>", 0, "E", /not the letter of a choice alone/],
    ["<answer>BB</answer>", 0, "BB", /not the letter of a choice alone/],
  ])("grades %j as %i", async (response, score, answer, error) => {
    await using task = await open(row());
    const outcome = await task.grade("0", response);
    expect(outcome).toMatchObject({ score, correct: score === 1, answer });
    if (error === null) expect(outcome.error).toBeNull();
    else expect(outcome.error).toMatch(error);
  });

  it("reports question, choices, answer, gold and verdict, and what is wrong with an answer's form", async () => {
    await using task = await open(row());
    const report = async (response: string) => task.report("0", await task.grade("0", response));
    const asked = "Question: Which letter is second?\n\nA. a\nB. b\nC. c\nD. d\n";
    expect(await report("<answer>C</answer>")).toBe(
      `${asked}Answer taken from the response: C\nCorrect answer: B\nCorrect: False`,
    );
    expect(await report("<answer>B</answer>")).toMatch(/response: B\nCorrect answer: B\nCorrect: True$/);
    expect(await report("no idea")).toMatch(
      /response: \(none\)\n.*False\nError: the response has no letter/s,
    );
    const long = await report(`<answer>${"so ".repeat(500)}</answer>`);
    expect(long).toMatch(/so s\.\.\. \(truncated\)\nCorrect answer/);
    expect(long.length).toBeLessThan(400);
  });

  it("a run's configuration may ask for the published code's gold rules", async () => {
    putSubject(path("anatomy"), [row({ correct_answer: 0 })]);
    const gold = async (over: object) => {
      const task = taskConfigSchema.parse({ name: "mmlu", data: folder, ...over });
      await using opened = await openTask(task);
      return opened.report("0", await opened.grade("0", "")).match(/Correct answer: (.)/)?.[1];
    };
    expect(await gold({})).toBe("A");
    expect(await gold({ goldRules: "published" })).toBe("B");
  });

  it("passes its own golds; its fingerprint changes with a gold and not with what nobody reads", async () => {
    const fingerprint = async (over: Parameters<typeof row>[0]) => {
      await using task = await open(row(), row(over));
      expect(await task.validate()).toEqual({ total: 2, passed: 2, failures: [] });
      return task.fingerprint;
    };
    const first = await fingerprint({ answer: 2 });
    expect(await fingerprint({ answer: 3 })).not.toBe(first);
    expect(await fingerprint({ answer: 2, error_type: "expert" })).toBe(first);
  });
});
