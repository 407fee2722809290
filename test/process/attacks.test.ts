import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { DatabaseSync } from "@photostructure/sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type SqlEngine, SqlExecutor, type SqlResult } from "#lse/bird/sql/executor.js";
import { uniformStream } from "#lse/lib/random.js";

/** Statements for each engine; LSE_ATTACKS multiplies them. */
const STATEMENTS = 10_000 * Number(process.env.LSE_ATTACKS ?? 1);
const SEED = 17;

const folder = mkdtempSync(join(tmpdir(), "lse-attacks-"));
const FILES = { sqlite: join(folder, "world.sqlite"), duckdb: join(folder, "world.duckdb") };
const OUTSIDE = join(folder, "outside.txt");
const SCHEMA = [
  "CREATE TABLE city (id INTEGER, name TEXT, people INTEGER, area DOUBLE)",
  "INSERT INTO city VALUES (1, 'Lima', 10, 2.5), (2, 'Oslo', 7, NULL), (3, 'Rome', 4, 1.25)",
  "CREATE TABLE visit (city INTEGER, day TEXT)",
  "INSERT INTO visit VALUES (1, '2024-01-02'), (1, '2024-02-03'), (3, '2023-05-06')",
  "CREATE VIEW large AS SELECT name FROM city WHERE people > 5",
];
/** Names of the functions of each engine. */
const functions: { [engine in SqlEngine]: string[] } = { sqlite: [], duckdb: [] };

beforeAll(async () => {
  writeFileSync(OUTSIDE, "not to be read");
  const sqlite = new DatabaseSync(FILES.sqlite);
  for (const sql of SCHEMA) sqlite.exec(sql);
  const own = sqlite.prepare("SELECT DISTINCT name FROM pragma_function_list").all() as { name: string }[];
  functions.sqlite = own.map(({ name }) => name).sort();
  sqlite.close();
  const instance = await DuckDBInstance.create(FILES.duckdb);
  const connection = await instance.connect();
  for (const sql of SCHEMA) await connection.run(sql);
  const names = await connection.runAndReadAll("SELECT DISTINCT function_name FROM duckdb_functions()");
  functions.duckdb = names
    .getRows()
    .map(([name]) => String(name))
    .filter((name) => /^\w+$/.test(name))
    .sort();
  connection.closeSync();
  instance.closeSync();
});
afterAll(() => rmSync(folder, { recursive: true }));

const QUERIES = [
  "SELECT name, people FROM city WHERE area > 1 ORDER BY people DESC LIMIT 2",
  "SELECT c.name, count(*) FROM city c JOIN visit v ON v.city = c.id GROUP BY c.name HAVING count(*) > 1",
  "WITH t(x) AS (SELECT max(people) FROM city) SELECT name FROM city, t WHERE people = t.x",
  "SELECT substr(day, 1, 4), count(DISTINCT city) FROM visit GROUP BY 1 UNION ALL SELECT name, id FROM city",
  "SELECT CASE WHEN people IN (SELECT people FROM city) THEN 'a' ELSE \"b\" END FROM large, city",
  "SELECT rank() OVER (PARTITION BY id ORDER BY people), CAST(area AS INTEGER) FROM city /* all */ -- of them",
];
const WORDS =
  "SELECT INSERT UPDATE DELETE DROP CREATE ALTER ATTACH DETACH COPY EXPORT IMPORT PRAGMA SET RESET LOAD INSTALL CALL BEGIN COMMIT ROLLBACK VACUUM ANALYZE CHECKPOINT EXPLAIN DESCRIBE SHOW USE PREPARE EXECUTE DEALLOCATE REINDEX REPLACE PIVOT UNPIVOT SUMMARIZE INTO VALUES FROM WHERE WITH RECURSIVE TABLE VIEW MACRO SECRET TEMP INDEX TRIGGER AS ON OR AND NOT NULL TO LIMIT UNION ALL RETURNING * ( ) , ; . = ' \" ` [ ] -- /* */ ? $1 :a ::INTEGER {".split(
    " ",
  );
