import { describe, expect, it } from "vitest";
import { nameHint } from "#lse/bird/name-hints.js";
import { namesOf } from "#lse/bird/names.js";
import { twinKeysOf } from "#lse/bird/twins.js";

const SCHEMA = `CREATE TABLE superhero (
    id integer, -- example: [1, 2]
    superhero_name text,
    publisher_id integer,
    CONSTRAINT fk FOREIGN KEY (publisher_id) REFERENCES publisher (id),
    PRIMARY KEY (id)
);

CREATE TABLE "hero power" (
    hero_id integer,
    "power name" text, -- the power's name
    FOREIGN KEY (hero_id) REFERENCES superhero
);

CREATE TABLE publisher (
    id integer,
    publisher_name text
);`;

describe("twins", () => {
  const isTwin = (a: [string, string], b: [string, string]) => {
    const keys = twinKeysOf(...a);
    return twinKeysOf(...b).some((key) => keys.includes(key));
  };

  it("differ in the values of their queries alone, in either their words or their queries", () => {
    const batman: [string, string] = ["How tall is Batman?", "SELECT h FROM heroes WHERE name = 'Batman'"];
    expect(
      isTwin(batman, ["What is the height of Robin?", "select h  from heroes where name='Robin';"]),
    ).toBe(true);
    expect(isTwin(batman, ["How tall is Robin?", "SELECT h FROM x JOIN y WHERE name = 'Robin'"])).toBe(true);
    expect(isTwin(batman, ["How heavy is Batman?", "SELECT w FROM heroes WHERE name = 'Batman'"])).toBe(
      false,
    );
  });

  it("may have numbers and values that are part of another value", () => {
    const of = (n: number, name: string): [string, string] => [
      `Which ${n} of '${name}'?`,
      `SELECT a FROM t1 WHERE b LIKE '%${name}%' LIMIT ${n}`,
    ];
    expect(isTwin(of(3, "Ann"), of(5, "O''Neill"))).toBe(true);
    expect(isTwin(["a", "SELECT a FROM t1"], ["b", "SELECT a FROM t2"])).toBe(false);
  });

  it("may have quotes in names and comments, and values in double quotes", () => {
    const of = (before: string, value: string): [string, string] => [
      `${value} of ${before}?`,
      `SELECT ${before} FROM t WHERE b = ${value}`,
    ];
    for (const before of [
      `"patient's age"`,
      "`patient's age`",
      "[patient's age]",
      "a /* don't */",
      "a -- it's\n",
    ])
      expect(isTwin(of(before, "'Ann'"), of(before, "'Bob'"))).toBe(true);
    expect(isTwin(["a", "SELECT a FROM t -- one"], ["b", "SELECT a FROM t /* two */"])).toBe(true);
    expect(isTwin(["a", `SELECT a FROM t WHERE b = "x"`], ["b", `SELECT a FROM t WHERE b = "y"`])).toBe(true);
    expect(isTwin(["a", `SELECT "x" FROM t`], ["b", `SELECT "y" FROM t`])).toBe(false);
  });
});

