/** What a query that fails on a name may have meant: where a column is, or the nearest name there is. */
import { nearest } from "../lib/nearest.js";
import { unquoted } from "./ddl.js";

/** The columns of each table, by its name. */
export type Tables = ReadonlyMap<string, readonly string[]>;

/** A name, quoted in one of SQL's ways or not. */
const NAME = /"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|[\p{L}_][\p{L}\p{N}_$]*/u;
const TABLE = new RegExp(
  `CREATE\\s+TABLE\\s+(?:IF\\s+NOT\\s+EXISTS\\s+)?((?:(?:${NAME.source})\\s*\\.\\s*)?(?:${NAME.source}))\\s*\\(`,
  "giu",
);
const COLUMN = new RegExp(`^\\s*(${NAME.source})`, "u");
const CONSTRAINT = /^\s*(CONSTRAINT|CHECK|PRIMARY|UNIQUE|FOREIGN)\b/i;

/** The tables of a schema as prompts show it: CREATE TABLE statements, a column a line. */
export function tablesOf(schema: string): Tables {
  const tables = new Map<string, string[]>();
  for (const { 1: name = "", index, 0: head } of schema.matchAll(TABLE)) {
    const end = schema.indexOf("\n);", index);
    const body = schema.slice(index + head.length, end < 0 ? undefined : end);
    const lines = body.split("\n").filter((line) => !CONSTRAINT.test(line) && !/^\s*--/.test(line));
    const columns = lines.flatMap((line) => COLUMN.exec(line)?.[1] ?? []).map(unquoted);
    tables.set(unquoted(name), columns);
  }
  return tables;
}

/**
 * What to say to a model whose query failed on a name, such as "superhero has no column power_name; superpower has
 * one."; empty where the message is about something else.
 */
export function nameHint(error: string, sql: string, tables: Tables): string {
  const table = /no such table: ([^\s]+)|Table with name (\S+) does not exist/.exec(error);
  if (table !== null) {
    const wrong = unquoted((table[1] ?? table[2] ?? "").replace(/^main\./, ""));
    const meant = nearest(wrong, [...tables.keys()]);
    return `There is no table ${wrong}${meant === undefined ? "" : `; the nearest name is ${meant}`}. The tables are ${[...tables.keys()].join(", ")}.`;
  }
  const column =
    /no such column: (?:(.+)\.)?(.+?)$/m.exec(error) ??
    /Table "(.+?)" does not have a column named "(.+?)"/.exec(error) ??
    /Referenced (column) "(.+?)" not found/.exec(error);
  if (column === null) return "";
  const wrong = unquoted(column[2] ?? "");
  const owner = column[1] === undefined || column[1] === "column" ? undefined : unquoted(column[1]);
  const named = owner === undefined ? undefined : tableOf(owner, sql, tables);
  const isIn = [...tables]
    .filter(([, columns]) => columns.some((name) => same(name, wrong)))
    .map(([name]) => name);
  const place =
    named === undefined ? "There is" : `${named}${same(named, owner ?? "") ? "" : ` (${owner})`} has`;
  const others = isIn.filter((name) => name !== named);
  if (others.length > 0)
    return `${place} no column ${wrong} here; it is in ${others.join(" and in ")}: join that table.`;
  const near = named === undefined ? [...new Set([...tables.values()].flat())] : (tables.get(named) ?? []);
  const meant = nearest(wrong, near);
  const all =
    named === undefined ? "" : ` The columns of ${named} are ${(tables.get(named) ?? []).join(", ")}.`;
  return `${place} no column ${wrong}${meant === undefined ? "" : `; the nearest name is ${meant}`}.${all}`;
}

/** The table that a name in a query stands for: itself, or what has this alias. */
function tableOf(name: string, sql: string, tables: Tables): string | undefined {
  const own = [...tables.keys()].find((table) => same(table, name));
  if (own !== undefined) return own;
  const aliases = new RegExp(`(?:FROM|JOIN|,)\\s+(${NAME.source})(?:\\s+AS)?\\s+(${NAME.source})`, "giu");
  for (const [, table = "", alias = ""] of sql.matchAll(aliases))
    if (same(unquoted(alias), name)) return [...tables.keys()].find((known) => same(known, unquoted(table)));
  return undefined;
}

const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();
