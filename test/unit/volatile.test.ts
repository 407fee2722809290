import { describe, expect, it } from "vitest";
import { volatileParts } from "#lse/bird/sql/volatile.js";

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
