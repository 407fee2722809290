import { describe, expect, it } from "vitest";
import { briefOf } from "#lse/bird/brief.js";
import { namesOf } from "#lse/bird/names.js";

const names = namesOf(`CREATE TABLE hero (
  id integer PRIMARY KEY,
  name text,
  eye_id integer,
  FOREIGN KEY (eye_id) REFERENCES colour (id)
);
CREATE TABLE colour (
  id integer PRIMARY KEY,
  colour text
);
CREATE TABLE "odd name" (
  hero_id integer REFERENCES hero (id)
);`);
const QUESTION = {
  evidence: "blue is a colour",
  question: "Who has blue eyes?",
  sql: `SELECT T1.name FROM hero AS T1
INNER JOIN colour AS T2 ON T1.eye_id = T2.id WHERE T2.colour = 'Blue'`,
};
const brief = (sql = QUESTION.sql) => briefOf(names, () => ({ ...QUESTION, sql }));
const wrong = (answer: string, error: string | null = "result mismatch | predicted: 3 rows | gold: Ann") =>
  brief().lesson("1", { score: 0, correct: false, answer, error });

describe("what an evolver of small changes is shown", () => {
  it("of a database are its tables, columns and keys", () => {
    expect(brief().outline).toBe(
      "hero(id, name, eye_id = colour.id)\ncolour(id, colour)\nodd name(hero_id = hero.id)",
    );
  });

  it("of a wrong query are both queries in a line each, and the tables that the right one joins", () => {
    expect(wrong("SELECT name\n  FROM hero WHERE eye = 'Blue'", "no such column: eye")).toBe(
      [
        "Hints: blue is a colour",
        "Question: Who has blue eyes?",
        "Written: SELECT name FROM hero WHERE eye = 'Blue'",
        "Wrong: no such column: eye. There is no column eye; the nearest name is eye_id.",
        "Right: SELECT hero.name FROM hero INNER JOIN colour ON hero.eye_id = colour.id WHERE colour.colour = 'Blue'",
        "Only the right one uses colour (hero.eye_id = colour.id).",
      ].join("\n"),
    );
  });

  it("does not repeat rows, which belong to one problem", () => {
    expect(wrong("SELECT name FROM hero JOIN colour ON hero.eye_id = colour.id")).toMatch(
      /\nWrong: it returns other rows\.\nRight: [^\n]*$/,
    );
    expect(wrong("SELECT 1")).not.toContain("Ann");
  });

  it("says where there is no query", () => {
    expect(wrong("", "the response has no query")).toMatch(/\nWritten: \(no query\)\nRight: [^\n]*$/);
  });

  it("has a case worked out, which teaches what its answer says", () => {
    const { lessons, added, replaced } = brief().worked ?? {
      lessons: [],
      added: "",
      replaced: { after: "" },
    };
    expect(lessons[0]).toContain("Only the right one uses paint (car.paint_id = paint.id).");
    expect(added).toContain("car.paint_id = paint.id");
    expect(lessons[1]).toContain("Wrong: it returns other rows.");
    expect(replaced.after).toContain("year");
  });

  it("names tables and not their aliases, where each is used once, and leaves texts alone", () => {
    const right = (sql: string) =>
      /\nRight: (.*)/.exec(
        brief(sql).lesson("1", { score: 0, correct: false, answer: "SELECT 1 FROM colour c", error: null }),
      )?.[1];
    expect(right("SELECT T1.name FROM hero T1 WHERE T1.name = 'T1.x hero T1'")).toBe(
      "SELECT hero.name FROM hero WHERE hero.name = 'T1.x hero T1'",
    );
    expect(right('SELECT o.hero_id FROM "odd name" AS o')).toBe('SELECT "odd name".hero_id FROM "odd name"');
    const twice = "SELECT a.name FROM hero AS a JOIN hero AS b ON a.id = b.eye_id";
    expect(right(twice)).toBe(twice);
    expect(right("SELECT name FROM hero")).toBe("SELECT name FROM hero");
    expect(
      brief().lesson("1", { score: 0, correct: false, answer: "SELECT c.id FROM colour c", error: null }),
    ).toContain("Written: SELECT colour.id FROM colour\n");
  });

  it("reads quoted names", () => {
    const sql = 'SELECT 1 FROM hero AS h JOIN "odd name" AS o ON o.hero_id = h."id"';
    const lesson = brief(sql).lesson("1", {
      score: 0,
      correct: false,
      answer: "SELECT 1 FROM hero",
      error: null,
    });
    expect(lesson).toContain("Only the right one uses odd name (odd name.hero_id = hero.id).");
  });

  it("takes no column, text or nested alias for a table or a join", () => {
    const shown = (sql: string, answer = "SELECT name FROM hero") =>
      brief(sql).lesson("1", { score: 0, correct: false, answer, error: null }).split("\n").slice(4);
    // A column with the name of a table.
    expect(shown("SELECT name, colour FROM hero")).toEqual([]);
    expect(shown("SELECT name FROM hero WHERE name = 'a JOIN colour ON hero.eye_id = colour.id'")).toEqual(
      [],
    );
    // In the inner query T1 is another table.
    const nested =
      'SELECT T1.name FROM hero AS T1 JOIN colour AS T2 ON T1.eye_id = T2.id WHERE EXISTS (SELECT 1 FROM "odd name" AS T1 JOIN colour AS T3 ON T1.hero_id = T3.id)';
    expect(shown(nested)).toEqual(["Only the right one uses odd name, colour."]);
    expect(shown("WITH c AS (SELECT id FROM colour) SELECT 1 FROM c, hero")).toEqual([
      "Only the right one uses colour.",
    ]);
    expect(shown("SELECT 1 FROM [hero] h JOIN [colour] ON h.[eye_id] = [colour].[id]")).toEqual([
      "Only the right one uses colour (hero.eye_id = colour.id).",
    ]);
    // Queries that cannot be taken apart.
    expect(shown("SELECT '😀 JOIN colour' FROM hero")).toEqual([]);
    expect(shown("SELECT '", "SELECT ''' FROM")).toEqual([]);
  });
});
