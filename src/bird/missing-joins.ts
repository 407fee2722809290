/**
 * Adds joins that a query lacks. A column of a table that is not joined is the most frequent fault of small models, and
 * foreign keys often leave one way only to mend it.
 */
import { type Join, joinsTo, missingColumn, type Names, same, sqlName } from "./names.js";
import { type Column, type Select, type Source, selectsOf } from "./selects.js";

/**
 * A query with what the column needs that an engine did not find: the right table before it or, where the query does not
 * have that table, a join to it over one or two foreign keys. Null where the message is of another kind, where keys know
 * no way or more than one, and where a join would change which columns are returned.
 * @param error what the engine says of the query
 */
export function addMissingJoin(sql: string, error: string, names: Names): string | null {
  const missing = missingColumn(error);
  if (missing === null) return null;
  const isMissing = ({ owner, name }: Column) =>
    same(name.text, missing.name) && same(owner?.text ?? "", missing.owner ?? "");
  for (const select of selectsOf(sql, names) ?? []) {
    const places = select.columns.filter(isMissing);
    if (places.length > 0 && !places.some((place) => isKnown(place, select, names)))
      return new Mending(sql, select, places, names).mended();
  }
  return null;
}

const hasColumn = ({ columns }: Names, table: string | undefined, name: string): boolean =>
  table !== undefined && columns.get(table)?.some((column) => same(column, name)) === true;

/** Whether the SELECT or one around it has the column, or may have it from a subquery. */
function isKnown(column: Column, select: Select | undefined, names: Names): boolean {
  if (select === undefined) return false;
  const { owner, name } = column;
  const isNamed = (alias: string) => owner === undefined || same(alias, owner.text);
  const isHere = select.sources.some(({ table, alias }) =>
    table === undefined
      ? isNamed(alias) || alias === ""
      : isNamed(alias) && hasColumn(names, table, name.text),
  );
  return isHere || isKnown(column, select.outer, names);
}

/** Text in place of a part of a query. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Joins from a table of the query to one that has the column. */
interface Way {
  readonly from: Source;
  readonly joins: readonly Join[];
}

/** One column that a SELECT does not have, in all of its places there. */
class Mending {
  readonly #owner: string | undefined;
  readonly #name: string;

  constructor(
    private readonly sql: string,
    private readonly select: Select,
    private readonly places: readonly Column[],
    private readonly names: Names,
  ) {
    const [{ owner, name }] = places as [Column];
    this.#owner = owner?.text;
    this.#name = name.text;
  }

  mended(): string | null {
    const having = this.select.sources.filter(({ table }) => hasColumn(this.names, table, this.#name));
    // A table that the query calls by another name.
    const renamed = having.filter(({ table = "" }) => same(table, this.#owner ?? ""));
    const [there, ...others] = renamed.length > 0 ? renamed : having;
    if (others.length > 0 || this.#isAmbiguous() || this.places.some((place) => this.#isOwnKey(place)))
      return null;
    return there === undefined ? this.#joined() : this.#requalified(there.alias);
  }

  #requalified(alias: string): string | null {
    const returned = (column: Column) =>
      column.part === "select" && same(column.name.text, this.#name) && same(column.owner?.text ?? "", alias);
    const isTwice = this.select.columns.some(returned) && this.places.some(({ part }) => part === "select");
    return isTwice ? null : this.#edited(this.#qualified(alias));
  }

  /** Whether an alias of a returned column may be meant in ORDER BY and the like. */
  #isAmbiguous(): boolean {
    return this.#owner === undefined && this.select.aliases.some((alias) => same(alias, this.#name));
  }

  /** Whether the column would tie the very table that the condition joins: without it nothing would. */
  #isOwnKey({ owner, name, part }: Column): boolean {
    if (owner === undefined || (part !== "from" && part !== "condition")) return false;
    const joined = this.select.sources.findLast(({ start }) => start < name.span.start);
    return joined !== undefined && same(joined.alias, owner.text);
  }

  #joined(): string | null {
    const { sources, star, end, hasOddJoins } = this.select;
    const way = this.#onlyWay();
    if (star || hasOddJoins || way === null) return null;
    if (way.joins.some(({ table }) => isTaken(table, this.select))) return null;
    const others = this.#unambiguous(way.joins);
    if (others === null) return null;
    // Right after the table that it comes from, so that the conditions of later joins may name it.
    const next = sources[sources.indexOf(way.from) + 1];
    const position = next?.start ?? end;
    const isBefore = ({ name, part }: Column) =>
      (part === "from" || part === "condition") && name.span.start < position;
    if (this.places.some(isBefore)) return null;
    const text = way.joins.map((join) => `${way.from.isLeft ? "LEFT " : ""}${join.text}`).join(" ");
    return this.#edited([
      ...this.#qualified((way.joins.at(-1) as Join).table),
      ...others,
      {
        start: position,
        end: position,
        text: /\s/.test(this.sql[position - 1] ?? "") ? `${text} ` : ` ${text}`,
      },
    ]);
  }

