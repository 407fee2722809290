/** The names of a database: its tables, their columns and foreign keys; and how messages and queries write them. */
import { unquoted } from "./ddl.js";

/** A foreign key of one column. */
export interface Key {
  readonly table: string;
  readonly column: string;
  readonly toTable: string;
  readonly toColumn: string;
}

/** The names of a database. */
export interface Names {
  /** The columns of each table, by its name. */
  readonly columns: ReadonlyMap<string, readonly string[]>;
  readonly keys: readonly Key[];
}

/** No names, for tasks whose models know no hints. */
export const NO_NAMES: Names = { columns: new Map(), keys: [] };

/** A name, quoted in one of SQL's ways (\x60 is the backtick) or not. */
export const NAME = String.raw`(?:"(?:[^"]|"")*"|\x60[^\x60]*\x60|\[[^\][]*\]|[\p{L}_][\p{L}\p{N}_$]*)`;
const TABLE = new RegExp(
  String.raw`CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?((?:${NAME}\s*\.\s*)?${NAME})\s*\(`,
  "giu",
);
const COLUMN = new RegExp(String.raw`^\s*(${NAME})`, "u");
const CONSTRAINT = /^\s*(CONSTRAINT|CHECK|PRIMARY|UNIQUE|FOREIGN)\b/i;
const REFERENCE = String.raw`REFERENCES\s+(${NAME})\s*(?:\(\s*(${NAME})\s*\))?`;
const FOREIGN_KEY = new RegExp(String.raw`FOREIGN\s+KEY\s*\(\s*(${NAME})\s*\)\s*${REFERENCE}`, "iu");
const COLUMN_KEY = new RegExp(String.raw`^\s*(${NAME})\s[^,']*?\b${REFERENCE}`, "iu");
const PRIMARY_KEY = new RegExp(
  String.raw`PRIMARY\s+KEY\s*\(\s*(${NAME})|^\s*(${NAME})\s[^,']*?\bPRIMARY\s+KEY`,
  "iu",
);

/** The names in a schema as prompts show it: CREATE TABLE statements, a column or a constraint a line. */
export function namesOf(schema: string): Names {
  const columns = new Map<string, string[]>();
  const primary = new Map<string, string>();
  const keys: (Omit<Key, "toColumn"> & { readonly toColumn: string | undefined })[] = [];
  for (const { 1: quoted = "", index, 0: head } of schema.matchAll(TABLE)) {
    const end = schema.indexOf("\n);", index);
    const lines = schema.slice(index + head.length, end < 0 ? undefined : end).split("\n");
    const table = unquoted(quoted);
    const own = lines.filter((line) => !CONSTRAINT.test(line) && !/^\s*--/.test(line));
    columns.set(table, own.flatMap((line) => COLUMN.exec(line)?.[1] ?? []).map(unquoted));
    for (const line of lines) {
      const [, first, own = first] = PRIMARY_KEY.exec(line) ?? [];
      if (own !== undefined && !primary.has(table)) primary.set(table, unquoted(own));
      const [, column, to, toColumn] = FOREIGN_KEY.exec(line) ?? COLUMN_KEY.exec(line) ?? [];
      if (column === undefined || to === undefined) continue;
      keys.push({ table, column: unquoted(column), toTable: unquoted(to), toColumn });
    }
  }
  return {
    columns,
    keys: keys.flatMap(({ toTable: named, toColumn, ...key }) => {
      const toTable = [...columns.keys()].find((table) => same(table, named)) ?? named;
      // Without a column the primary key is meant.
      const meant =
        toColumn === undefined ? (primary.get(toTable) ?? columns.get(toTable)?.[0]) : unquoted(toColumn);
      return meant === undefined ? [] : [{ ...key, toTable, toColumn: meant }];
    }),
  };
}

/** A column that an engine did not find, as its message has it; null if the message is about something else. */
export function missingColumn(
  error: string,
): { readonly owner: string | undefined; readonly name: string } | null {
  const found =
    /no such column: (?:(.+)\.)?(.+?)$/m.exec(error) ??
    /Table "(.+?)" does not have a column named "(.+?)"/.exec(error) ??
    /Referenced column()? "(.+?)" not found/.exec(error);
  if (found === null) return null;
  const [, owner, name = ""] = found;
  return { owner: owner === undefined ? undefined : unquoted(owner), name: unquoted(name) };
}

export const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();

/** A name as SQL reads it, in quotes where it needs them. */
export const sqlName = (name: string) =>
  /^[A-Za-z_]\w*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;

/** A join to a table, as SQL. */
export interface Join {
  readonly table: string;
  readonly text: string;
}

/** The joins from a table of a query to another one: one for each foreign key of either. */
export function joinsTo(
  table: string,
  from: { readonly table: string | undefined; readonly alias: string },
  keys: readonly Key[],
): Join[] {
  const to = sqlName(table);
  const alias = sqlName(from.alias);
  return keys.flatMap((key) => {
    const [column, toColumn] = [sqlName(key.column), sqlName(key.toColumn)];
    if (key.table === from.table && key.toTable === table)
      return [{ table, text: `JOIN ${to} ON ${alias}.${column} = ${to}.${toColumn}` }];
    if (key.table === table && key.toTable === from.table)
      return [{ table, text: `JOIN ${to} ON ${to}.${column} = ${alias}.${toColumn}` }];
    return [];
  });
}
