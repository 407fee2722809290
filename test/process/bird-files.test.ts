import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openBird, questionsOf } from "#lse/bird/dataset.js";
import { formatPredictions, readPredictions } from "#lse/bird/predictions.js";
import { describeSchema } from "#lse/bird/schema.js";
import { BirdTask } from "#lse/bird/task.js";
import { LseError } from "#lse/errors.js";
import { buildTinyBird } from "../tiny-bird/build.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lse-bird-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, content: unknown) => {
  const text = typeof content === "string" ? content : JSON.stringify(content);
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

const row = (over: object = {}) => ({
  question_id: 1,
  db_id: "d",
  question: "q?",
  evidence: "",
  SQL: "SELECT 1",
  difficulty: "simple",
  ...over,
});

describe("question files", () => {
  it("are found in a folder, or named; .json and .jsonl read alike", () => {
    write(
      "mini_dev_sqlite.jsonl",
      `${JSON.stringify(row())}\n\n${JSON.stringify(row({ question_id: 2 }))}\n`,
    );
    const fromFolder = openBird(folder);
    expect(fromFolder.questions.map(({ id }) => id)).toEqual(["1", "2"]);
    const json = write("other.json", [row(), row({ question_id: 2 })]);
    expect(openBird(json).questions).toEqual(fromFolder.questions);
  });

  it("question ids that come twice, or not at all, still name one question each", () => {
    const { question_id, ...withoutId } = row();
    write("dev.json", [row(), row({ question: "another?" }), withoutId]);
    const { questions } = openBird(folder);
    expect(new Set(questions.map(({ id }) => id)).size).toBe(3);
    expect(questions.map(({ questionId }) => questionId)).toEqual([1, 1, 2]);
  });

  it("golds that allow for ties take the place of the published ones", () => {
    write("dev.json", [row(), row({ question_id: 2 })]);
    write("dev_tied_append.json", [row({ question_id: 2, SQL: "SELECT 2" }), row({ question_id: 9 })]);
    const data = openBird(folder);
    expect(data.questions.map(({ sql }) => sql)).toEqual(["SELECT 1", "SELECT 2"]);
    expect([...data.tiedGold]).toEqual(["2"]);
    const ignoring = openBird(folder, { tiedGold: "ignore" });
    expect(ignoring.questions.map(({ sql }) => sql)).toEqual(["SELECT 1", "SELECT 1"]);
    expect(ignoring.tiedGold.size).toBe(0);
  });

  it("a number that comes twice: golds that allow for ties go to the question with the same words, or the n-th", () => {
    write("dev.json", [
      row({ question: "a?" }),
      row({ question: "b?" }),
      row({ question_id: 2 }),
      row({ question_id: 2 }),
    ]);
    write("dev_tied_append.json", [
      row({ question: "b?", SQL: "SELECT 'b'" }),
      row({ question_id: 2, question: "x?", SQL: "SELECT 1" }),
      row({ question_id: 2, question: "y?", SQL: "SELECT 'n'" }),
    ]);
    expect(openBird(folder).questions.map(({ sql }) => sql)).toEqual([
      "SELECT 1",
      "SELECT 'b'",
      "SELECT 1",
      "SELECT 'n'",
    ]);
  });

  it("in lines of pandas: a mark of order, CRLF, NaN for no evidence", () => {
    const lines = [row(), row({ question_id: 2 })].map((each) =>
      JSON.stringify(each).replace('"evidence":""', '"evidence":NaN'),
    );
    write("dev.json", `\ufeff${lines.join("\r\n")}\r\n`);
    expect(openBird(folder).questions.map(({ id, evidence }) => [id, evidence])).toEqual([
      ["1", ""],
      ["2", ""],
    ]);
  });

  it.each([
    ["no folder", () => join(folder, "nowhere"), /nowhere: no such file or folder/],
    ["no question file", () => folder, /has none of the files dev\.json/],
    ["malformed JSON", () => write("dev.json", "[{"), /dev\.json: not valid JSON/],
    [
      "malformed JSON in a line",
      () => write("x.jsonl", `${JSON.stringify(row())}\n{`),
      /x\.jsonl: line 2: not valid/,
    ],
    ["no list", () => write("dev.json", {}), /dev\.json: not a list/],
    ["no gold", () => write("dev.json", [row(), row({ SQL: undefined })]), /dev\.json: row 1: field SQL/],
    [
      "an empty gold",
      () => write("dev.json", [row({ SQL: " " })]),
      /row 0: field SQL: the gold SQL is empty/,
    ],
    ["no database id", () => write("dev.json", [row({ db_id: 3 })]), /row 0: field db_id/],
  ])("%s: an error that names file and field", (_name, make, message) => {
    const path = make();
    expect(() => openBird(path)).toThrow(message);
    expect(() => openBird(path)).toThrow(LseError);
  });

  it("unknown and missing databases are named, with those there are", () => {
    write("dev.json", [row(), row({ db_id: "e" })]);
    const data = openBird(folder);
    expect(() => questionsOf(data, "f")).toThrow(/no question is about the database "f".*d, e/);
    expect(() => data.databasePath("d")).toThrow(/dev_databases.d.d\.sqlite: no such database/);
    mkdirSync(join(folder, "train_databases", "d"), { recursive: true });
    write("train_databases/d/d.sqlite", "");
    expect(data.databasePath("d")).toBe(join(folder, "train_databases", "d", "d.sqlite"));
  });
});

