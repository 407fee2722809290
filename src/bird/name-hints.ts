/** What a query that fails on a name may have meant: where a column is and how to get there, or the nearest name. */
import { nearest } from "../lib/nearest.js";
import { unquoted } from "./ddl.js";

/** A foreign key of one column. */
interface Key {
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

/** A column that more tables have is not looked for. */
const MOST_PLACES = 3;

/** A name, quoted in one of SQL's ways (\x60 is the backtick) or not. */
const NAME = String.raw`(?:"(?:[^"]|"")*"|\x60[^\x60]*\x60|\[[^\][]*\]|[\p{L}_][\p{L}\p{N}_$]*)`;
const TABLE = new RegExp(
  String.raw`CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?((?:${NAME}\s*\.\s*)?${NAME})\s*\(`,
  "giu",
);
const COLUMN = new RegExp(String.raw`^\s*(${NAME})`, "u");
const CONSTRAINT = /^\s*(CONSTRAINT|CHECK|PRIMARY|UNIQUE|FOREIGN)\b/i;
const FOREIGN_KEY = new RegExp(
  String.raw`FOREIGN\s+KEY\s*\(\s*(${NAME})\s*\)\s*REFERENCES\s+(${NAME})\s*(?:\(\s*(${NAME})\s*\))?`,
  "iu",
);

/** The names in a schema as prompts show it: CREATE TABLE statements, a column or a constraint a line. */
export function namesOf(schema: string): Names {
  const columns = new Map<string, string[]>();
  const keys: (Omit<Key, "toColumn"> & { readonly toColumn: string | undefined })[] = [];
  for (const { 1: quoted = "", index, 0: head } of schema.matchAll(TABLE)) {
    const end = schema.indexOf("\n);", index);
    const lines = schema.slice(index + head.length, end < 0 ? undefined : end).split("\n");
    const table = unquoted(quoted);
    const own = lines.filter((line) => !CONSTRAINT.test(line) && !/^\s*--/.test(line));
    columns.set(table, own.flatMap((line) => COLUMN.exec(line)?.[1] ?? []).map(unquoted));
    for (const line of lines) {
      const [, column, to, toColumn] = FOREIGN_KEY.exec(line) ?? [];
      if (column === undefined || to === undefined) continue;
      keys.push({ table, column: unquoted(column), toTable: unquoted(to), toColumn });
    }
  }
  return {
    columns,
    // Without a column the key is meant, which nearly always comes first.
    keys: keys.flatMap(({ toColumn, ...key }) => {
      const meant = toColumn === undefined ? columns.get(key.toTable)?.[0] : unquoted(toColumn);
      return meant === undefined ? [] : [{ ...key, toColumn: meant }];
    }),
  };
}

/**
 * What to say to a model whose query failed on a name, such as "hero_power (T2) has no column power_name: superpower has
 * it (JOIN superpower ON T2.power_id = superpower.id)."; empty where the message is about something else.
 */
export function nameHint(error: string, sql: string, names: Names): string {
  const tables = [...names.columns.keys()];
  const table = /no such table: (.+)|Table with name (\S+) does not exist/.exec(error);
  if (table !== null) {
    const wrong = unquoted((table[1] ?? table[2] ?? "").replace(/^main\./, ""));
    const meant = nearest(wrong, tables);
    return `There is no table ${wrong}${meant === undefined ? "" : `; the nearest name is ${meant}`}. The tables are ${tables.join(", ")}.`;
  }
  const column =
    /no such column: (?:(.+)\.)?(.+?)$/m.exec(error) ??
    /Table "(.+?)" does not have a column named "(.+?)"/.exec(error) ??
    /Referenced column()? "(.+?)" not found/.exec(error);
  if (column === null) return "";
  const wrong = unquoted(column[2] ?? "");
  const used = usedTables(sql, names);
  const owner = column[1] === undefined ? undefined : unquoted(column[1]);
  const named =
    owner === undefined
      ? undefined
      : used.find(({ alias, table }) => same(alias, owner) || same(table, owner));
  const isIn = tables.filter((name) => names.columns.get(name)?.some((each) => same(each, wrong)));
  const place =
    named === undefined
      ? "There is"
      : `${named.table}${same(named.alias, named.table) ? "" : ` (${named.alias})`} has`;
  if (named !== undefined && isIn.includes(named.table)) {
    // Only a part of the query that is nested deeper, or beside this one, has that table.
    if (same(named.alias, owner ?? ""))
      return `${named.alias} is not known there: only the part of the query that names it after FROM or JOIN can use its columns.`;
    return `${named.table} is called ${named.alias} in this query: write ${named.alias}.${wrong}.`;
  }
  const others = isIn.filter((name) => name !== named?.table);
  // Every table may have an id: then the place of one says nothing.
  if (others.length > MOST_PLACES) return `${place} no column ${wrong}.`;
  if (others.length > 0)
    return `${place} no column ${wrong}: ${others.map((name) => whereIs(name, used, names)).join("; ")}.`;
  const near =
    named === undefined
      ? [...new Set([...names.columns.values()].flat())]
      : (names.columns.get(named.table) ?? []);
  const meant = nearest(wrong, near);
  const all = named === undefined ? "" : ` The columns of ${named.table} are ${near.join(", ")}.`;
  return `${place} no column ${wrong}${meant === undefined ? "" : `; the nearest name is ${meant}`}.${all}`;
}

/** A table of a query, and what the query calls it. */
interface Used {
  readonly table: string;
  readonly alias: string;
}

/** "superpower has it (JOIN …)": with the way there, over at most one more table, if foreign keys know it. */
function whereIs(table: string, used: readonly Used[], { keys }: Names): string {
  const there = used.find((own) => own.table === table);
  if (there !== undefined) return `${table} has it (${there.alias}.…)`;
  const direct = used.flatMap((own) => joinOf(own, table, keys) ?? [])[0];
  if (direct !== undefined) return `${table} has it (${direct})`;
  const between = keys.flatMap((key) =>
    key.table === table ? [key.toTable] : key.toTable === table ? [key.table] : [],
  );
  for (const middle of between)
    for (const own of used) {
      const first = joinOf(own, middle, keys);
      const second = joinOf({ table: middle, alias: middle }, table, keys);
      if (first !== undefined && second !== undefined) return `${table} has it (${first} ${second})`;
    }
  return `${table} has it`;
}

/** The join from a table of the query to another one, by a foreign key of either. */
function joinOf({ table, alias }: Used, other: string, keys: readonly Key[]): string | undefined {
  for (const key of keys) {
    const to = sqlName(other);
    if (key.table === table && key.toTable === other)
      return `JOIN ${to} ON ${sqlName(alias)}.${sqlName(key.column)} = ${to}.${sqlName(key.toColumn)}`;
    if (key.table === other && key.toTable === table)
      return `JOIN ${to} ON ${to}.${sqlName(key.column)} = ${sqlName(alias)}.${sqlName(key.toColumn)}`;
  }
  return undefined;
}

/** Words of SQL that may come after a table. */
const NO_ALIAS =
  "ON|WHERE|JOIN|INNER|OUTER|LEFT|RIGHT|FULL|CROSS|NATURAL|USING|GROUP|HAVING|WINDOW|ORDER|LIMIT|OFFSET|UNION|INTERSECT|EXCEPT";

/** The tables that a query names after FROM and JOIN, with their aliases. */
function usedTables(sql: string, { columns }: Names): Used[] {
  const known = new Map([...columns.keys()].map((name) => [name.toLowerCase(), name]));
  const named = new RegExp(
    String.raw`(?:FROM|JOIN|,)\s+(${NAME})(?:\s+(?:AS\s+)?(?!(?:${NO_ALIAS})\b)(${NAME}))?`,
    "giu",
  );
  return [...sql.matchAll(named)].flatMap(([, name = "", alias]) => {
    const table = known.get(unquoted(name).toLowerCase());
    return table === undefined ? [] : [{ table, alias: alias === undefined ? table : unquoted(alias) }];
  });
}

const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();

const sqlName = (name: string) => (/^[A-Za-z_]\w*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`);
