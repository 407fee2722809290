import { DatabaseSync } from "@photostructure/sqlite";
import { describe, expect, it } from "vitest";
import { addMissingJoin } from "#lse/bird/missing-joins.js";
import { namesOf } from "#lse/bird/names.js";
import { readQuery } from "#lse/bird/reading.js";
import type { SqlResult } from "#lse/bird/sql/executor.js";

const SCHEMA = `CREATE TABLE hero (
    id integer,
    name text,
    race_id integer,
    eye_colour_id integer,
    hair_colour_id integer,
    FOREIGN KEY (race_id) REFERENCES race (id),
    FOREIGN KEY (eye_colour_id) REFERENCES colour (id),
    FOREIGN KEY (hair_colour_id) REFERENCES colour (id)
);

CREATE TABLE race (
    id integer,
    race text
);

CREATE TABLE colour (
    id integer,
    colour text
);

CREATE TABLE hero_power (
    hero_id integer,
    power_id integer,
    FOREIGN KEY (hero_id) REFERENCES hero (id),
    FOREIGN KEY (power_id) REFERENCES "super power" (id)
);

CREATE TABLE "super power" (
    id integer,
    "power name" text,
    date text
);

CREATE TABLE alone (
    lonely text
);`;

const names = namesOf(SCHEMA);
const database = new DatabaseSync(":memory:", { enableDoubleQuotedStringLiterals: true });
database.exec(SCHEMA);

/** What SQLite says of a query; null if it runs. */
function errorOf(sql: string): string | null {
  try {
    database.prepare(sql).all();
    return null;
  } catch (error) {
    return `SQLite: ${(error as Error).message}`;
  }
}

/** One change of a query that fails in SQLite. */
function mended(sql: string): string | null {
  const error = errorOf(sql);
  expect(error).toMatch(/no such column/);
  return addMissingJoin(sql, error as string, names);
}

/** As `mended`, for a query that runs after the change. */
function running(sql: string): string | null {
  const changed = mended(sql);
  expect(errorOf(changed ?? "")).toBeNull();
  return changed;
}

