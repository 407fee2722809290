import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { DatabaseSync } from "@photostructure/sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BirdQuestion } from "#lse/bird/dataset.js";
import { copyOf } from "#lse/bird/duckdb/copy.js";
import { DuckDbDatabase } from "#lse/bird/duckdb/database.js";
import { compareDialects } from "#lse/bird/duckdb/dialects.js";
import { SqlExecutor } from "#lse/bird/sql/executor.js";
import type { SqlValue } from "#lse/bird/sql/rows.js";
import { BirdTask } from "#lse/bird/task.js";
import { describeDuckDb } from "#lse/workspace/duckdb-schema.js";
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

const cache = join(folder, "cache");
async function rowsOf(sql: string, timeoutMs = 5000): Promise<SqlValue[][]> {
  using duckdb = await DuckDbDatabase.open(await copyOf(path, cache), 512);
  const rows: SqlValue[][] = [];
  await duckdb.query(sql, timeoutMs, (row) => rows.push(row));
  return rows;
}

describe("a SQLite database in DuckDB", () => {
  it("has the same values, whatever a column is declared as", async () => {
    expect(await rowsOf('SELECT * FROM "odd one" ORDER BY id')).toEqual([
      [1n, 3, "2024-01-02", "5", Buffer.of(0, 255), null, "é"],
      [2n, null, null, "five", null, null, ""],
      [9007199254740993n, 0.1, "2024-02-01", "6", Buffer.alloc(0), null, null],
    ]);
    expect(await rowsOf("SELECT * FROM cheap")).toEqual([[9007199254740993n]]);
  });

  it("divides, orders and casts as SQLite does", async () => {
    expect(await rowsOf("SELECT 7 / 2, CAST(1 AS REAL) / 3")).toEqual([[3n, 1 / 3]]);
    expect(await rowsOf('SELECT price FROM "odd one" ORDER BY price LIMIT 1')).toEqual([[null]]);
  });

  it("understands SQLite's functions, and has its own values in texts", async () => {
    const dates = "SELECT strftime('%Y', day), instr(day, '-') FROM \"odd one\" WHERE id = 1";
    expect(await rowsOf(dates)).toEqual([["2024", 5n]]);
    expect(await rowsOf("SELECT DATE '2024-01-02', 1.5, true")).toEqual([["2024-01-02", 1.5, 1n]]);
  });

  it.each([
    "iif(id > 1, 'more', 'one')",
    '(SELECT total(price) FROM "odd one")',
    '(SELECT total(empty) FROM "odd one")',
    "julianday(day)",
    "julianday(day || ' 10:20:30') - julianday('2024-01-01 00:00')",
    "datetime(day)",
    "unixepoch(day)",
    "'É' || 'abc' LIKE '%ABC'",
    "'like' NOT LIKE 'L_KE'",
    "CAST(2.7 AS INTEGER)",
    "CAST(-price * 2.9 AS INT)",
    "CAST('12.7' AS integer)",
    "CAST(id + 1 AS INTEGER)",
    "CAST((id > 1) AS INTEGER)",
    "max(id, 2)",
    "min(price, 2.5)",
    "max(id, NULL, 3)",
    "min(4, id, 3)",
    "min(id, NULL)",
    "max(min(id, 5), 3)",
    "typeof(id) || typeof(price) || typeof(raw)",
    "format('%d of %s', 3, 'é')",
    "[id] + `price`",
    "'[id] LIKE \"x\"' /* LIKE [id] */ -- `id`",
  ])("computes %s as SQLite does", async (expression) => {
    const sqlite = new DatabaseSync(path, { readOnly: true, readBigInts: true, returnArrays: true });
    const sql = `SELECT ${expression}\n FROM "odd one" ORDER BY id`;
    const expected = sqlite.prepare(sql).all();
    sqlite.close();
    expect(await rowsOf(sql)).toEqual(expected);
  });

  it.each([
    "julianday('31.1.2024')",
    "datetime('now')",
    "date(day, '+1 month')",
    "CAST('12x' AS INTEGER)",
    "max(id, 2, 3, 4)",
  ])("%s is an error, not another value", async (expression) => {
    await expect(rowsOf(`SELECT ${expression} FROM "odd one"`)).rejects.toThrow();
  });

  it("keeps NUL in texts, and leaves out tables that SQLite cannot open", async () => {
    const odd = join(folder, "modules.sqlite");
    const db = new DatabaseSync(odd, { defensive: false });
    db.exec(`CREATE TABLE lse_exact (x TEXT); INSERT INTO lse_exact VALUES ('a' || char(0) || 'b');
      CREATE VIRTUAL TABLE words USING fts4(a, content=''); PRAGMA writable_schema = ON;
      INSERT INTO sqlite_master VALUES ('table', 'other', 'other', 0, 'CREATE VIRTUAL TABLE other USING nosuch(a)')`);
    db.close();
    using duckdb = await DuckDbDatabase.open(await copyOf(odd, join(folder, "modules")), 512);
    const rows: SqlValue[][] = [];
    await duckdb.query("SELECT x FROM lse_exact", 5000, (row) => rows.push(row));
    expect(rows).toEqual([["a\0b"]]);
    await expect(duckdb.query("SELECT * FROM other", 5000, () => {})).rejects.toThrow(/other does not exist/);
  });

  it("is not copied while it has changes beside it", async () => {
    const unfinished = join(folder, "unfinished.sqlite");
    new DatabaseSync(unfinished).close();
    writeFileSync(`${unfinished}-wal`, "x");
    await expect(copyOf(unfinished, join(folder, "modules"))).rejects.toThrow(
      /unfinished\.sqlite has changes that are not yet/,
    );
  });

  it("is copied once for each content, and a copy that was cut off is no copy", async () => {
    const copy = await copyOf(path, cache);
    const { ino } = statSync(copy);
    expect(await copyOf(path, cache)).toBe(copy);
    expect(statSync(copy).ino).toBe(ino);
    expect(readdirSync(dirname(copy))).toEqual([basename(copy)]);
    await expect(copyOf(join(folder, "bird", "dev.json"), cache)).rejects.toThrow(/not a database/);
    expect(readdirSync(dirname(copy))).toEqual([basename(copy)]);
  });
});

