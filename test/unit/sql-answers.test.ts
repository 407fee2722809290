import { describe, expect, it } from "vitest";
import { nameHint, tablesOf } from "#lse/bird/name-hints.js";
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
    "power name" text -- the power's name
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
});

describe("hints for names that do not exist", () => {
  const tables = tablesOf(SCHEMA);

  it("know the columns of each table of a schema", () => {
    expect([...tables]).toEqual([
      ["superhero", ["id", "superhero_name", "publisher_id"]],
      ["hero power", ["hero_id", "power name"]],
      ["publisher", ["id", "publisher_name"]],
    ]);
  });

  it("say where a column is, by the alias of its table", () => {
    const sql = "SELECT T1.publisher_name FROM superhero AS T1";
    expect(nameHint("SQLite: no such column: T1.publisher_name", sql, tables)).toBe(
      "superhero (T1) has no column publisher_name here; it is in publisher: join that table.",
    );
    expect(nameHint("SQLite: no such column: publisher_name", sql, tables)).toBe(
      "There is no column publisher_name here; it is in publisher: join that table.",
    );
  });

  it("name the nearest column, and those of the table that is meant", () => {
    expect(
      nameHint("SQLite: no such column: s.hero_name", "SELECT s.hero_name FROM superhero s", tables),
    ).toBe(
      "superhero (s) has no column hero_name; the nearest name is superhero_name. The columns of superhero are id, superhero_name, publisher_id.",
    );
  });

  it("name the nearest table", () => {
    expect(nameHint("SQLite: no such table: superheroes", "SELECT 1 FROM superheroes", tables)).toBe(
      "There is no table superheroes; the nearest name is superhero. The tables are superhero, hero power, publisher.",
    );
  });

  it("have nothing to say of other failures", () => {
    expect(nameHint('SQLite: near "FRM": syntax error', "SELECT 1 FRM x", tables)).toBe("");
  });
});
