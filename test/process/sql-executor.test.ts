import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { DatabaseSync } from "@photostructure/sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeSchema } from "#lse/bird/schema.js";
import { SqlExecutor, type SqlResult, sameRows } from "#lse/bird/sql/executor.js";
import { LseError } from "#lse/errors.js";
import { HOSTILE_STATEMENTS } from "./hostile-statements.js";

const COUNT = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)";
const ENDLESS = `${COUNT} SELECT count(*) FROM c`;
const onLinux = process.platform === "linux";

const root = mkdtempSync(join(tmpdir(), "lse-sql-"));
const [data, cwd, temp] = ["data", "cwd", "temp"].map((name) => join(root, name)) as [string, string, string];
const database = join(data, "heroes?#% é.sqlite");
const before = { cwd: process.cwd(), TMPDIR: process.env.TMPDIR };

beforeAll(() => {
  for (const folder of [data, cwd, temp]) mkdirSync(folder);
  // The children inherit both: a file they leave behind shows up here.
  process.chdir(cwd);
  process.env.TMPDIR = temp;
  const db = new DatabaseSync(database);
  db.exec(`
    CREATE TABLE hero(id INTEGER PRIMARY KEY, name TEXT, height REAL);
    CREATE INDEX hero_name ON hero(name);
    CREATE VIEW tall AS SELECT * FROM hero WHERE height > 100;
    CREATE VIEW loaded AS SELECT load_extension('evil');
    CREATE TABLE broken(name);
    INSERT INTO broken VALUES (CAST(x'ff41' AS TEXT)), ('fine');
  `);
  for (let id = 1; id <= 30; id++) {
    db.exec(`INSERT INTO hero VALUES (${id}, 'hero ${id}', ${id * 10}.5)`);
  }
  db.exec("CREATE TRIGGER grow AFTER INSERT ON hero BEGIN UPDATE hero SET height = 0; END");
  db.close();
});

afterAll(() => {
  process.chdir(before.cwd);
  if (before.TMPDIR === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = before.TMPDIR;
  rmSync(root, { recursive: true });
});

const sha = () => createHash("sha256").update(readFileSync(database)).digest("hex");
const files = () => [data, cwd, temp].map((folder) => readdirSync(folder).sort());

/** The SQL processes of a process, from /proc. */
function workers(parent = process.pid): number[] {
  const status = (pid: string, file: string) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, "latin1");
    } catch {
      return "";
    }
  };
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid) && status(pid, "status").includes(`\nPPid:\t${parent}\n`))
    .filter((pid) => status(pid, "cmdline").includes("worker.js"))
    .map(Number);
}

function alive(pid: number): boolean {
  try {
    return !/\nState:\t[ZX]/.test(readFileSync(`/proc/${pid}/status`, "latin1"));
  } catch {
    return false;
  }
}

/** Follows the highest resident set of every SQL process of this process, in MB. */
function watchMemory(): { stop: () => number } {
  let peak = 0;
  let pids: number[] = [];
  const look = setInterval(() => {
    for (const pid of pids) {
      try {
        const kb = /\nVmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
        peak = Math.max(peak, Number(kb ?? 0) / 1024);
      } catch {
        // It has just ended.
      }
    }
  }, 4);
  const find = setInterval(() => {
    pids = workers();
  }, 40);
  return {
    stop: () => {
      clearInterval(look);
      clearInterval(find);
      return peak;
    },
  };
}

function rows(result: SqlResult): Extract<SqlResult, { ok: true }> {
  if (!result.ok) throw new Error(`${result.kind}: ${result.error}`);
  return result;
}

async function withExecutor<T>(
  options: ConstructorParameters<typeof SqlExecutor>[0],
  use: (executor: SqlExecutor) => Promise<T>,
): Promise<T> {
  const executor = new SqlExecutor(options);
  try {
    return await use(executor);
  } finally {
    await executor[Symbol.asyncDispose]();
  }
}