const ENDLESS = "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b";

describe("DuckDB in processes of its own", () => {
  let executor: SqlExecutor;
  let own: string;
  beforeAll(async () => {
    executor = new SqlExecutor({ engine: "duckdb", processes: 1, limits: { memoryMb: 1024 } });
    own = join(folder, "own.duckdb");
    const instance = await DuckDBInstance.create(own);
    const connection = await instance.connect();
    await connection.run("CREATE TABLE hero (name VARCHAR, born DATE)");
    await connection.run("INSERT INTO hero VALUES ('Ann', '1990-05-01'), ('Bo', NULL)");
    connection.closeSync();
    instance.closeSync();
  });
  afterAll(() => executor[Symbol.asyncDispose]());

  it("runs SELECT in DuckDB's own dialect on DuckDB's own files", async () => {
    const result = await executor.execute(own, "FROM hero SELECT name, born, 7 / 2 ORDER BY ALL");
    expect(result).toMatchObject({ preview: "[('Ann', '1990-05-01', 3.5), ('Bo', None, 3.5)]", rows: 2 });
  });

  it.each([
    ["SELECT * FROM read_text('/etc/hostname')", "refused"],
    ["SELECT * FROM glob('/etc/*')", "refused"],
    ["SELECT * FROM '/etc/passwd'", "syntax"],
    [`COPY hero TO '${join(folder, "copied.csv")}'`, "refused"],
    ["INSERT INTO hero VALUES ('Cy', NULL)", "refused"],
    ["CREATE TEMP TABLE t AS SELECT 1", "refused"],
    ["SET memory_limit = '9GB'", "refused"],
    ["ATTACH ':memory:' AS other", "refused"],
    ["INSTALL httpfs", "refused"],
    ["EXPLAIN SELECT 1", "refused"],
    ["SELECT 1; SELECT 2", "refused"],
    ["SELECT ?", "refused"],
    ["SELECT nothing FROM hero", "syntax"],
    ["SELEC 1", "syntax"],
    ["SELECT CAST('x' AS INTEGER) FROM hero", "runtime"],
    ["SELECT range FROM range(2000000)", "too-many-rows"],
    ["SELECT list(range) FROM range(100000000)", "memory"],
  ])("%s is %s", async (sql, kind) => {
    const result = await executor.execute(own, sql, { maxRows: 1_000_000 });
    expect(result, JSON.stringify(result)).toMatchObject({ ok: false, kind });
    expect(await executor.execute(own, "SELECT count(*) FROM hero")).toMatchObject({ preview: "[(2,)]" });
    expect(readdirSync(folder)).not.toContain("copied.csv");
  });

  it("interrupts what takes too long, in the process that goes on", async () => {
    const before = await executor.execute(own, "SELECT pg_backend_pid() IS NULL");
    expect(before.ok || before.kind).not.toBe("crashed");
    const late = await executor.execute(own, ENDLESS, { timeoutMs: 300 });
    expect(late).toMatchObject({
      ok: false,
      kind: "timeout",
      error: expect.stringMatching(/longer than 0.3 s/),
    });
    expect(late.seconds).toBeLessThan(1.2);
    expect(await executor.execute(own, "SELECT 1")).toMatchObject({ preview: "[(1,)]" });
  });

  it("says which file is no DuckDB database, and which is locked", async () => {
    const wrong = join(folder, "wrong.duckdb");
    writeFileSync(wrong, "no database");
    await expect(executor.execute(wrong, "SELECT 1")).rejects.toThrow(/wrong\.duckdb cannot be opened/);
    await expect(executor.execute(join(folder, "none.duckdb"), "SELECT 1")).rejects.toThrow(/does not exist/);
  });
});