describe("hints for names that do not exist", () => {
  const names = namesOf(SCHEMA);
  const hint = (error: string, sql: string) => nameHint(`SQLite: ${error}`, sql, names);

  it("know the columns and keys of each table of a schema", () => {
    expect([...names.columns]).toEqual([
      ["superhero", ["id", "superhero_name", "publisher_id"]],
      ["hero power", ["hero_id", "power name"]],
      ["publisher", ["id", "publisher_name"]],
    ]);
    expect(names.keys).toEqual([
      { table: "superhero", column: "publisher_id", toTable: "publisher", toColumn: "id" },
      { table: "hero power", column: "hero_id", toTable: "superhero", toColumn: "id" },
    ]);
  });

  it("say where a column is and how to join its table, by the names that the query has for tables", () => {
    const sql = "SELECT T1.publisher_name FROM superhero AS T1";
    const join = "JOIN publisher ON T1.publisher_id = publisher.id";
    expect(hint("no such column: T1.publisher_name", sql)).toBe(
      `superhero (T1) has no column publisher_name: publisher has it (${join}).`,
    );
    expect(hint("no such column: publisher_name", "SELECT publisher_name FROM superhero WHERE 1")).toBe(
      "There is no column publisher_name: publisher has it (JOIN publisher ON superhero.publisher_id = publisher.id).",
    );
  });

  it("go by way of a table between, and by keys in both directions", () => {
    expect(hint("no such column: p.publisher_name", 'SELECT p.publisher_name FROM "hero power" p')).toBe(
      "hero power (p) has no column publisher_name: publisher has it (JOIN superhero ON p.hero_id = superhero.id JOIN publisher ON superhero.publisher_id = publisher.id).",
    );
    expect(hint("no such column: s.hero_id", "SELECT s.hero_id FROM superhero s")).toBe(
      'superhero (s) has no column hero_id: hero power has it (JOIN "hero power" ON "hero power".hero_id = s.id).',
    );
  });

  it("name the table of the query that has the column", () => {
    const sql = "SELECT s.publisher_name FROM superhero s JOIN publisher AS p ON s.publisher_id = p.id";
    expect(hint("no such column: s.publisher_name", sql)).toBe(
      "superhero (s) has no column publisher_name: publisher has it (p.…).",
    );
  });

  it("say by what name the query has to call a table", () => {
    expect(hint("no such column: superhero.id", "SELECT superhero.id FROM superhero AS s")).toBe(
      "superhero is called s in this query: write s.id.",
    );
  });

  it("do not take a word of SQL for what the query calls a table", () => {
    const words = (before: string) =>
      hint("no such column: superhero.x", `SELECT superhero.x FROM superhero ${before} SELECT 1`);
    for (const before of ["UNION", "HAVING 1 UNION", "except", "OFFSET 1; "])
      expect(words(before)).toMatch(/^superhero has no column x;/);
    expect(
      hint(
        "no such column: superhero.publisher_name",
        "SELECT superhero.publisher_name FROM superhero JOIN publisher ON 1",
      ),
    ).toBe("superhero has no column publisher_name: publisher has it (publisher.…).");
  });

  it("do not say to write what the query has already, where that part of it does not know the table", () => {
    expect(hint("no such column: T1.id", "SELECT T1.id FROM (SELECT T1.id FROM superhero AS T1)")).toBe(
      "T1 is not known there: only the part of the query that names it after FROM or JOIN can use its columns.",
    );
  });

  it("are quick for queries and messages of any length", () => {
    const long = `SELECT 1 FROM ${", [".repeat(300_000)}`;
    expect(hint("no such column: superhero_nam", long)).toMatch(/the nearest name is superhero_name/);
  });

  it("name the nearest column, and those of the table that is meant", () => {
    expect(hint("no such column: s.hero_name", "SELECT s.hero_name FROM superhero s")).toBe(
      "superhero (s) has no column hero_name; the nearest name is superhero_name. The columns of superhero are id, superhero_name, publisher_id.",
    );
  });

  it("name the nearest table", () => {
    expect(hint("no such table: superheroes", "SELECT 1 FROM superheroes")).toBe(
      "There is no table superheroes; the nearest name is superhero. The tables are superhero, hero power, publisher.",
    );
    expect(hint("no such table: hero powers", 'SELECT 1 FROM "hero powers"')).toMatch(
      /^There is no table hero powers; the nearest name is hero power\./,
    );
  });

  it("understand DuckDB's words", () => {
    const error = 'Binder Error: Table "s" does not have a column named "publisher_name"';
    expect(nameHint(error, "SELECT s.publisher_name FROM superhero s", names)).toMatch(
      /^superhero \(s\) has no column publisher_name: publisher has it/,
    );
  });

  it("have nothing to say of other failures", () => {
    expect(hint('near "FRM": syntax error', "SELECT 1 FRM x")).toBe("");
  });
});
