/** What a query that fails on a name may have meant: where a column is and how to get there, or the nearest name. */
import { nearest } from "../lib/nearest.js";
import { unquoted } from "./ddl.js";
import { joinsTo, missingColumn, NAME, type Names, same } from "./names.js";

/** A column that more tables have is not looked for. */
const MOST_PLACES = 3;

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
  const column = missingColumn(error);
  if (column === null) return "";
  const { owner, name: wrong } = column;
  const used = usedTables(sql, names);
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
export interface Used {
  readonly table: string;
  readonly alias: string;
}

/** "superpower has it (JOIN …)": with the way there, over at most one more table, if foreign keys know it. */
function whereIs(table: string, used: readonly Used[], { columns, keys }: Names): string {
  const there = used.find((own) => own.table === table);
  if (there !== undefined) return `${table} has it (${there.alias}.…)`;
  const direct = used.flatMap((own) => joinsTo(table, own, keys))[0];
  if (direct !== undefined) return `${table} has it (${direct.text})`;
  for (const between of columns.keys()) {
    const first = used.flatMap((own) => joinsTo(between, own, keys))[0];
    const second = joinsTo(table, { table: between, alias: between }, keys)[0];
    if (first !== undefined && second !== undefined) return `${table} has it (${first.text} ${second.text})`;
  }
  return `${table} has it`;
}

/** Words of SQL that may come after a table. */
const NO_ALIAS =
  "ON|WHERE|JOIN|INNER|OUTER|LEFT|RIGHT|FULL|CROSS|NATURAL|USING|GROUP|HAVING|WINDOW|ORDER|LIMIT|OFFSET|UNION|INTERSECT|EXCEPT";

/** The tables that a query names after FROM and JOIN, with their aliases. */
export function usedTables(sql: string, { columns }: Names): Used[] {
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
