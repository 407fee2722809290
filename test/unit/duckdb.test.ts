import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BirdQuestion } from "#lse/bird/dataset.js";
import { DuckDbDatabase } from "#lse/bird/duckdb/database.js";
import { compareDialects } from "#lse/bird/duckdb/dialects.js";
import type { SqlValue } from "#lse/bird/sql/rows.js";
import { lse } from "../cli.js";
import { buildTinyBird } from "../tiny-bird/build.js";

const folder = mkdtempSync(join(tmpdir(), "lse-duckdb-"));
const path = join(folder, "odd.sqlite");

beforeAll(() => {
  buildTinyBird(join(folder, "bird"));
  const db = new DatabaseSync(path);
  db.exec(`CREATE TABLE "odd one" (id INTEGER, price REAL, day DATE, mixed INTEGER, raw BLOB, empty NUMERIC, "a ""b""" TEXT);
    INSERT INTO "odd one" VALUES (1, 3, '2024-01-02', 5, x'00ff', NULL, 'é'), (2, NULL, NULL, 'five', NULL, NULL, ''),
      (9007199254740993, 0.1, '2024-02-01', 6, x'', NULL, NULL);
    CREATE VIEW cheap AS SELECT id FROM "odd one" WHERE price < 1;`);
  db.close();
});
afterAll(() => rmSync(folder, { recursive: true }));

const limits = { timeoutMs: 5000, memoryMb: 512 };
async function run(sql: string, over: Partial<typeof limits> = {}) {
  await using duckdb = await DuckDbDatabase.load(path, { ...limits, ...over });
  return await duckdb.run(sql);
}

describe("a SQLite database in DuckDB", () => {
  it("has the same values, whatever a column is declared as", async () => {
    const result = await run('SELECT * FROM "odd one" ORDER BY id');
    expect(result).toEqual({
      ok: true,
      rows: [
        [1n, 3, "2024-01-02", "5", Buffer.of(0, 255), null, "é"],
        [2n, null, null, "five", null, null, ""],
        [9007199254740993n, 0.1, "2024-02-01", "6", Buffer.alloc(0), null, null],
      ],
    });
    expect(await run("SELECT * FROM cheap")).toMatchObject({ rows: [[9007199254740993n]] });
  });

  it("divides, orders and casts as SQLite does", async () => {
    expect(await run("SELECT 7 / 2, CAST(1 AS REAL) / 3")).toMatchObject({ rows: [[3, 1 / 3]] });
    expect(await run('SELECT price FROM "odd one" ORDER BY price LIMIT 1')).toMatchObject({ rows: [[null]] });
  });

  it("reaches no file, keeps its settings, and ends what takes too long", async () => {
    const reached = await run("SELECT * FROM read_text('/etc/hostname')");
    expect(reached).toMatchObject({ ok: false, error: expect.stringMatching(/disabled|not allowed/i) });
    expect(await run("SET enable_external_access = true")).toMatchObject({ ok: false });
    expect(await run("SET memory_limit = '9GB'")).toMatchObject({ ok: false });
    const endless = "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b";
    expect(await run(endless, { timeoutMs: 200 })).toMatchObject({ ok: false, kind: "Timeout" });
  });
});

describe("dialects", () => {
  const question = (questionId: number, sql: string) => ({ questionId, sql }) as BirdQuestion;

  it("are counted by what comes of each gold query, with the reason", async () => {
    const sqlite = new DatabaseSync(path, { readOnly: true, readBigInts: true, returnArrays: true });
    await using duckdb = await DuckDbDatabase.load(path, limits);
    const questions = [
      question(1, 'SELECT count(*) FROM "odd one"'),
      question(2, 'SELECT id FROM "odd one" ORDER BY id DESC'),
      question(3, "SELECT strftime('%Y', day) FROM \"odd one\""),
      question(4, 'SELECT julianday(day) FROM "odd one"'),
      question(5, 'SELECT CAST(mixed AS INTEGER) FROM "odd one"'),
      question(6, "SELECT 0.1 + 0.2"),
      question(7, 'SELECT mixed FROM "odd one"'),
    ];
    let seen = 0;
    const rowsOf = (sql: string) => sqlite.prepare(sql).all() as unknown as SqlValue[][];
    const found = await compareDialects(questions, rowsOf, duckdb, () => seen++);
    sqlite.close();
    expect(found).toMatchObject({ gold: 7, agree: 2, differ: 2, not_translated: 2, errors: 1 });
    expect(seen).toBe(7);
    const why = (id: number) => found.reasons.find(({ question_id }) => question_id === id)?.why;
    expect(why(3)).toMatch(/^Binder Error/);
    expect(why(5)).toMatch(/^Conversion Error/);
    expect(why(6)).toBe("the last digits of numbers");
    expect(why(7)).toBe("numbers and texts");
  });

  it("through the command line: a document for each database", () => {
    const { stdout, status } = lse("bird", "dialects", "--data", join(folder, "bird"), "--json");
    expect(status).toBe(0);
    const { bakery, library } = JSON.parse(stdout);
    expect(bakery.gold).toBeGreaterThan(0);
    for (const { gold, agree, differ, not_translated, errors } of [bakery, library])
      expect(agree + differ + not_translated + errors).toBe(gold);
    expect(lse("bird", "dialects", "--data", join(folder, "bird"), "--db", "bakery").stdout).toMatch(
      /database +gold +agree +differ +not understood +errors\nbakery +\d+/,
    );
  });
});