describe("scores in DuckDB", () => {
  const data = () => ["--data", join(folder, "bird"), "--cache", cache] as const;

  it("have their own names, and count BIRD's gold queries in translation", () => {
    const { stdout } = lse("bird", "validate", ...data(), "--sql-engine", "duckdb", "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      ex_duckdb: expect.closeTo(91.67, 2),
      databases: { bakery: { correct: 11 } },
    });
    expect(stdout).not.toContain('"ex":');
    const text = lse("bird", "validate", ...data(), "--sql-engine", "duckdb").stdout;
    expect(text).toMatch(/^all +EX \(DuckDB\) +91\.67 %/m);
    expect(text).toMatch(/must appear in the GROUP BY clause/);
    expect(text).not.toMatch(/EX +\d/);
  });

  it("are those of a task, under its own name", async () => {
    const open = (sqlEngine: "sqlite" | "duckdb") =>
      BirdTask.open({
        dataPath: join(folder, "bird"),
        dbId: "bakery",
        timeoutMs: 5000,
        cacheFolder: cache,
        sqlEngine,
      });
    await using sqlite = await open("sqlite");
    await using duckdb = await open("duckdb");
    expect([sqlite.id, duckdb.id]).toEqual(["bird/bakery", "bird/bakery (DuckDB)"]);
    expect(duckdb.fingerprint).not.toBe(sqlite.fingerprint);
    const problem = duckdb.problemIds[0] as string;
    const answer = "<answer>SELECT 1 AS one QUALIFY row_number() OVER () = 1</answer>";
    expect((await sqlite.grade(problem, answer)).error).toMatch(/SQLite: /);
    expect((await duckdb.grade(problem, answer)).error).toMatch(/^result mismatch/);
  });
});