test("statements that only read run, and their rows are Python's", async () => {
  const cases: [string, string][] = [
    ["SELECT 1", "[(1,)]"],
    ["  select 1 ; -- done\n/* yes */ ", "[(1,)]"],
    ["; SELECT 1", "[(1,)]"],
    ["VALUES (1, 'a'), (2, NULL)", "[(1, 'a'), (2, None)]"],
    ["WITH a AS (SELECT 2.0 AS x) SELECT x FROM a", "[(2.0,)]"],
    ["SELECT ';', '--', '/*' -- ;", "[(';', '--', '/*')]"],
    ["SELECT 'a  \n b'", "[('a  \\n b',)]"],
    ['SELECT id FROM hero WHERE name = "hero 7"', "[(7,)]"],
    ["SELECT count(*) FROM tall", "[(21,)]"],
    ["SELECT 9007199254740993, -9223372036854775808", "[(9007199254740993, -9223372036854775808)]"],
    ["SELECT 1e999, -1e999, 1e20, x'', NULL", "[(inf, -inf, 1e+20, b'', None)]"],
    ["SELECT 'a' || char(0) || 'b'", "[('a\\x00b',)]"],
    ["SELECT char(65533), '\uFFFD'", "[('\uFFFD', '\uFFFD')]"],
    ["SELECT '\uFFFD', x'ff', 1.5, 2, NULL;", "[('\uFFFD', b'\\xff', 1.5, 2, None)]"],
    ["SELECT CAST(x'efbbbf41' AS TEXT)", "[('\\ufeffA',)]"],
    ["SELECT id FROM hero WHERE 0", "[]"],
    ["SELECT name FROM sqlite_master WHERE type = 'view' ORDER BY 1", "[('loaded',), ('tall',)]"],
    ["SELECT name FROM pragma_table_info('hero')", "[('id',), ('name',), ('height',)]"],
    ["SELECT value FROM json_each('[1, \"b\"]')", "[(1,), ('b',)]"],
    ["SELECT id AS a, id AS a FROM hero LIMIT 1", "[(1, 1)]"],
  ];
  await withExecutor({ processes: 1 }, async (executor) => {
    for (const [sql, preview] of cases) {
      expect(rows(await executor.execute(database, sql)).preview, sql).toBe(preview);
    }
  });
});

test("hands over the first rows and the names of columns, where they are asked for", async () => {
  await withExecutor({ processes: 1 }, async (executor) => {
    const sql = "SELECT id, name AS 'the name', height FROM hero ORDER BY id";
    const fetched = await executor.fetch(database, sql, 2);
    expect(fetched).toMatchObject({
      ok: true,
      rows: 30,
      table: {
        columns: ["id", "the name", "height"],
        rows: [
          [1n, "hero 1", 10.5],
          [2n, "hero 2", 20.5],
        ],
      },
    });
    expect(fetched).toMatchObject({ digest: rows(await executor.execute(database, sql)).digest });
    expect(await executor.fetch(database, "SELECT nothing", 2)).toMatchObject({ ok: false });
  });
});

test("EX compares sets of rows", async () => {
  await withExecutor({ processes: 1 }, async (executor) => {
    const same = async (a: string, b: string) =>
      sameRows(await executor.execute(database, a), await executor.execute(database, b));
    expect(await same("SELECT id FROM hero", "SELECT id * 1.0 FROM hero ORDER BY id DESC")).toBe(true);
    expect(await same("SELECT 1", "SELECT 1 FROM hero")).toBe(true);
    expect(await same("SELECT 1 WHERE 0", "SELECT 1, 2 WHERE 0")).toBe(true);
    expect(await same("SELECT 1", "SELECT '1'")).toBe(false);
    expect(await same("SELECT x'61'", "SELECT 'a'")).toBe(false);
    expect(await same("SELECT 1, 2", "SELECT 2, 1")).toBe(false);
    expect(await same("SELECT 9007199254740993", "SELECT 9007199254740992.0")).toBe(false);
    expect(await same("SELECT nope", "SELECT nope")).toBe(false);
  });
});