  /** Over one key if there is such a way, else over two; from the table that the query meant, if one leads from there. */
  #onlyWay(): Way | null {
    const { columns, keys } = this.names;
    const owner = this.#owner ?? "";
    const meant = this.select.sources.find(({ alias }) => same(alias, owner));
    const unnamed = [...columns.keys()].find((table) => same(table, owner));
    const isWanted = (table: string) => meant !== undefined || unnamed === undefined || table === unnamed;
    const wanted = [...columns.keys()].filter(
      (table) => isWanted(table) && hasColumn(this.names, table, this.#name),
    );
    const known = this.select.sources.filter(({ table }) => table !== undefined);
    const to = (from: Pick<Source, "table" | "alias">) =>
      wanted.flatMap((table) => joinsTo(table, from, keys));
    const short = known.flatMap((from) => to(from).map((join) => ({ from, joins: [join] })));
    const between = [...columns.keys()].filter(
      (table) => !wanted.includes(table) && !known.some((source) => source.table === table),
    );
    const long = () =>
      known.flatMap((from) =>
        between
          .flatMap((table) => joinsTo(table, from, keys))
          .flatMap((first) =>
            to({ table: first.table, alias: first.table }).map((second) => ({
              from,
              joins: [first, second],
            })),
          ),
      );
    const ways = short.length > 0 ? short : long();
    const ofMeant = ways.filter(({ from }) => from === meant);
    const [way, ...others] = ofMeant.length > 0 ? ofMeant : ways;
    return way === undefined || others.length > 0 ? null : way;
  }

  #qualified(alias: string): Edit[] {
    return this.places.map((place) => this.#qualify(place, alias));
  }

  /** Tables before other columns, which the new tables have as well; null where one may mean something else. */
  #unambiguous(joins: readonly Join[]): Edit[] | null {
    const { columns, sources, aliases } = this.select;
    const places = new Set(this.places);
    const edits: Edit[] = [];
    for (const column of columns) {
      const name = column.name.text;
      if (column.owner !== undefined || places.has(column)) continue;
      if (!joins.some(({ table }) => hasColumn(this.names, table, name))) continue;
      const [own, ...others] = sources.filter(({ table }) => hasColumn(this.names, table, name));
      const isAlias = column.part !== "select" && aliases.some((alias) => same(alias, name));
      if (own === undefined || others.length > 0 || isAlias) return null;
      edits.push(this.#qualify(column, own.alias));
    }
    return edits;
  }

  #qualify({ owner, name }: Column, alias: string): Edit {
    const text = `${sqlName(alias)}.${sqlName(name.text)}`;
    return { start: (owner ?? name).span.start, end: name.span.end, text };
  }

  /** Null where two sides of a comparison would become the same. */
  #edited(edits: readonly Edit[]): string | null {
    const parts: string[] = [];
    let done = 0;
    for (const { start, end, text } of [...edits].sort((a, b) => a.start - b.start)) {
      parts.push(this.sql.slice(done, start), text);
      done = end;
    }
    const sql = [...parts, this.sql.slice(done)].join("");
    return TAUTOLOGY.test(sql) && !TAUTOLOGY.test(this.sql) ? null : sql;
  }
}

/** A column that is compared with itself. */
const TAUTOLOGY = /(?<![\w."])([\w"]+\.[\w"]+) ?(?:[=<>]|!=|<>|<=|>=) ?\1(?![\w."])/;

/** Whether the SELECT or one around it calls a table so. */
const isTaken = (name: string, select: Select | undefined): boolean =>
  select !== undefined &&
  (select.sources.some(({ alias }) => same(alias, name)) || isTaken(name, select.outer));
