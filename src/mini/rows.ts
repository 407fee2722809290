/** Fills a miniature database with rows and writes it as a SQLite file. */
import { DatabaseSync } from "@photostructure/sqlite";
import type { ColumnContent, MiniDatabase } from "./database.js";
import { Draw } from "./draw.js";
import { keyOf, YEARS } from "./vocabulary.js";

type Value = string | number | null;

/** The rows of every table, values in the order of its columns. They depend on the address alone. */
export function makeRows(database: MiniDatabase): Map<string, Value[][]> {
  const draw = new Draw("mini rows", database.split, database.seed);
  const sizes = new Map(database.tables.map(({ name, rows }) => [name, rows]));
  return new Map(
    database.tables.map(({ name, columns, rows }) => [
      name,
      Array.from({ length: rows }, (_, row) =>
        columns.map(({ content }) => makeValue(content, row + 1, sizes, draw)),
      ),
    ]),
  );
}

function makeValue(
  content: ColumnContent,
  key: number,
  sizes: ReadonlyMap<string, number>,
  draw: Draw,
): Value {
  switch (content.kind) {
    case "key":
      return key;
    case "link":
      return draw.integer(1, sizes.get(content.table) ?? 1);
    case "choice":
      return unquoted(draw.pick(content.values));
    case "number":
      return draw.integer(content.low, content.high);
    case "flag":
      return draw.chance(0.4) ? 1 : 0;
    case "amount":
      return content.step * draw.integer(content.low, content.high);
    case "date":
      return makeDate(draw, content.yearFirst);
    case "optional date":
      return draw.chance(0.4) ? null : makeDate(draw, true);
  }
}

/** `2021-03-09`, or `09-03-2021`. */
function makeDate(draw: Draw, yearFirst: boolean): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const parts = [unquoted(draw.pick(YEARS)), two(draw.integer(1, 12)), two(draw.integer(1, 28))];
  return (yearFirst ? parts : parts.reverse()).join("-");
}

const unquoted = (literal: string) => literal.slice(1, -1);

/** The type of each kind of column in SQLite. */
export function typeOf({ kind }: ColumnContent): "INTEGER" | "TEXT" | "DATE" {
  if (kind === "date" || kind === "optional date") return "DATE";
  return kind === "choice" ? "TEXT" : "INTEGER";
}

/** Writes the database as an SQLite file, which must not exist yet, or into memory with ":memory:". */
export function writeDatabase(database: MiniDatabase, path: string): InstanceType<typeof DatabaseSync> {
  const db = new DatabaseSync(path);
  const rows = makeRows(database);
  db.exec("BEGIN");
  for (const { name, columns, parents } of database.tables) {
    const lines = [
      ...columns.map((column) => {
        const key = column.content.kind === "key" ? " PRIMARY KEY" : "";
        return `${column.name} ${typeOf(column.content)}${key}`;
      }),
      ...parents.map((parent) => `FOREIGN KEY (${keyOf(parent)}) REFERENCES ${parent} (${keyOf(parent)})`),
    ];
    db.exec(`CREATE TABLE ${name} (${lines.join(", ")})`);
    const insert = db.prepare(`INSERT INTO ${name} VALUES (${columns.map(() => "?").join(", ")})`);
    for (const row of rows.get(name) ?? []) insert.run(...row);
  }
  db.exec("COMMIT");
  return db;
}