test("no hostile statement harms anything", { timeout: 180_000 }, async () => {
  expect(new Set(HOSTILE_STATEMENTS.map(({ sql }) => sql)).size).toBe(HOSTILE_STATEMENTS.length);
  expect(HOSTILE_STATEMENTS.length).toBeGreaterThanOrEqual(200);
  const [bytes, listing] = [sha(), files()];
  if (!onLinux) console.log("Memory of killed processes is not checked: there is no /proc here");
  const memory = onLinux ? watchMemory() : null;
  const wrong: unknown[] = [];
  const kinds = new Map<string, number>();
  let slowest = 0;
  await withExecutor({ processes: 1, limits: { timeoutMs: 400 } }, async (executor) => {
    for (const { sql, expect: expected, timeoutMs = 400 } of HOSTILE_STATEMENTS) {
      const result = await executor.execute(database, sql, { timeoutMs });
      const seen = { sql: sql.slice(0, 120), expected, result };
      if (result.ok || !expected.includes(result.kind) || result.error.length < 10) wrong.push(seen);
      if (result.seconds > timeoutMs / 1000 + 1) wrong.push({ slow: seen });
      if (sha() !== bytes) wrong.push({ written: seen });
      if (result.ok) continue;
      kinds.set(result.kind, (kinds.get(result.kind) ?? 0) + 1);
      if (result.kind === "timeout") slowest = Math.max(slowest, result.seconds - timeoutMs / 1000);
      if (!["timeout", "memory", "crashed"].includes(result.kind)) continue;
      const good = await executor.execute(database, "SELECT count(*) FROM hero", { timeoutMs: 5000 });
      if (!good.ok || good.preview !== "[(30,)]") wrong.push({ after: seen, good });
    }
    expect(rows(await executor.execute(database, "SELECT count(*) FROM hero")).preview).toBe("[(30,)]");
  });
  const peakMb = memory?.stop() ?? 0;
  console.log(HOSTILE_STATEMENTS.length, "statements", Object.fromEntries(kinds), { peakMb, slowest });
  expect(wrong).toEqual([]);
  expect(files()).toEqual(listing);
  expect(peakMb).toBeLessThan(512);
});

describe("limits", () => {
  test("the time limit does not run in the queue", async () => {
    await withExecutor({ processes: 2 }, async (executor) => {
      const busy =
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 300000) SELECT count(*) FROM c";
      const one = rows(await executor.execute(database, busy)).seconds;
      const start = performance.now();
      const timeoutMs = Math.max(500, one * 8000);
      const results = await Promise.all(
        Array.from({ length: 20 }, () => executor.execute(database, busy, { timeoutMs })),
      );
      expect(results.every(({ ok }) => ok)).toBe(true);
      expect((performance.now() - start) / 1000).toBeGreaterThan(one * 2);
      const mixed = await Promise.all([
        executor.execute(database, ENDLESS, { timeoutMs: 600 }),
        executor.execute(database, ENDLESS, { timeoutMs: 600 }),
        executor.execute(database, "SELECT 1", { timeoutMs: 300 }),
      ]);
      expect(mixed.map((result) => (result.ok ? "ok" : result.kind))).toEqual(["timeout", "timeout", "ok"]);
    });
  });

  test("rows and memory have their own limits for one statement", async () => {
    await withExecutor({ processes: 1 }, async (executor) => {
      const few = await executor.execute(database, "SELECT * FROM hero", { maxRows: 29 });
      expect(few).toMatchObject({ ok: false, kind: "too-many-rows" });
      expect(await executor.execute(database, "SELECT * FROM hero", { maxRows: 30 })).toMatchObject({
        rows: 30,
      });
      const large = "SELECT length(hex(zeroblob(50000000)))";
      expect(await executor.execute(database, large)).toMatchObject({ ok: false, kind: "memory" });
      const roomy = await executor.execute(database, large, { memoryMb: 2048, timeoutMs: null });
      expect(rows(roomy).preview).toBe("[(100000000,)]");
      await expect(executor.execute(database, "SELECT 1", { memoryMb: 100 })).rejects.toThrow(RangeError);
    });
  });

  test("a process left large by one statement does not hurt the next", async () => {
    await withExecutor({ processes: 1 }, async (executor) => {
      const some = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 40000)";
      const sorting = `${some} SELECT x, randomblob(2000) FROM c ORDER BY 2`;
      for (let run = 0; run < 2; run++) {
        expect(rows(await executor.execute(database, sorting)).peakRssMb).toBeGreaterThan(180);
      }
    });
  });
});