describe("predictions", () => {
  const official = { "0": "SELECT 'a\tb'\t----- bird -----\td", "2": "SELECT 3\t----- bird -----\td" };

  beforeEach(() => {
    write("dev.json", [row({ question_id: 7 }), row({ question_id: 8 }), row({ question_id: 9 })]);
  });

  it("official form: keys are rows, only the named ones count, and writing gives them back", () => {
    const data = openBird(folder);
    const predictions = readPredictions(write("p.json", official), data);
    expect(predictions.map(({ question, sql }) => [question.questionId, sql])).toEqual([
      [7, "SELECT 'a\tb'"],
      [9, "SELECT 3"],
    ]);
    expect(JSON.parse(formatPredictions(predictions, data))).toEqual(official);
  });

  it("array form: found by question id and database", () => {
    const list = [{ question_id: 9, db_id: "d", predicted_sql: "SELECT 3", ex: 1 }];
    const [prediction] = readPredictions(write("p.json", list), openBird(folder));
    expect(prediction?.question.questionId).toBe(9);
    expect(prediction?.sql).toBe("SELECT 3");
  });

  it("what is not a string is an empty prediction, as in the official evaluator", () => {
    expect(readPredictions(write("p.json", { "1": 0 }), openBird(folder))[0]?.sql).toBe("");
  });

  it.each([
    ["a byte-order mark", (text: string) => Buffer.from(`\ufeff${text}`)],
    ["UTF-16", (text: string) => Buffer.from(`\ufeff${text}`, "utf16le")],
    ["UTF-16, big-endian", (text: string) => Buffer.from(`\ufeff${text}`, "utf16le").swap16()],
    ["UTF-16 without a mark", (text: string) => Buffer.from(text, "utf16le")],
    ["CRLF", (text: string) => text.replaceAll(`,"`, `,\r\n"`)],
    [
      "numbers that only Python writes",
      (text: string) => text.replace("null", "NaN").replace("0.5", "-Infinity"),
    ],
    ["lines of their own", (text: string) => text.slice(1, -1).replace("},{", "}\r\n\r\n{")],
  ])("with %s are read alike", (_name, encode) => {
    const list = [
      { question_id: 9, db_id: "d", predicted_sql: "SELECT \"NaN\", 'é'", time: 0.5 },
      { question_id: "8", db_id: "d", predicted_sql: null },
    ];
    writeFileSync(join(folder, "p.json"), encode(JSON.stringify(list)));
    const predictions = readPredictions(join(folder, "p.json"), openBird(folder));
    expect(predictions.map(({ question, sql }) => [question.questionId, sql])).toEqual([
      [9, "SELECT \"NaN\", 'é'"],
      [8, ""],
    ]);
  });

  it("the n-th with a number is about the n-th question with that number", () => {
    write("dev.json", [row({ question_id: 7 }), row({ question_id: 8 }), row({ question_id: 7 })]);
    const entry = (sql: string) => ({ question_id: 7, db_id: "d", predicted_sql: sql });
    const read = (sqls: string[]) => readPredictions(write("p.json", sqls.map(entry)), openBird(folder));
    expect(read(["SELECT 1", "SELECT 2"]).map(({ question }) => question.id)).toEqual(["7", "7#2"]);
    expect(() => read(["a", "b", "c"])).toThrow(
      /entry 2: one prediction too many for question_id 7 of d.* twice/,
    );
  });

  it.each([
    [
      '[{"question_id": 7,\n "db_id": oops}]',
      /p\.json: not valid JSON at line 2, column 11 \(Unexpected token/,
    ],
    ['{"question_id": 7, "db_id": "d"}\n{"question_id": 7', /p\.json: line 2: not valid JSON at column 18/],
    ['[{"question_id": 7, "db_id": "d"}]', /entry 0: field predicted_sql: it is missing/],
    ['[{"question_id": 7, "db_id": "d", "predicted_sql": 5}]', /entry 0: field predicted_sql: .*string/],
    ["[]", /p\.json: has no predictions/],
    ["", /p\.json: it is empty/],
    [Buffer.from('[\n"\u00e9"]', "latin1"), /p\.json: line 2: not a text in UTF-8/],
  ])("%s is an error that names the place", (content, message) => {
    writeFileSync(join(folder, "p.json"), content);
    expect(() => readPredictions(join(folder, "p.json"), openBird(folder))).toThrow(message);
  });

  it.each([
    ["another form", "text", /not a prediction file/],
    ["a row that is not there", { "3": "SELECT 1\t----- bird -----\td" }, /entry "3".*no row 3/],
    [
      "a question that is not there",
      [{ question_id: 7, db_id: "x", predicted_sql: "" }],
      /no question_id 7 of x/,
    ],
    ["the wrong database", { "0": "SELECT 1\t----- bird -----\tx" }, /about x.*about d/],
  ])("%s is an error", (_name, content, message) => {
    const path = write("p.json", JSON.stringify(content));
    expect(() => readPredictions(path, openBird(folder))).toThrow(message);
  });
});

describe("a schema made from the database", () => {
  it("shows tables, keys, example values and readable names, and runs as SQL", () => {
    buildTinyBird(folder);
    const path = join(folder, "dev_databases", "library", "library.sqlite");
    const schema = describeSchema(path, new Map([["books.state", "circulation state"]]));
    expect(schema).toContain("CREATE TABLE loans (");
    expect(schema).toContain("title text, -- example: ['Salt Roads', 'The Ferryman's Map']");
    expect(schema).toContain("born integer -- example: [1931, 1958]".replace(" --", ", --"));
    expect(schema).toContain("state text, -- circulation state; example: ['S', 'L']");
    expect(schema).toContain("FOREIGN KEY (book_id) REFERENCES books (book_id)");
    const copy = new DatabaseSync(":memory:");
    copy.exec(schema);
    const tables = copy.prepare("SELECT count(*) AS n FROM sqlite_master WHERE type = 'table'").get();
    expect(tables).toMatchObject({ n: 3 });
  });

  it("quotes names that need it, skips blobs, cuts long values", () => {
    const path = join(folder, "odd.sqlite");
    const db = new DatabaseSync(path);
    db.exec(`CREATE TABLE "order" ("Free Meal (%)" REAL, "group" TEXT, data BLOB, big INTEGER);
      INSERT INTO "order" VALUES (0.5, '${"long ".repeat(50)}', x'00ff', 9007199254740993)`);
    db.close();
    const schema = describeSchema(path, new Map());
    expect(schema).toContain('CREATE TABLE "order"');
    expect(schema).toContain('"Free Meal (%)" real, -- example: [0.5]');
    expect(schema).toMatch(/"group" text, -- example: \['long .{20,60}…'\]/);
    expect(schema).toContain("data blob,\n");
    expect(schema).toContain("big integer -- example: [9007199254740993]");
  });

  it("looks for examples no further than it may, and for none where none are wanted", () => {
    const path = join(folder, "late.sqlite");
    const db = new DatabaseSync(path);
    db.exec("CREATE TABLE t (v); INSERT INTO t VALUES (NULL), (NULL), (7)");
    db.close();
    expect(describeSchema(path, new Map())).toContain("v -- example: [7]");
    expect(describeSchema(path, new Map(), { scannedRows: 2 })).toBe("CREATE TABLE t (\n    v\n);");
    expect(describeSchema(path, new Map(), { none: true })).toBe("CREATE TABLE t (\n    v\n);");
  });
});

it("the demo's questions are BIRD's own form", () => {
  const rows = JSON.parse(readFileSync(new URL("../tiny-bird/dev.json", import.meta.url), "utf8"));
  expect(rows).toHaveLength(24);
  for (const demoRow of rows) expect(Object.keys(demoRow).sort()).toEqual(Object.keys(row()).sort());
});

describe("a response", () => {
  const right = "SELECT COUNT(*) FROM products";
  const gradeWith = async (
    reading: { answers: "tags" | "fenced"; cutRepetition: boolean },
    response: string,
  ) => {
    buildTinyBird(folder);
    await using task = await BirdTask.open({
      dataPath: folder,
      dbId: "bakery",
      timeoutMs: 5000,
      cacheFolder: join(folder, "cache"),
      reading,
    });
    return await task.grade(task.problemIds[0] as string, response);
  };

  it("has its query between tags, or in the last fence", async () => {
    const response = `<answer>SELECT 0</answer>\n\`\`\`sql\n${right}\n\`\`\``;
    const read = (answers: "tags" | "fenced") => gradeWith({ answers, cutRepetition: false }, response);
    expect(await read("tags")).toMatchObject({ answer: "SELECT 0", correct: false });
    expect(await read("fenced")).toMatchObject({ answer: right, correct: true });
    const open = await gradeWith({ answers: "fenced", cutRepetition: false }, "```sql\nSELECT 1");
    expect(open).toMatchObject({ correct: false, error: expect.stringMatching(/closed ```sql fence/) });
  });

  it("is read without what it repeats at the end, if that is wanted", async () => {
    const stuck = `\`\`\`sql\n${right}\n\`\`\`\n${"``` ".repeat(30)}`;
    const read = (cutRepetition: boolean) => gradeWith({ answers: "fenced", cutRepetition }, stuck);
    expect(await read(true)).toMatchObject({ answer: right, correct: true });
    expect(await read(false)).toMatchObject({ correct: false });
  });
});