describe("what a statement may use", () => {
  const own = join(folder, "gated.duckdb");
  const secret = join(folder, "secret.txt");
  beforeAll(async () => {
    writeFileSync(secret, "secret");
    const instance = await DuckDBInstance.create(own);
    const connection = await instance.connect();
    for (const sql of [
      "CREATE TABLE hero AS SELECT range AS id, 'x' AS query FROM range(10)",
      "CREATE VIEW tall AS SELECT id, query FROM hero WHERE id > 5",
      "CREATE VIEW logged AS SELECT * FROM duckdb_logs",
      "CREATE VIEW hidden AS SELECT * FROM logged",
      `CREATE VIEW reads AS SELECT * FROM "read_text" ('${secret}')`,
      "CREATE MACRO twice(x) AS 2 * x",
      "CREATE MACRO setting(x) AS current_setting(x)",
      "CREATE MACRO logging() AS TABLE SELECT * FROM enable_logging()",
    ])
      await connection.run(sql);
    connection.closeSync();
    instance.closeSync();
  });

  const refused = [
    "SELECT * FROM enable_logging()",
    "SELECT 1 UNION ALL SELECT count(*) FROM Enable_Logging(storage = 'file', storage_path = 'x')",
    "WITH a AS (SELECT * FROM system.main.enable_logging()) SELECT 1",
    "SELECT (SELECT count(*) FROM enable_profiling(save_location = 'x'))",
    "SELECT message FROM duckdb_logs",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM main.duckdb_logs",
    "SELECT * FROM pg_catalog.pg_settings",
    "SELECT * FROM query('SELECT * FROM enable_logging()')",
    "SELECT * FROM query_table('duckdb_logs')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "SELECT * FROM read_csv('a.csv')",
    "SELECT * FROM glob('*')",
    "SELECT current_setting('memory_limit')",
    "SELECT setseed(0.5)",
    "SELECT write_log('x')",
    "SELECT * FROM (DESCRIBE hero)",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM logged",
    'SELECT * FROM "HIDDEN"',
    "SELECT * FROM reads",
    "SELECT setting('threads')",
    "SELECT * FROM logging()",
    "SET threads = 2",
    "PIVOT hero ON id USING count(*)",
  ];
  it("nothing that reads files, settings or logs, or that other statements would notice", async () => {
    await using executor = new SqlExecutor({ engine: "duckdb", processes: 1, limits: { memoryMb: 1024 } });
    for (const sql of refused) {
      expect(await executor.execute(own, sql), sql).toMatchObject({ ok: false, kind: "refused" });
      expect(await executor.execute(own, "SELECT count(*) FROM hero")).toMatchObject({ preview: "[(10,)]" });
    }
    expect(readdirSync(folder).filter((name) => name.startsWith("gated"))).toEqual(["gated.duckdb"]);
  });

  it("but its own tables, views and macros, and what describes them", async () => {
    await using executor = new SqlExecutor({ engine: "duckdb", processes: 1, limits: { memoryMb: 1024 } });
    for (const sql of [
      "SELECT id, query FROM tall",
      "SELECT twice(id) FROM hero, range(2), unnest([1, 2]) AS u(v)",
      "SELECT table_name FROM information_schema.tables",
      "SELECT name FROM sqlite_master",
      "SELECT column_name FROM duckdb_columns() WHERE table_name = 'hero'",
      "SELECT name FROM pragma_table_info('hero')",
      `SELECT ${"(".repeat(500)}1${")".repeat(500)}`,
    ])
      expect(await executor.execute(own, sql), sql).toMatchObject({ ok: true });
  });
});

describe("a DuckDB file whose macros have the names of DuckDB's own functions", () => {
  it("hides neither its views and macros nor its tables", async () => {
    const file = join(folder, "shadows.duckdb");
    const instance = await DuckDBInstance.create(file);
    const connection = await instance.connect();
    await connection.run(`CREATE TABLE hero (id INTEGER); INSERT INTO hero VALUES (1);
      CREATE VIEW settings AS SELECT name FROM duckdb_settings(); CREATE MACRO setting(x) AS current_setting(x);
      CREATE TABLE chance (id INTEGER, r DOUBLE GENERATED ALWAYS AS (random())); CREATE MACRO rnd() AS random();
      CREATE VIEW lucky AS SELECT rnd() AS r;
      CREATE MACRO typeof(x) AS 'BLOB'; CREATE MACRO min(x) AS 1;
      CREATE MACRO duckdb_keywords() AS TABLE SELECT 'id' AS keyword_name, 'x' AS keyword_category;
      CREATE MACRO duckdb_schemas() AS TABLE SELECT 'copied_from_sqlite' AS schema_name;
      CREATE MACRO duckdb_views() AS TABLE SELECT 'v' AS view_name, 'x' AS sql, false AS internal;
      CREATE MACRO duckdb_functions() AS TABLE SELECT 'f' AS function_name, 'x' AS macro_definition, false AS internal`);
    connection.closeSync();
    instance.closeSync();
    await using executor = new SqlExecutor({ engine: "duckdb", processes: 1, limits: { memoryMb: 1024 } });
    for (const sql of ["SELECT * FROM settings", "SELECT setting('threads')"])
      expect(await executor.execute(file, sql), sql).toMatchObject({ ok: false, kind: "refused" });
    expect(await executor.execute(file, "SELECT 7 / 2, id FROM hero")).toMatchObject({
      preview: "[(3.5, 1)]",
      volatile: [],
    });
    for (const sql of ["SELECT r FROM chance", "SELECT rnd()", 'SELECT * FROM "LUCKY"'])
      expect(await executor.execute(file, sql), sql).toMatchObject({ volatile: ["random()"] });
    const { text, broken } = await describeDuckDb(file, { scannedRows: 10, none: false, memoryMb: 1024 });
    expect(text).toContain("CREATE TABLE hero (\n    id integer -- example: [1]\n);");
    expect(text).toContain("CREATE VIEW lucky");
    // No query may use it, so no model is shown it.
    expect(broken).toEqual([{ name: "settings", why: "it uses what no query may use" }]);
  });
});

