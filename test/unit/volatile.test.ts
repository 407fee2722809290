import { describe, expect, it } from "vitest";
import { volatileParts, volatilePartsWith } from "#lse/bird/sql/volatile.js";

describe("what makes a result change by itself", () => {
  it.each([
    ["SELECT date('now')", ["'now'"]],
    ['SELECT strftime("%Y", "NOW") - year FROM t', ['"NOW"']],
    ["SELECT CURRENT_DATE", ["CURRENT_DATE"]],
    ["SELECT current_timestamp > day FROM t", ["current_timestamp"]],
    ["SELECT date(), datetime( /* */ ), julianday()", ["date()", "datetime()", "julianday()"]],
    ["SELECT strftime('%Y')", ["strftime()"]],
    ["SELECT * FROM t ORDER BY RANDOM() LIMIT 1", ["RANDOM()"]],
    ["SELECT hex(randomblob(4))", ["randomblob()"]],
    ["SELECT now(), today(), uuid()", ["now()", "today()", "uuid()"]],
    ["SELECT age(born) FROM t", ["age()"]],
    ["SELECT * FROM t USING SAMPLE 3", ["USING SAMPLE"]],
    ["SELECT * FROM t TABLESAMPLE 10%", ["TABLESAMPLE"]],
  ])("%s", (sql, parts) => expect(volatileParts(sql)).toEqual(parts));

  it.each([
    "SELECT date(day), strftime('%Y', day), datetime(day, '+1 day') FROM t",
    "SELECT 'now or never', \"random\", date FROM t -- random()",
    "SELECT age(a, b) /* now() */ FROM t",
    "SELECT DATE '2024-01-02' FROM t WHERE now = 1",
    "SELECT max(time) FROM t JOIN u USING (sample)",
  ])("nothing: %s", (sql) => expect(volatileParts(sql)).toEqual([]));
});

describe("what makes a result differ from one time to the next", () => {
  it.each([
    "SELECT random()",
    'SELECT "random"()',
    "SELECT `Random` ()",
    "SELECT [random] /* of */ ()",
    "SELECT unixepoch('subsec')",
    "SELECT datetime('Now', '-1 day')",
    "SELECT date()",
    "SELECT strftime('%Y')",
    "SELECT ago(INTERVAL 1 DAY)",
    "SELECT txid_current()",
    "SELECT age(born) FROM t",
    "FROM t USING SAMPLE 3",
  ])("%s is named", (sql) => expect(volatileParts(sql)).toHaveLength(1));

  it.each([
    "SELECT date(day), strftime('%Y', day), time FROM t WHERE note = 'now and then'",
    "SELECT random, [date], `uuid` FROM t -- random()",
    "SELECT '\"random\"()'",
    "SELECT [random(), 1] FROM t".replace("random()", "age(a, b)"),
  ])("%s is not", (sql) => expect(volatileParts(sql)).toEqual([]));

  it("is found behind views and macros, by whatever spelling of their names", () => {
    const definitions = [
      { name: "My View", sql: "CREATE VIEW x AS SELECT * FROM inner_one" },
      { name: "inner_one", sql: "CREATE VIEW x AS SELECT CURRENT_DATE" },
      { name: 'a"b', sql: "CREATE VIEW x AS SELECT random()" },
      { name: "loop", sql: "CREATE VIEW loop AS SELECT * FROM loop" },
    ];
    for (const sql of ['SELECT * FROM "my view"', "SELECT * FROM [MY VIEW]", "SELECT * FROM Inner_One, loop"])
      expect(volatilePartsWith(sql, definitions), sql).toEqual(["CURRENT_DATE"]);
    expect(volatilePartsWith('SELECT * FROM "a""b"', definitions)).toEqual(["random()"]);
    expect(volatilePartsWith("SELECT * FROM inner_ones", definitions)).toEqual([]);
  });
});
