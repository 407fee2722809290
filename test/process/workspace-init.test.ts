import { existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { DuckDBInstance } from "@duckdb/node-api";
import { DatabaseSync } from "@photostructure/sqlite";
import { afterAll, describe, expect, it } from "vitest";
import { Workspace } from "#lse/workspace/folder.js";
import { initFolder } from "#lse/workspace/init.js";
import { lse } from "../cli.js";
import { BAKERY, scratch, sqlite } from "../workspace-folder.js";

const folder = scratch();
const { path } = folder;
afterAll(folder.remove);

const GB = 2 ** 30;
const init = (databases: string[], to: string, prompts: "sql" | "mini" = "sql") =>
  initFolder({ databases, folder: path(to), prompts, model: {} });
const schema = (to: string) => readFileSync(path(to, "schema.sql"), "utf8");

describe("lse init", () => {
  it("writes the schema as prompts show it, a configuration and questions to fill in", () => {
    const database = sqlite(path("bakery.sqlite"), BAKERY);
    const { status, stdout } = lse("init", database, "--to", path("bakery"), "--model", path("model.gguf"));
    expect(status).toBe(0);
    expect(stdout).toContain("schema.sql: 1 table,");
    expect(schema("bakery")).toMatch(
      /^CREATE TABLE cakes \(\n.*name text, -- example: \['Sacher', 'Linzer'\]/s,
    );
    expect(JSON.parse(readFileSync(path("bakery", "lse.json"), "utf8"))).toEqual({
      database: "../bakery.sqlite",
      engine: "sqlite",
      prompts: "sql",
      model: { path: "../model.gguf" },
    });
    expect(readFileSync(path("bakery", "questions.yaml"), "utf8")).toMatch(
      /^# Questions about bakery\.sqlite\./,
    );
    const own = Workspace.open(path("bakery"));
    expect([own.databasePath, own.models().model]).toEqual([database, { path: path("model.gguf") }]);
  });

  it("overwrites nothing, and leaves nothing where it fails", async () => {
    const database = sqlite(path("again.sqlite"), BAKERY);
    mkdirSync(path("again"));
    writeFileSync(path("again", "questions.yaml"), "mine");
    await expect(init([database], "again")).rejects.toThrow(
      /questions\.yaml exists already\. Choose another folder/,
    );
    expect(existsSync(path("again", "lse.json"))).toBe(false);
    await expect(init([path("nothing.sqlite")], "never")).rejects.toThrow(/nothing\.sqlite: no such file/);
    expect(existsSync(path("never"))).toBe(false);
  });

  it("shows the embedded models the words they know, in the order of the tables", async () => {
    const database = sqlite(
      path("pets.sqlite"),
      "CREATE TABLE visits (visit_id, pet_id); CREATE TABLE pets (pet_id, age)",
    );
    await init([database], "pets", "mini");
    expect(schema("pets")).toBe("visits ( visit_id pet_id )\npets ( pet_id age )\n");
  });

  it("virtual tables of modules that SQLite lacks are left out, and named on one line", () => {
    const database = sqlite(path("modules.sqlite"), BAKERY);
    const db = new DatabaseSync(database, { defensive: false });
    db.exec(`PRAGMA writable_schema = ON; INSERT INTO sqlite_master
      VALUES ('table', 'od' || char(10) || 'd', 'od' || char(10) || 'd', 0, 'CREATE VIRTUAL TABLE "od\nd" USING nosuch(a)')`);
    db.close();
    const { status, stdout } = lse("init", database, "--to", path("modules"));
    expect(status).toBe(0);
    expect(stdout).toContain(
      "od d cannot be read (no such module: nosuch): it was left out of the schema.\n",
    );
    expect(schema("modules").match(/CREATE/g)).toHaveLength(1);
  });

  it("views are shown as they were made", async () => {
    const database = sqlite(
      path("views.sqlite"),
      `${BAKERY}; CREATE VIEW dear AS SELECT name FROM cakes WHERE price > 400`,
    );
    expect(await init([database], "views")).toMatchObject({ tables: 2 });
    expect(schema("views")).toContain("CREATE VIEW dear AS SELECT name FROM cakes WHERE price > 400;");
  });

  it("names with quotes, blanks and letters of any script come back from the schema", async () => {
    const odd = path(`Kü"che 'x' 数据#?.sqlite`);
    const database = sqlite(
      odd,
      `CREATE TABLE "Küche ""groß""" ("naïve 'x'" TEXT, "数 量" INTEGER, "order" REAL);
      INSERT INTO "Küche ""groß""" VALUES ('ß', 1, 2.5)`,
    );
    await init([database], "ö 数");
    const copy = new DatabaseSync(":memory:");
    copy.exec(schema("ö 数"));
    expect(copy.prepare("SELECT name FROM sqlite_master").get()).toEqual({ name: 'Küche "groß"' });
    expect(copy.prepare(`SELECT name FROM pragma_table_info('Küche "groß"')`).all()).toEqual(
      ["naïve 'x'", "数 量", "order"].map((name) => ({ name })),
    );
    copy.close();
    expect(Workspace.open(path("ö 数")).databasePath).toBe(odd);
  });

  it("a schema with very many columns is shown without examples, which is said", () => {
    const columns = Array.from({ length: 300 }, (_, i) => `a_rather_long_name_of_column_number_${i} TEXT`);
    const values = columns.map((_, i) => `'a value of some length in column ${i}'`);
    const database = sqlite(
      path("wide.sqlite"),
      `CREATE TABLE wide (${columns}); INSERT INTO wide VALUES (${values})`,
    );
    const { stdout } = lse("init", database, "--to", path("wide"));
    expect(stdout).toContain("The schema has no example values, because it is long already.");
    expect(schema("wide")).toContain("a_rather_long_name_of_column_number_299 text\n");
    expect(schema("wide")).not.toContain("example:");
  });

  it("a file of 3 GB is not read, and what it will cost is said", async () => {
    const database = sqlite(path("large.sqlite"), BAKERY);
    truncateSync(database, 3 * GB);
    const { status, stdout } = lse("init", database, "--to", path("large"));
    expect(status).toBe(0);
    expect(stdout).toContain("The database has 3.0 GB: each `lse evolve` reads it once");
    const before = process.memoryUsage().rss;
    await init([database], "large too");
    expect(process.memoryUsage().rss - before).toBeLessThan(GB / 4);
  });

  it.each([
    [
      "no database at all",
      (file: string) => writeFileSync(file, "hello, this is a letter"),
      /neither a SQLite nor a DuckDB database\. Give one of these/,
    ],
    [
      "nothing in it",
      (file: string) => writeFileSync(file, ""),
      /this database has no tables\. Fill it first/,
    ],
    [
      "only the beginning of one",
      (file: string) => writeFileSync(file, "SQLite format 3\0 and so on"),
      /cannot be opened: file is not a database/,
    ],
    ["a folder", (file: string) => mkdirSync(file), /not a file\. Give the path of the database file itself/],
  ])("%s is refused in one line", (_, make, message) => {
    const file = path(`bad-${Math.random()}.sqlite`);
    make(file);
    const { status, stderr } = lse("init", file, "--to", path("bad"));
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(existsSync(path("bad"))).toBe(false);
  });

  it("a database that another process has locked is read, unless changes are not in it yet; nothing appears beside it", () => {
    const database = sqlite(path("locked.sqlite"), `${BAKERY}; CREATE VIEW lost AS SELECT * FROM gone`);
    const beside = () => readdirSync(path()).filter((name) => name.startsWith("locked.sqlite"));
    const db = new DatabaseSync(database);
    db.exec("BEGIN EXCLUSIVE");
    expect(lse("init", database, "--to", path("locked"))).toMatchObject({ status: 0 });
    expect(schema("locked")).not.toContain("lost");
    const insert = "INSERT INTO cakes VALUES (4, 'Esterházy', 480)";
    db.exec(insert);
    expect(lse("init", database, "--to", path("locked 2")).stderr).toMatch(
      /has changes that are not yet in it .*-journal/,
    );
    db.exec(`ROLLBACK; PRAGMA journal_mode = WAL; ${insert}`);
    expect(lse("init", database, "--to", path("locked 2")).stderr).toMatch(
      /has changes that are not yet in it .*-wal/,
    );
    db.close();
    expect(lse("init", database, "--to", path("locked 2")).status).toBe(0);
    expect(beside()).toEqual(["locked.sqlite"]);
  });
});

describe("DuckDB and files of tables", () => {
  it("CSV and Parquet files become tables named like them", async () => {
    writeFileSync(path("or ders.csv"), "order id,amount\n1,10.5\n2,3\n");
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    await connection.run(
      `COPY (SELECT 'Ann' AS name, DATE '1990-01-02' AS born) TO '${path("people.parquet")}'`,
    );
    connection.closeSync();
    instance.closeSync();
    await init([path("or ders.csv"), path("people.parquet")], "imported");
    expect(schema("imported")).toContain(
      'CREATE TABLE "or ders" (\n    "order id" bigint, -- example: [1, 2]\n',
    );
    expect(schema("imported")).toContain("    born date -- example: ['1990-01-02']");
    expect(Workspace.open(path("imported")).config).toMatchObject({
      engine: "duckdb",
      database: "data.duckdb",
    });
  });

  it("a DuckDB file is used as it is, with keys, keywords and views", async () => {
    const file = path("shop.duckdb");
    const instance = await DuckDBInstance.create(file);
    const connection = await instance.connect();
    await connection.run(`CREATE TABLE "end" (id INTEGER PRIMARY KEY, "größe" DOUBLE);
      CREATE TABLE parts (id INTEGER, "end" INTEGER REFERENCES "end"(id)); CREATE VIEW big AS SELECT * FROM parts`);
    connection.closeSync();
    instance.closeSync();
    expect(await init([file], "shop")).toMatchObject({ engine: "duckdb", tables: 3 });
    expect(schema("shop")).toContain(
      'CREATE TABLE "end" (\n    id integer,\n    "größe" double,\n    PRIMARY KEY (id)\n);',
    );
    expect(schema("shop")).toContain('FOREIGN KEY ("end") REFERENCES "end" (id)');
    expect(schema("shop")).toContain("CREATE VIEW big AS SELECT * FROM parts;");
  });

  it("a DuckDB file that another program has open is refused", async () => {
    const file = path("open.duckdb");
    const instance = await DuckDBInstance.create(file);
    const connection = await instance.connect();
    await connection.run("CREATE TABLE t (x INTEGER); CHECKPOINT");
    const { status, stderr } = lse("init", file, "--to", path("open"));
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/open\.duckdb cannot be opened: .*lock.*that no other program writes to it\.\n$/),
    ]);
    connection.closeSync();
    instance.closeSync();
    expect(lse("init", file, "--to", path("open")).status).toBe(0);
  });

  it("two at once in a folder: one makes the workspace, the other says so", async () => {
    writeFileSync(path("twice.csv"), "x\n1\n");
    const both = await Promise.allSettled([0, 1].map(() => init([path("twice.csv")], "twice")));
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const refused = both.find((each) => each.status === "rejected");
    expect(String(refused?.reason)).toMatch(/twice: `lse init` works here/);
    expect(readdirSync(path("twice")).sort()).toEqual([
      ...["data.duckdb", "lse.json", "questions.yaml", "schema.sql"],
    ]);
  });

  it("importing leaves a file alone that is named as if it were half of the database", async () => {
    mkdirSync(path("halved"));
    writeFileSync(path("halved", "data.duckdb.part"), "mine");
    writeFileSync(path("few.csv"), "x\n1\n");
    await init([path("few.csv")], "halved");
    expect(readdirSync(path("halved")).sort()).toEqual([
      ...["data.duckdb", "data.duckdb.part", "lse.json", "questions.yaml", "schema.sql"],
    ]);
    expect(readFileSync(path("halved", "data.duckdb.part"), "utf8")).toBe("mine");
  });

  it.each([
    [["a.csv", "b/a.parquet"], /two of the files would become the table "a"/],
    [["broken.parquet"], /broken\.parquet: cannot be imported/],
    [
      ["a.csv", "bakery.sqlite"],
      /2 files, and not all of them are tables\. .*\.csv, \.tsv, .*\.jsonl.* or \.parquet/,
    ],
  ])("%j is refused", async (names, message) => {
    mkdirSync(path("b"), { recursive: true });
    for (const name of ["a.csv", "b/a.parquet", "broken.parquet"]) writeFileSync(path(name), "x\n1\n");
    await expect(
      init(
        names.map((name) => path(name)),
        "refused",
      ),
    ).rejects.toThrow(message);
    expect(existsSync(path("refused", "lse.json"))).toBe(false);
    expect(existsSync(path("refused", "data.duckdb"))).toBe(false);
  });
});