describe("a hostile SQLite file", () => {
  const evil = join(folder, "evil.sqlite");
  const written = join(folder, "written.txt");

  it("writes no file and reads none when it is copied", async () => {
    const db = new DatabaseSync(evil, { defensive: false });
    db.exec(`CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1);
      CREATE VIEW plain AS SELECT a FROM t; CREATE VIEW two AS SELECT 1 AS a;
      CREATE VIEW reads AS SELECT * FROM read_text('${join(folder, "bird", "dev.json")}');
      PRAGMA writable_schema = ON;`);
    const rewrite = db.prepare("UPDATE sqlite_master SET sql = ? WHERE name = ?");
    rewrite.run(`CREATE VIEW two AS SELECT 1 AS a; COPY (SELECT 'x') TO '${written}'`, "two");
    db.close();
    using duckdb = await DuckDbDatabase.open(await copyOf(evil, cache), 512);
    const rows: SqlValue[][] = [];
    await duckdb.query("SELECT a FROM plain", 5000, (row) => rows.push(row));
    expect(rows).toEqual([[1n]]);
    for (const view of ["two", "reads"])
      await expect(duckdb.query(`SELECT * FROM ${view}`, 5000, () => {})).rejects.toThrow(/does not exist/);
    expect(readdirSync(folder)).not.toContain("written.txt");
  });

  it("that is damaged or too large to copy is one line", async () => {
    const large = join(folder, "large.sqlite");
    const db = new DatabaseSync(large);
    db.exec("CREATE TABLE t (a INTEGER, b AS (zeroblob(500000000))); INSERT INTO t VALUES (1);");
    db.close();
    await expect(copyOf(large, cache)).rejects.toThrow(/large\.sqlite: cannot be copied into DuckDB \(/);
    expect(readdirSync(join(cache, "duckdb-3")).filter((name) => name.includes("part"))).toEqual([]);
  });
});

describe("dialects", () => {
  const question = (questionId: number, sql: string) => ({ questionId, sql }) as BirdQuestion;

  it("are counted by what comes of each gold query, with the reason", async () => {
    await using sqlite = new SqlExecutor({ processes: 1 });
    await using duckdb = new SqlExecutor({ engine: "duckdb", processes: 1, limits: { memoryMb: 1024 } });
    const copy = await copyOf(path, cache);
    const questions = [
      question(1, 'SELECT count(*) FROM "odd one"'),
      question(2, 'SELECT id FROM "odd one" ORDER BY id DESC'),
      question(3, "SELECT strftime('%Y', day) FROM \"odd one\""),
      question(4, 'SELECT quote(day) FROM "odd one"'),
      question(5, 'SELECT CAST(mixed AS INTEGER) FROM "odd one"'),
      question(6, "SELECT 0.1 + 0.2"),
      question(7, 'SELECT mixed FROM "odd one"'),
    ];
    let seen = 0;
    const found = await compareDialects(
      questions,
      { sqlite: { executor: sqlite, path }, duckdb: { executor: duckdb, path: copy } },
      () => seen++,
    );
    expect(found).toMatchObject({ gold: 7, agree: 3, differ: 2, not_translated: 1, errors: 1 });
    expect(seen).toBe(7);
    const why = (id: number) => found.reasons.find(({ question_id }) => question_id === id)?.why;
    expect(why(3)).toBeUndefined();
    expect(why(4)).toMatch(/^(Binder|Catalog) Error/);
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
      /database +gold +agree +differ +not understood +errors +SQLite +DuckDB\nbakery +\d+/,
    );
  });
});