describe("processes", () => {
  test.skipIf(!onLinux)("one that crashes is replaced", async () => {
    await withExecutor({ processes: 1 }, async (executor) => {
      rows(await executor.execute(database, "SELECT 1"));
      const [pid] = workers();
      const running = executor.execute(database, ENDLESS);
      process.kill(pid as number, "SIGSEGV");
      expect(await running).toMatchObject({ ok: false, kind: "crashed" });
      rows(await executor.execute(database, "SELECT 1"));
      expect(workers()).not.toContain(pid);
      const [idle] = workers();
      process.kill(idle as number, "SIGKILL");
      await sleep(200);
      rows(await executor.execute(database, "SELECT 1"));
    });
  });

  test.skipIf(!onLinux)("Ctrl-C is left to the parent", async () => {
    await withExecutor({ processes: 1 }, async (executor) => {
      rows(await executor.execute(database, "SELECT 1"));
      for (const pid of workers()) process.kill(pid, "SIGINT");
      await sleep(100);
      expect(workers()).toHaveLength(1);
      rows(await executor.execute(database, "SELECT 1"));
    });
  });

  test.skipIf(!onLinux)("none is left after disposal, and what was waiting fails", async () => {
    const executor = new SqlExecutor({ processes: 2 });
    const pending = [1, 2, 3].map(() => executor.execute(database, ENDLESS));
    await sleep(400);
    const pids = workers();
    expect(pids).toHaveLength(2);
    await executor[Symbol.asyncDispose]();
    expect(pids.filter(alive)).toEqual([]);
    for (const result of await Promise.all(pending)) expect(result).toMatchObject({ kind: "crashed" });
    await expect(executor.execute(database, "SELECT 1")).rejects.toThrow("closed");
  });

  /** Starts a program that uses the executor. */
  function program(code: string) {
    const file = join(root, "program.mjs");
    const url = import.meta.resolve("#lse/bird/sql/executor.js");
    writeFileSync(file, `import { SqlExecutor } from ${JSON.stringify(url)};\n${code}`);
    return spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"] });
  }

  test.skipIf(!onLinux)("all end when their parent is killed", async () => {
    const parent = program(`
      const executor = new SqlExecutor({ processes: 2 });
      await executor.execute(${JSON.stringify(database)}, "SELECT 1");
      executor.execute(${JSON.stringify(database)}, ${JSON.stringify(ENDLESS)}, { timeoutMs: null });
      await executor.execute(${JSON.stringify(database)}, "SELECT 1");
      setTimeout(() => console.log("ready"), 300);
    `);
    await new Promise((resolve) => parent.stdout.once("data", resolve));
    const pids = workers(parent.pid);
    expect(pids).toHaveLength(2);
    parent.kill("SIGKILL");
    const start = performance.now();
    while (pids.some(alive) && performance.now() - start < 5000) await sleep(20);
    expect(pids.filter(alive)).toEqual([]);
    expect(performance.now() - start).toBeLessThan(2000);
  });

  test("an idle one does not keep a program from ending", async () => {
    const forgetful = program(`
      const executor = new SqlExecutor();
      console.log((await executor.execute(${JSON.stringify(database)}, "SELECT 1")).preview);
    `);
    let output = "";
    forgetful.stdout.on("data", (text) => {
      output += text;
    });
    const code = await new Promise((resolve) => forgetful.once("close", resolve));
    expect({ code, output }).toEqual({ code: 0, output: "[(1,)]\n" });
  });
});