describe("a join that a query lacks", () => {
  it("is added after the table that a foreign key leads from, with the new table before the column", () => {
    expect(running("SELECT name FROM hero WHERE race = 'Alien' ORDER BY race")).toBe(
      "SELECT name FROM hero JOIN race ON hero.race_id = race.id WHERE race.race = 'Alien' ORDER BY race.race",
    );
    expect(running("SELECT T1.name, T1.race FROM hero AS T1 -- heroes\nLIMIT 3")).toBe(
      "SELECT T1.name, race.race FROM hero AS T1 JOIN race ON T1.race_id = race.id -- heroes\nLIMIT 3",
    );
  });

  it("goes by way of one more table, along keys in both directions", () => {
    expect(running("SELECT `power name` FROM hero h WHERE h.name = 'Bo'")).toBe(
      `SELECT "super power"."power name" FROM hero h JOIN hero_power ON hero_power.hero_id = h.id JOIN "super power" ON hero_power.power_id = "super power".id WHERE h.name = 'Bo'`,
    );
    expect(running("SELECT p.date FROM hero AS h JOIN hero_power AS p ON h.id = p.hero_id")).toBe(
      `SELECT "super power".date FROM hero AS h JOIN hero_power AS p ON h.id = p.hero_id JOIN "super power" ON p.power_id = "super power".id`,
    );
  });

  it("comes before a join whose condition needs it", () => {
    expect(running(`SELECT h.name FROM hero h JOIN "super power" s ON (h.power_id = s.id)`)).toBe(
      `SELECT h.name FROM hero h JOIN hero_power ON hero_power.hero_id = h.id JOIN "super power" s ON (hero_power.power_id = s.id)`,
    );
    expect(running("SELECT h.race FROM hero h\nCROSS JOIN alone")).toBe(
      "SELECT race.race FROM hero h\nJOIN race ON h.race_id = race.id CROSS JOIN alone",
    );
    expect(running("SELECT h.race FROM hero h, alone")).toBe(
      "SELECT race.race FROM hero h JOIN race ON h.race_id = race.id, alone",
    );
  });

  it("does not make other columns ambiguous", () => {
    expect(running("SELECT id, COUNT(id) AS id FROM hero WHERE race = 'x'")).toBe(
      "SELECT hero.id, COUNT(hero.id) AS id FROM hero JOIN race ON hero.race_id = race.id WHERE race.race = 'x'",
    );
  });

  it("belongs to the part of the query that lacks it", () => {
    expect(
      running(
        "SELECT name FROM hero WHERE id = (SELECT MAX(id) FROM hero AS h WHERE h.race = 'x') UNION SELECT 'race'",
      ),
    ).toBe(
      "SELECT name FROM hero WHERE id = (SELECT MAX(h.id) FROM hero AS h JOIN race ON h.race_id = race.id WHERE race.race = 'x') UNION SELECT 'race'",
    );
    expect(running("SELECT race FROM race UNION SELECT race FROM hero")).toBe(
      "SELECT race FROM race UNION SELECT race.race FROM hero JOIN race ON hero.race_id = race.id",
    );
    expect(
      running(
        "SELECT r.race, (SELECT COUNT(*) FROM hero h WHERE h.race_id = r.id AND h.race = 'x') FROM race r",
      ),
    ).toBe(
      "SELECT r.race, (SELECT COUNT(*) FROM hero h JOIN race ON h.race_id = race.id WHERE h.race_id = r.id AND race.race = 'x') FROM race r",
    );
  });

  it("is not needed where the query has the table: the column gets its name", () => {
    expect(running("SELECT hero.id FROM hero h JOIN race r ON h.race_id = r.id")).toBe(
      "SELECT h.id FROM hero h JOIN race r ON h.race_id = r.id",
    );
    expect(running("SELECT r.name FROM hero h JOIN race r ON h.race_id = r.id")).toBe(
      "SELECT h.name FROM hero h JOIN race r ON h.race_id = r.id",
    );
  });

  it("is not guessed where keys know more than one way, or none", () => {
    expect(mended("SELECT colour FROM hero")).toBeNull();
    expect(mended("SELECT lonely FROM hero")).toBeNull();
    expect(mended("SELECT h.absent FROM hero h")).toBeNull();
    expect(mended("SELECT h.colour FROM hero h JOIN colour a JOIN colour b")).toBeNull();
    expect(mended("SELECT x.race FROM (SELECT 1 AS y) AS x")).toBeNull();
    expect(mended("SELECT race FROM hero JOIN alone AS race")).toBeNull();
  });

  it("is not added where it would change which columns are returned", () => {
    expect(mended("SELECT * FROM hero WHERE race = 'x'")).toBeNull();
    expect(running("SELECT h.*, COUNT(*) FROM hero h WHERE race = 'x'")).not.toBeNull();
  });

  it("is not added where the query would come to mean something else", () => {
    const others = [
      // A condition would compare a column with itself, so that it ties nothing.
      "SELECT T2.race FROM hero T1 JOIN race T2 ON T1.race_id = T2.race_id",
      "SELECT T2.race FROM hero T1, race T2 WHERE T1.race_id = T2.race_id",
      "SELECT a.name FROM hero a JOIN hero_power p ON p.hero_id = a.id, hero b WHERE p.power_id = b.power_id",
      "SELECT h.name FROM hero h JOIN race r ON r.hero_id = h.id",
      // A column would be returned twice.
      "SELECT T1.name, T2.name FROM hero T1 JOIN race T2 ON T1.race_id = T2.id",
      // An alias is meant, or the new table would have what an alias is called.
      "SELECT name, race AS race FROM hero ORDER BY race",
      "SELECT h.race, COUNT(h.id) AS id FROM hero h GROUP BY h.race ORDER BY id",
      // The new table would take names from the query around.
      "SELECT race FROM race WHERE (SELECT COUNT(*) FROM hero h WHERE h.race_id = race.id AND h.race = 'x') > 0",
      `SELECT name, (SELECT COUNT(*) FROM hero_power WHERE hero_id = id AND date = 'x') FROM hero`,
      // Joins that bring all columns in, or keep rows on the other side.
      "SELECT h.race FROM hero h NATURAL JOIN alone",
      "SELECT h.race FROM hero h JOIN hero_power USING (id)",
      "SELECT h.race FROM alone RIGHT JOIN hero h ON 1",
      "SELECT ALL * FROM hero WHERE race = 'x'",
    ];
    const error = "SQLite: no such column: ";
    for (const sql of others) {
      const missing = errorOf(sql) ?? "";
      const changed = addMissingJoin(sql, missing.startsWith(error) ? missing : `${error}h.race`, names);
      expect(`${sql} => ${changed}`).toBe(`${sql} => null`);
    }
  });

  it("keeps rows that have no partner, as the join that it follows does", () => {
    expect(running("SELECT h.name, p.date FROM hero h LEFT JOIN hero_power p ON p.hero_id = h.id")).toBe(
      `SELECT h.name, "super power".date FROM hero h LEFT JOIN hero_power p ON p.hero_id = h.id LEFT JOIN "super power" ON p.power_id = "super power".id`,
    );
  });

  it("is not looked for in a part of the query that has the column from a subquery", () => {
    const sql =
      "SELECT name FROM hero WHERE race = 'x' AND id IN (SELECT race FROM (SELECT hero_id AS race FROM hero_power) x JOIN hero h2 ON h2.id = x.race)";
    expect(running(sql)).toBe(
      "SELECT name FROM hero JOIN race ON hero.race_id = race.id WHERE race.race = 'x' AND hero.id IN (SELECT race FROM (SELECT hero_id AS race FROM hero_power) x JOIN hero h2 ON h2.id = x.race)",
    );
  });

  it("comes before a semicolon", () => {
    expect(running("SELECT race FROM hero;")).toBe(
      "SELECT race.race FROM hero JOIN race ON hero.race_id = race.id;",
    );
  });

  it("is found by keys that are written in other ways, or that name no column", () => {
    const other = namesOf(`CREATE TABLE team (
    name text,
    id integer PRIMARY KEY
);

CREATE TABLE game (
    home integer REFERENCES Team,
    label text
);

CREATE TABLE seat (
    team text,
    FOREIGN KEY (team) REFERENCES game
);`);
    expect(other.keys).toEqual([
      { table: "game", column: "home", toTable: "team", toColumn: "id" },
      { table: "seat", column: "team", toTable: "game", toColumn: "home" },
    ]);
    const error = "SQLite: no such column: name";
    expect(addMissingJoin("SELECT name FROM game", error, other)).toBe(
      "SELECT team.name FROM game JOIN team ON game.home = team.id",
    );
  });

  it("is quick for long queries", () => {
    const long = `SELECT 1 FROM hero WHERE race IN (${"id, ".repeat(20_000)}id)`;
    expect(addMissingJoin(long, "SQLite: no such column: race", names)).toContain("race.race IN (hero.id, ");
  });

  it("is not looked for where the message is about something else, or the query cannot be taken apart", () => {
    expect(addMissingJoin("SELECT race FROM hero", "SQLite: no such table: race", names)).toBeNull();
    const error = "SQLite: no such column: race";
    expect(addMissingJoin("SELECT race FROM hero WHERE name = '😀'", error, names)).toBeNull();
    expect(addMissingJoin("SELECT race FROM hero WHERE name = 'x", error, names)).toBeNull();
    expect(addMissingJoin(`${"(".repeat(50_000)}race FROM hero`, error, names)).toBeNull();
  });

  it("is found in DuckDB's words, too", () => {
    const error = 'Binder Error: Table "h" does not have a column named "race"';
    expect(addMissingJoin("SELECT h.race FROM hero h", error, names)).toBe(
      "SELECT race.race FROM hero h JOIN race ON h.race_id = race.id",
    );
  });
});

