import { expect, it } from "vitest";
import { tableNotes } from "#lse/bird/ddl.js";

const SQL = `CREATE TABLE "odd (one" ( -- of the shop
  id INTEGER PRIMARY KEY, -- the number
  -- what the customer
  -- sees
  "state, now" TEXT DEFAULT 'a, b (' CHECK ("state, now" IN ('new', 'paid)')), /* set
    by hand */
  [größe] REAL CHECK(größe > 0) check (größe
    < 9),
  plain TEXT,
  CONSTRAINT later CHECK (id > 0 OR plain IS NULL), -- always
  FOREIGN KEY (plain) REFERENCES other (id)
) STRICT`;

it("CHECK conditions and comments are found beside their columns, whatever is quoted", () => {
  const { columns, checks } = tableNotes(SQL);
  expect(Object.fromEntries(columns)).toEqual({
    id: { checks: [], comment: "of the shop the number" },
    "state, now": {
      checks: [`CHECK ("state, now" IN ('new', 'paid)'))`],
      comment: "what the customer sees set by hand",
    },
    größe: { checks: ["CHECK (größe > 0)", "CHECK (größe < 9)"], comment: "" },
    plain: { checks: [], comment: "" },
  });
  expect(checks).toEqual(["CHECK (id > 0 OR plain IS NULL)"]);
});

it("a comment that is long is cut, and a long condition is left out", () => {
  const { columns } = tableNotes(
    `CREATE TABLE t (a /* ${"x".repeat(300)} */ CHECK (a <> '${"y".repeat(300)}'))`,
  );
  expect(columns.get("a")).toEqual({ checks: [], comment: `${"x".repeat(200)}…` });
});

it.each([
  "",
  "CREATE TABLE",
  "CREATE TABLE t (a, 'b",
  "))((",
  "CREATE VIRTUAL TABLE t USING fts5(a, b)",
])("never fails: %j", (sql) => expect(tableNotes(sql).checks).toEqual([]));