describe("the database", () => {
  test("a file that cannot be used is named in an error", async () => {
    const noDatabase = join(root, "notes.sqlite");
    writeFileSync(noDatabase, "These are only notes. ".repeat(100));
    const unfinished = join(root, "unfinished.sqlite");
    writeFileSync(unfinished, readFileSync(database));
    writeFileSync(`${unfinished}-wal`, "x");
    const link = join(root, "link.sqlite");
    symlinkSync(unfinished, link);
    await withExecutor({ processes: 1 }, async (executor) => {
      for (const file of [join(root, "missing.sqlite"), noDatabase, root, unfinished, link]) {
        const error = await executor.execute(file, "SELECT 1").catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(LseError);
        expect((error as LseError).message).toContain(file);
      }
      rows(await executor.execute(database, "SELECT 1"));
    });
  });

  test("a changed file is read anew, and one in WAL mode leaves no file behind", async () => {
    const folder = mkdtempSync(join(root, "wal-"));
    const file = join(folder, "wal.sqlite");
    const write = (sql: string) => {
      const db = new DatabaseSync(file);
      db.exec(sql);
      db.close();
    };
    write("PRAGMA journal_mode = WAL; CREATE TABLE t(a); INSERT INTO t VALUES (1)");
    await withExecutor({ processes: 1 }, async (executor) => {
      expect(rows(await executor.execute(file, "SELECT a FROM t")).preview).toBe("[(1,)]");
      expect(readdirSync(folder)).toEqual(["wal.sqlite"]);
      write("UPDATE t SET a = 2");
      expect(rows(await executor.execute(file, "SELECT a FROM t")).preview).toBe("[(2,)]");
    });
  });

  test("names like the program's own or SQLite's lists hide nothing, and no view is computed to list them", async () => {
    const file = join(root, "names.sqlite");
    const db = new DatabaseSync(file);
    const doubling = Array.from(
      { length: 40 },
      (_, i) => `CREATE VIEW v${i + 1} AS SELECT * FROM v${i} UNION ALL SELECT * FROM v${i};`,
    );
    db.exec(`CREATE TABLE lse_exact (lse_0 TEXT); INSERT INTO lse_exact VALUES ('a' || char(0) || 'b');
      CREATE VIEW pragma_table_list AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)
        SELECT count(*) AS name FROM c;
      CREATE VIEW v0 AS SELECT 1; ${doubling.join(" ")}
      CREATE VIEW today AS SELECT date('now') AS day; CREATE VIEW "it""s" AS SELECT day FROM today;
      CREATE VIRTUAL TABLE words USING fts5(a); CREATE TABLE words_node (a)`);
    db.close();
    await withExecutor({ processes: 1 }, async (executor) => {
      for (const end of ["", " -- open", " /* open"])
        expect(rows(await executor.execute(file, `SELECT lse_0 FROM lse_exact${end}`)).preview).toBe(
          "[('a\\x00b',)]",
        );
      expect(rows(await executor.execute(file, "SELECT a FROM words_node")).volatile).toEqual([]);
      expect(rows(await executor.execute(file, 'SELECT * FROM "IT""S"')).volatile).toEqual(["'now'"]);
    });
    expect(describeSchema(file, new Map()).match(/CREATE TABLE \w+/g)).toEqual([
      "CREATE TABLE lse_exact",
      "CREATE TABLE words",
      "CREATE TABLE words_node",
    ]);
  });

  test("many databases take turns", async () => {
    await withExecutor({ processes: 1 }, async (executor) => {
      const copies = Array.from({ length: 12 }, (_, index) => join(root, `copy-${index}.sqlite`));
      for (const copy of copies) writeFileSync(copy, readFileSync(database));
      for (let turn = 0; turn < 2; turn++) {
        for (const copy of copies) rows(await executor.execute(copy, "SELECT * FROM hero"));
      }
    });
  });
});

test("the program of the processes lies where the executor looks for it", () => {
  const executor = fileURLToPath(import.meta.resolve("#lse/bird/sql/executor.js"));
  expect(readdirSync(join(executor, ".."))).toContain("worker.js");
});