describe("the reading of a query", () => {
  const look = {
    names,
    noAnswer: "no query",
    mend: true,
    run: async (sql: string): Promise<SqlResult> => {
      const error = errorOf(sql);
      if (error !== null) return { ok: false, kind: "syntax", error, seconds: 0 };
      return { ok: true, digest: sql, rows: 1, preview: "", volatile: [], seconds: 0, peakRssMb: 0 };
    },
  };

  it("has the query with all joins that it lacks, if that one runs", async () => {
    const query = `SELECT race, "power name" FROM hero`;
    // SQLite takes a column in double quotes that there is not for a text.
    expect((await readQuery(query, look)).mended).toBe(
      `<answer>SELECT race.race, "power name" FROM hero JOIN race ON hero.race_id = race.id</answer>`,
    );
    expect((await readQuery("SELECT h.race, h.power_id FROM hero h", look)).mended).toBe(
      "<answer>SELECT race.race, hero_power.power_id FROM hero h JOIN hero_power ON hero_power.hero_id = h.id JOIN race ON h.race_id = race.id</answer>",
    );
    expect(await readQuery("SELECT race FROM hero", { ...look, mend: false })).not.toHaveProperty("mended");
    expect(await readQuery("SELECT race, colour FROM hero", look)).not.toHaveProperty("mended");
    expect(await readQuery("SELECT name FROM hero", look)).not.toHaveProperty("mended");
  });
});