const VALUES = [
  "NULL",
  "0",
  "1",
  "-1",
  "2.5",
  "1e308",
  "9223372036854775807",
  "''",
  "'a'",
  "'%'",
  "'2024-01-02'",
  "'now'",
  "'{\"a\": [1]}'",
  "'SELECT 1'",
  "'DROP TABLE city'",
  "x'00ff'",
  "'city'",
  `'${OUTSIDE}'`,
  `'${join(folder, "written.txt")}'`,
  "name",
  "(SELECT 1)",
  "[1, 2]",
  "char(0)",
  "zeroblob(1000)",
];
const HOSTILE = [
  "DROP TABLE city",
  "DELETE FROM city",
  "UPDATE city SET people = 0",
  "INSERT INTO city SELECT * FROM city",
  "CREATE TABLE evil AS SELECT 1",
  "CREATE TEMP TABLE city AS SELECT 1 AS people",
  "CREATE TEMP VIEW large AS SELECT 1",
  `ATTACH '${join(folder, "written.db")}' AS other`,
  `COPY city TO '${join(folder, "written.csv")}'`,
  `EXPORT DATABASE '${join(folder, "written")}'`,
  `VACUUM INTO '${join(folder, "written.db")}'`,
  "PRAGMA writable_schema = ON",
  "PRAGMA case_sensitive_like = ON",
  "PRAGMA journal_mode = DELETE",
  "SET threads = 1",
  "SET GLOBAL TimeZone = 'Asia/Tokyo'",
  "SET VARIABLE a = 1",
  "CREATE MACRO count(x) AS 0",
  "BEGIN",
  "CHECKPOINT",
  "INSTALL httpfs",
  `SELECT * FROM '${OUTSIDE}'`,
  "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 100000) SELECT count(*) FROM c",
];

/** A statement that is wrong, hostile or odd in one of many ways, or right. */
function attack(below: (most: number) => number, engine: SqlEngine): string {
  const one = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const call = () =>
    `${one(functions[engine])}(${Array.from({ length: below(4) }, () => one(VALUES)).join(", ")})`;
  const tokens = () => one(QUERIES).split(/\b/);
  switch (below(9)) {
    case 0:
      return `SELECT ${call()}`;
    case 1:
      return `SELECT ${call()} FROM city WHERE ${call()} ${one(["=", "IS", "<", "LIKE"])} ${one(VALUES)}`;
    case 2:
      return `SELECT * FROM ${call()}`;
    case 3: {
      const text = tokens();
      for (let i = 0; i <= below(3); i++) text.splice(below(text.length), below(3), ` ${one(WORDS)} `);
      return text.join("");
    }
    case 4: {
      const text = one(QUERIES);
      const at = below(text.length);
      return text.slice(0, at) + String.fromCodePoint(below(0x2000)) + text.slice(at + 1);
    }
    case 5:
      return Array.from({ length: 1 + below(12) }, () => one([...WORDS, ...VALUES, "city"])).join(" ");
    case 6:
      return one([
        () => one(HOSTILE),
        () => `${one(QUERIES)}; ${one(HOSTILE)}`,
        () => `/* */ ${one(HOSTILE)} --`,
        () => `WITH x AS (${one(HOSTILE)}) SELECT * FROM x`,
        () => `SELECT (${one(HOSTILE)})`,
      ])();
    case 7:
      return engine === "sqlite"
        ? `SELECT * FROM pragma_${one(["table_info", "journal_mode", "function_list", "cache_size"])}(${one(VALUES)})`
        : `SELECT * FROM duckdb_${one(["settings", "secrets", "logs", "tables", "columns", "memory"])}()`;
    default:
      return one(QUERIES);
  }
}

const hashOf = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");

describe.each(["sqlite", "duckdb"] as const)("%s", (engine) => {
  it(`${STATEMENTS} statements change no file, no later verdict, and end in one line`, async () => {
    const uniform = uniformStream(SEED);
    const below = (most: number) => Math.floor(most * uniform());
    const path = FILES[engine];
    const before = hashOf(path);
    const memoryMb = engine === "duckdb" ? 1024 : 256;
    await using executor = new SqlExecutor({ engine, processes: 2, limits: { memoryMb, timeoutMs: 400 } });
    const digests = async () =>
      (await Promise.all(QUERIES.map((sql) => executor.execute(path, sql, { timeoutMs: 20_000 })))).map(
        (result) => (result.ok ? result.digest : result.error),
      );
    const right = await digests();
    const kinds: Record<string, number> = {};
    const AT_ONCE = 200;
    for (let done = 0; done < STATEMENTS; done += AT_ONCE) {
      const statements = Array.from({ length: AT_ONCE }, () => attack(below, engine));
      const results = await Promise.all(statements.map((sql) => executor.execute(path, sql)));
      for (const [i, result] of results.entries()) {
        const kind = kindOf(result);
        kinds[kind] = (kinds[kind] ?? 0) + 1;
        if (!result.ok) expect(result.error, statements[i]).not.toMatch(/\n\s+at |\[object/);
      }
      expect(await digests()).toEqual(right);
    }
    console.log(engine, kinds);
    // The child process itself never crashes, and every way to fail occurs.
    expect(kinds.crashed).toBeUndefined();
    expect(Object.keys(kinds)).toEqual(expect.arrayContaining(["ok", "refused", "syntax", "runtime"]));
    expect(hashOf(path)).toBe(before);
    expect(readdirSync(folder).sort()).toEqual(["outside.txt", "world.duckdb", "world.sqlite"]);
  }, 600_000);
});

const kindOf = (result: SqlResult) => (result.ok ? "ok" : result.kind);
