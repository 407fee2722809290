/** Databases as they are in the world: what is shown of them, and what queries return. */
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { DatabaseSync } from "@photostructure/sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { copyOf } from "#lse/bird/duckdb/copy.js";
import { DuckDbDatabase } from "#lse/bird/duckdb/database.js";
import { ExecutionAccuracy } from "#lse/bird/execution-accuracy.js";
import { describeSchema, readSchema } from "#lse/bird/schema.js";
import { SqlExecutor, sameRows } from "#lse/bird/sql/executor.js";
import { isolated } from "#lse/bird/sql/isolated.js";
import { describeDatabase } from "#lse/workspace/schema.js";

const folder = mkdtempSync(join(tmpdir(), "lse-odd-"));
afterAll(() => rmSync(folder, { recursive: true }));

function make(name: string, sql: string): string {
  const path = join(folder, `${name}.sqlite`);
  const db = new DatabaseSync(path);
  db.exec(sql);
  db.close();
  return path;
}

describe("a SQLite database", () => {
  let path: string;
  beforeAll(() => {
    path = make(
      "odd",
      `CREATE TABLE product (id INTEGER PRIMARY KEY, -- its number
         price REAL CHECK (price > 0), qty INTEGER,
         total REAL GENERATED ALWAYS AS (price * qty) VIRTUAL, stored REAL AS (price * qty) STORED,
         CHECK (qty < 100)) STRICT;
       INSERT INTO product (id, price, qty) VALUES (1, 1.5, 2), (2, 10, 1);
       CREATE TABLE code (a TEXT, b TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
       INSERT INTO code VALUES ('x', 'y');
       CREATE VIRTUAL TABLE letter USING fts5(body);
       INSERT INTO letter VALUES ('the quick fox'), ('a slow dog');
       CREATE VIRTUAL TABLE place USING rtree(id, x0, x1);
       INSERT INTO place VALUES (1, 0, 2), (2, 5, 7);
       CREATE VIEW cheap AS SELECT id FROM product WHERE price < 5;
       CREATE TABLE gone (a); CREATE VIEW broken AS SELECT a FROM gone; DROP TABLE gone;
       CREATE TABLE large (a INTEGER, b AS (zeroblob(400000000)), c AS (hex(zeroblob(20000000))), d AS (hex(zeroblob(20000))));
       INSERT INTO large (a) VALUES (1);`,
    );
  });

  it("is shown with generated columns, conditions, comments and virtual tables, without what those keep", async () => {
    const schema = await readSchema(path, new Map());
    expect(schema).toBe(describeSchema(path, new Map()));
    expect(schema).toContain("id integer, -- its number; example: [1, 2]");
    expect(schema).toContain("price real CHECK (price > 0), -- example: [1.5, 10]");
    expect(schema).toMatch(/total real, -- example: \[3, 10\]\n {4}stored real, -- example: \[3, 10\]/);
    expect(schema).toContain("CHECK (qty < 100)\n);");
    expect(schema).toContain(
      "CREATE TABLE letter (\n    body -- example: ['the quick fox', 'a slow dog']\n);",
    );
    expect(schema).toMatch(/CREATE TABLE place \(\n {4}id int, -- example: \[1, 2\]\n {4}x0 real/);
    expect(schema.match(/CREATE TABLE \w+/g)).toHaveLength(5);
    // Values that are too large to compute are not shown; long ones are cut.
    expect(schema).toMatch(/a integer, -- example: \[1\]\n {4}b,\n {4}c,\n {4}d -- example: \['0{40}…'\]/);
  });

  it("is described for a workspace with its views; one that is broken is named and left out", async () => {
    const { text, broken, tables } = await describeDatabase(path, "sqlite", "sql");
    expect(text).toContain("CREATE VIEW cheap");
    expect(text).not.toContain("VIEW broken");
    expect(broken).toEqual([{ name: "broken", why: expect.stringContaining("no such table: main.gone") }]);
    expect(tables).toBe(6);
  });

  it.each([
    ["SELECT total, stored FROM product ORDER BY id", "[(3.0, 3.0), (10.0, 10.0)]"],
    ["SELECT body FROM letter WHERE letter MATCH 'quick'", "[('the quick fox',)]"],
    ["SELECT id FROM place WHERE x0 > 1", "[(2,)]"],
    ["SELECT * FROM code", "[('x', 'y')]"],
  ])("answers: %s", async (sql, preview) => {
    await using executor = new SqlExecutor({ processes: 1 });
    expect(await executor.execute(path, sql)).toMatchObject({ ok: true, preview });
  });

  it.each([
    "INSERT INTO letter (letter) VALUES ('optimize')",
    "WITH x AS (SELECT 1) INSERT INTO place_node SELECT 1, 2 RETURNING *",
    "DELETE FROM letter_data RETURNING *",
  ])("is not written to: %s", async (sql) => {
    await using executor = new SqlExecutor({ processes: 1 });
    expect(await executor.execute(path, sql)).toMatchObject({ ok: false });
  });

  it("has the same columns and values as a copy in DuckDB", async () => {
    const small = make("small", "CREATE TABLE t (a INTEGER, b AS (a * 2)); INSERT INTO t (a) VALUES (4);");
    using duckdb = await DuckDbDatabase.open(await copyOf(small, join(folder, "cache")), 300);
    const rows: unknown[] = [];
    await duckdb.query("SELECT * FROM t", null, (row) => rows.push(row));
    expect(rows).toEqual([[4n, 8n]]);
  });
});

describe.each(["UTF-8", "UTF-16le", "UTF-16be"])("texts with NUL in %s", (encoding) => {
  it("are compared as they are, in full", async () => {
    const path = make(
      encoding,
      `PRAGMA encoding = '${encoding}'; CREATE TABLE t (id INTEGER, s TEXT);
       INSERT INTO t VALUES (1, 'ab' || char(0) || 'cd'), (2, 'ab' || char(0) || 'ef'), (3, 'ab'),
         (4, 'é' || char(0) || char(0x1f600));`,
    );
    await using executor = new SqlExecutor({ processes: 1 });
    const of = (id: number) => executor.execute(path, `SELECT s FROM t WHERE id = ${id}`);
    expect(await of(1)).toMatchObject({ ok: true, preview: "[('ab\\x00cd',)]" });
    expect(await of(4)).toMatchObject({ ok: true, preview: "[('é\\x00😀',)]" });
    expect(sameRows(await of(1), await of(2))).toBe(false);
    expect(sameRows(await of(1), await of(3))).toBe(false);
    const built = await executor.execute(path, "SELECT 'ab' || char(0) || 'cd'");
    expect(sameRows(await of(1), built)).toBe(true);
    // Bytes are no text, even where they look like one.
    const bytes = await executor.execute(path, "SELECT CAST(s AS BLOB) FROM t WHERE id = 1");
    expect(sameRows(await of(1), bytes)).toBe(false);
  });
});

describe("a DuckDB database", () => {
  it("is shown with all schemas, conditions and comments; views that no query may use are left out", async () => {
    const path = join(folder, "shop.duckdb");
    const outside = join(folder, "outside.csv");
    writeFileSync(outside, "a\n1\n");
    const instance = await DuckDBInstance.create(path);
    const connection = await instance.connect();
    for (const sql of [
      "CREATE TABLE item (id INTEGER PRIMARY KEY, price DOUBLE CHECK (price > 0), twice AS (price * 2))",
      "INSERT INTO item (id, price) VALUES (1, 2.5)",
      "COMMENT ON TABLE item IS 'what is sold'",
      "COMMENT ON COLUMN item.price IS 'in euros\n  with tax'",
      "CREATE SCHEMA past",
      "CREATE TABLE past.item (id INTEGER)",
      "CREATE VIEW dear AS SELECT id FROM item WHERE price > 2",
      "CREATE VIEW settings AS SELECT name, value FROM duckdb_settings()",
      `CREATE VIEW reads AS SELECT * FROM read_csv('${outside}')`,
    ])
      await connection.run(sql);
    connection.closeSync();
    instance.closeSync();
    const { text, broken, tables } = await describeDatabase(path, "duckdb", "sql");
    expect(text).toContain("CREATE TABLE item ( -- what is sold\n    id integer, -- example: [1]");
    expect(text).toContain("price double, -- in euros with tax; example: [2.5]\n    twice double");
    expect(text).toContain("CHECK ((price > 0))");
    expect(text).toContain("CREATE TABLE past.item (");
    expect(text).toContain("CREATE VIEW dear");
    expect([tables, broken.map(({ name }) => name)]).toEqual([3, ["reads", "settings"]]);
  });
});

describe("gold results", () => {
  const question = (sql: string) => ({
    id: "1",
    questionId: 1,
    dbId: "d",
    question: "",
    evidence: "",
    difficulty: "",
    sql,
  });

  it("belong to what the database holds now, and those of changing queries are not kept", async () => {
    const first = make("first", "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)");
    const second = make("second", "CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    const path = join(folder, "now.sqlite");
    const cache = join(folder, "gold");
    const open = () => new ExecutionAccuracy({ databasePath: () => path }, 5000, cache);
    copyFileSync(first, path);
    {
      await using accuracy = open();
      expect(await accuracy.grade(question("SELECT count(*) FROM t"), "SELECT 2")).toMatchObject({ ex: 1 });
      copyFileSync(second, path);
      expect(await accuracy.grade(question("SELECT count(*) FROM t"), "SELECT 1")).toMatchObject({ ex: 1 });
      expect(await accuracy.grade(question("SELECT sum(a) FROM t"), "SELECT 1")).toMatchObject({ ex: 1 });
      const random = question("SELECT random()");
      const errors = [await accuracy.grade(random, "SELECT 0"), await accuracy.grade(random, "SELECT 0")];
      expect(new Set(errors.map(({ error }) => error)).size).toBe(2);
    }
    copyFileSync(first, path);
    await using accuracy = open();
    expect(await accuracy.grade(question("SELECT sum(a) FROM t"), "SELECT 3")).toMatchObject({ ex: 1 });
  });

  it("are not taken from a database that keeps changing", async () => {
    const path = make("moving", "CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    let copies = 0;
    const data = {
      databasePath: () => {
        const other = make(`moving-${copies++}`, `CREATE TABLE t (a); INSERT INTO t VALUES (${copies})`);
        copyFileSync(other, path);
        return path;
      },
    };
    await using accuracy = new ExecutionAccuracy(data, 5000, join(folder, "gold"));
    await expect(accuracy.grade(question("SELECT a FROM t"), "SELECT 1")).rejects.toThrow(
      /moving\.sqlite changes while queries run on it\. Stop what writes to it/,
    );
  });
});

describe("a process of its own", () => {
  const module = join(folder, "work.mjs");
  beforeAll(() =>
    writeFileSync(
      module,
      `export const add = async (a, b) => a + b;
       export const fail = () => { throw new Error("no luck"); };
       export const hang = () => { for (;;); };
       export const exit = () => process.exit(3);
       export const grow = () => { const all = []; for (;;) all.push(Buffer.alloc(1 << 24, 1)); };`,
    ),
  );
  const run = (name: string, args: never[] = [], timeoutMs = 20_000) =>
    isolated<(...args: never[]) => unknown>(`file://${module}`, name, args, { memoryMb: 256, timeoutMs });

  it("returns what the function returns", async () => {
    expect(await run("add", [1, 2] as never[])).toBe(3);
  });

  it.each([
    ["fail", /^no luck$/],
    ["hang", /^it took longer than 1\.5 s and was stopped$/],
    ["exit", /^its process ended unexpectedly \(exit code 3\)$/],
    ["grow", /^it needed more than 256 MB of memory and was stopped$/],
  ])("says why there is no result: %s", async (name, why) => {
    await expect(run(name, [], name === "hang" ? 1500 : 60_000)).rejects.toThrow(why);
  });
});

it("rows that are returned are bounded in bytes", async () => {
  const path = make("blobs", "CREATE TABLE t (a)");
  await using executor = new SqlExecutor({ processes: 1 });
  const numbers = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 100)";
  const result = await executor.fetch(path, `${numbers} SELECT zeroblob(1000000) FROM c`, 1000);
  expect(result).toMatchObject({ ok: true, rows: 100 });
  expect(result.ok && result.table.rows.length).toBe(33);
});

it.each([
  "sqlite",
  "duckdb",
] as const)("time limits beyond what a timer can hold are none in %s", async (engine) => {
  const path = make("timer", "CREATE TABLE IF NOT EXISTS t (a)");
  const file = engine === "sqlite" ? path : await copyOf(path, join(folder, "cache"));
  await using executor = new SqlExecutor({
    engine,
    processes: 1,
    limits: { memoryMb: 1024, timeoutMs: 1e300 },
  });
  expect(await executor.execute(file, "SELECT count(*) FROM t")).toMatchObject({ preview: "[(0,)]" });
  expect(existsSync(`${file}.wal`)).toBe(false);
  expect(readdirSync(folder)).not.toContain("timer.sqlite-journal");
});
