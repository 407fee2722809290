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

/** Whether the SELECT or one around it has the column. */
function isKnown(column: Column, select: Select | undefined, names: Names): boolean {
  if (select === undefined) return false;
  const { owner, name } = column;
  const isHere = select.sources.some(
    ({ table, alias }) =>
      (owner === undefined || same(alias, owner.text)) && hasColumn(names, table, name.text),
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
    if (there !== undefined) return others.length > 0 ? null : this.#edited(this.#qualified(there.alias));
    return this.#joined();
  }

  #joined(): string | null {
    const { sources, star, end } = this.select;
    const way = this.#onlyWay();
    if (star || way === null) return null;
    if (way.joins.some(({ table }) => sources.some(({ alias }) => same(alias, table)))) return null;
    // Right after the table that it comes from, so that the conditions of later joins may name it.
    const next = sources[sources.indexOf(way.from) + 1];
    const position = next?.start ?? end;
    if (this.places.some(({ name, joins }) => joins && name.span.start < position)) return null;
    const text = way.joins.map((join) => join.text).join(" ");
    return this.#edited([
      ...this.#qualified((way.joins.at(-1) as Join).table),
      ...this.#unambiguous(way.joins),
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

  /** Tables before other columns, which the new tables have as well. */
  #unambiguous(joins: readonly Join[]): Edit[] {
    const { columns, sources } = this.select;
    return columns.flatMap((column) => {
      const name = column.name.text;
      if (column.owner !== undefined || this.places.includes(column)) return [];
      if (!joins.some(({ table }) => hasColumn(this.names, table, name))) return [];
      const [own, ...others] = sources.filter(({ table }) => hasColumn(this.names, table, name));
      return own === undefined || others.length > 0 ? [] : [this.#qualify(column, own.alias)];
    });
  }

  #qualify({ owner, name }: Column, alias: string): Edit {
    const text = `${sqlName(alias)}.${sqlName(name.text)}`;
    return { start: (owner ?? name).span.start, end: name.span.end, text };
  }

  #edited(edits: readonly Edit[]): string {
    return [...edits]
      .sort((a, b) => b.start - a.start)
      .reduce((sql, { start, end, text }) => sql.slice(0, start) + text + sql.slice(end), this.sql);
  }
}
