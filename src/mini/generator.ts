/** Makes a miniature database from its address: tables, columns and hidden rules. */
import type { Column, ColumnContent, Convention, MiniDatabase, MiniTable } from "./database.js";
import { Draw } from "./draw.js";
import { addressText, DOMAINS_OF, type MiniAddress, type MiniSplit, splitOfMeaning } from "./splits.js";
import {
  ADJECTIVES,
  CODES,
  DATES,
  DEDUCTIONS,
  DERIVED,
  DOMAINS,
  FACTORS,
  FILTERS,
  FLAGS,
  keyOf,
  LARGEST_THRESHOLD,
  LETTERS,
  MEASURES,
  YEAR,
} from "./vocabulary.js";

/** Which tables of a domain refer to which, by position. */
const PARENTS: readonly (readonly number[])[] = [[], [], [0, 1], [2]];
/** Positions that a database may consist of, and how often. */
const SELECTIONS: readonly (readonly [number, readonly number[]])[] = [
  [8, [0, 1, 2, 3]],
  [3, [0, 1, 2]],
  [3, [0, 2, 3]],
  [3, [1, 2, 3]],
  [1, [0, 2]],
  [1, [1, 2]],
  [1, [2, 3]],
];
const RULES = { fewest: 8, most: 12 };
const OPERATORS = [">=", "<=", ">", "<"];

/** The database of an address; the same on every platform. Rows are made from it by `rows.ts`. */
export function makeDatabase({ split, seed }: MiniAddress): MiniDatabase {
  return new Maker(split, seed).make();
}

/** A table that is being made; key and links are added at the end. */
interface Draft extends Pick<MiniTable, "name" | "parents"> {
  readonly columns: Column[];
  readonly adjectives: string[];
  readonly measures: string[];
}

class Maker {
  readonly #draw: Draw;
  readonly #usedTerms = new Set<string>();
  readonly #usedColumns = new Set<string>();
  readonly #conventions: Convention[] = [];
  readonly #tables: Draft[];
  readonly #domain: string;

  constructor(
    private readonly split: MiniSplit,
    private readonly seed: number,
  ) {
    this.#draw = new Draw("mini database", split, seed);
    const positions = (SELECTIONS[this.#draw.weighted(SELECTIONS.map(([weight]) => weight))] ?? [])[1] ?? [];
    const domains = this.#domains();
    const nameAt = (position: number) => domains[position % domains.length]?.tables[position]?.[0] as string;
    this.#domain = domains.length === 1 ? (domains[0]?.name as string) : "mixed";
    this.#tables = positions.map((position) => ({
      name: nameAt(position),
      parents: (PARENTS[position] ?? []).filter((parent) => positions.includes(parent)).map(nameAt),
      columns: [],
      adjectives: [],
      measures: [],
    }));
  }

  make(): MiniDatabase {
    const draw = this.#draw;
    const rules = draw.integer(RULES.fewest, RULES.most);
    const exclusions = this.#addExclusions(draw.chance(0.3) ? 2 : 1);
    const amounts = draw.integer(1, 2);
    for (let i = 0; i < amounts; i++) this.#addAmount();
    const years = draw.chance(0.6) ? 1 : 0;
    if (years === 1) this.#addYear();
    // Every table gets an adjective before one gets its second.
    const order = draw.shuffled(this.#tables);
    for (let i = 0; i < rules - exclusions - amounts - years; i++)
      this.#addAdjective(order[i % order.length] as Draft);
    for (const table of this.#tables) this.#addPlainColumns(table);

    const tables = this.#tables.map(({ name, parents, columns, adjectives, measures }) => ({
      name,
      parents,
      adjectives,
      measures,
      columns: [
        { name: keyOf(name), content: { kind: "key" } as const },
        ...parents.map((table) => ({ name: keyOf(table), content: { kind: "link", table } as const })),
        ...draw.shuffled(columns),
      ],
      rows: parents.length === 0 ? draw.integer(20, 40) : draw.integer(60, 120),
    }));
    const { split, seed } = this;
    const id = addressText({ split, seed });
    return { split, seed, id, domain: this.#domain, tables, conventions: draw.shuffled(this.#conventions) };
  }

  /** One domain; in training four, so that tables of the same domain never meet. */
  #domains(): typeof DOMAINS {
    if (this.split === "train") return this.#draw.sample(DOMAINS, PARENTS.length);
    const own = DOMAINS_OF[this.split];
    return [own[this.seed % own.length] as (typeof DOMAINS)[number]];
  }

  /**
   * Exclusions (`visits means removed = 0`) on a table that no other refers to, and perhaps on another one. At
   * least one table stays that questions can join with: they never join with one that has an exclusion, because
   * a failure could not tell then which of two tables a condition belongs to.
   */
  #addExclusions(wanted: number): number {
    const referred = new Set(this.#tables.flatMap(({ parents }) => parents));
    const ends = this.#tables.filter(({ name }) => !referred.has(name));
    const others = this.#draw.shuffled(this.#tables.filter(({ name }) => referred.has(name))).slice(1);
    let added = 0;
    for (const { name, columns } of [...ends, ...others].slice(0, wanted)) {
      const free = FLAGS.filter((flag) => this.#isFree(name, flag));
      if (free.length === 0) continue;
      const column = this.#draw.pick(free);
      this.#addColumn(columns, column, { kind: "flag" });
      this.#addRule({
        kind: "exclusion",
        table: name,
        term: name,
        column,
        value: this.#draw.pick(["= 0", "= 1"]),
      });
      added++;
    }
    return added;
  }

  /** An amount that is stored in other units, or that has to be computed. */
  #addAmount(): void {
    const draw = this.#draw;
    const table = draw.pick(this.#tables);
    if (draw.chance(0.5)) {
      const factors = FACTORS.flatMap((factor) => [`/ ${factor}`, `* ${factor}`]);
      const [column, value] = this.#find(MEASURES, factors);
      this.#addColumn(table.columns, column, amountOf(value));
      this.#addRule({ kind: "factor", table: table.name, term: column, column, value });
      table.measures.push(column);
    } else {
      const [term, column] = this.#find(DERIVED, MEASURES);
      const other = draw.pick(DEDUCTIONS.filter((name) => !this.#usedColumns.has(name)));
      this.#addColumn(table.columns, column, { kind: "amount", step: 10, low: 20, high: 90 });
      this.#addColumn(table.columns, other, { kind: "amount", step: 1, low: 1, high: 99 });
      const value = `${draw.pick(["-", "-", "+"])} ${other}`;
      this.#addRule({ kind: "difference", table: table.name, term, column, value });
      table.measures.push(term);
    }
  }

  #addYear(): void {
    const table = this.#draw.pick(this.#tables);
    const [term, column] = this.#find([YEAR], DATES);
    const yearFirst = this.#draw.chance(0.5);
    this.#addColumn(table.columns, column, { kind: "date", yearFirst });
    this.#addRule({ kind: "year", table: table.name, term, column, value: yearFirst ? ",1,4)" : ",7,4)" });
  }

  #addAdjective(table: Draft): void {
    const draw = this.#draw;
    const kind = (["code", "threshold", "missing"] as const)[draw.weighted([9, 8, 3])] ?? "code";
    const [term, column] = this.#find(ADJECTIVES, kind === "missing" ? DATES : CODES);
    let value: string;
    if (kind === "code") {
      const values = draw.sample(LETTERS, 3);
      value = `${draw.pick(["=", "=", "!="])} ${values[0]}`;
      this.#addColumn(table.columns, column, { kind: "choice", values });
    } else if (kind === "threshold") {
      const low = draw.integer(1, LARGEST_THRESHOLD - 8);
      value = `${draw.pick(OPERATORS)} ${low + draw.integer(2, 6)}`;
      this.#addColumn(table.columns, column, { kind: "number", low, high: low + 8 });
    } else {
      value = draw.pick(["IS NULL", "IS NOT NULL"]);
      this.#addColumn(table.columns, column, { kind: "optional date" });
    }
    this.#addRule({ kind, table: table.name, term, column, value });
    table.adjectives.push(term);
  }

  /** Columns without a hidden meaning: to filter by, to sum up, and to distract. */
  #addPlainColumns({ columns, measures }: Draft): void {
    const draw = this.#draw;
    const unused = (names: readonly string[]) =>
      names.filter((name) => !this.#usedColumns.has(name) && !this.#usedTerms.has(name));
    const filters = unused(Object.keys(FILTERS));
    if (filters.length > 0 && draw.chance(0.8)) {
      const name = draw.pick(filters);
      this.#addColumn(columns, name, { kind: "choice", values: FILTERS[name] ?? [] });
    }
    if (draw.chance(measures.length === 0 ? 0.7 : 0.3)) {
      const name = draw.pick(unused(MEASURES));
      this.#addColumn(columns, name, { kind: "amount", step: 10, low: 20, high: 400 });
      measures.push(name);
    }
    if (draw.chance(0.4)) {
      this.#addColumn(columns, draw.pick(unused(CODES)), { kind: "number", low: 0, high: 9 });
    }
    if (draw.chance(0.2)) {
      this.#addColumn(columns, draw.pick(unused(DATES)), { kind: "date", yearFirst: draw.chance(0.5) });
    }
  }

  /** An unused term and an unused column (or a factor) that this part of the world may connect. */
  #find(terms: readonly string[], columns: readonly string[]): [string, string] {
    for (let tries = 0; tries < 10_000; tries++) {
      const [term, column] = [this.#draw.pick(terms), this.#draw.pick(columns)];
      if (this.#isFree(term, column)) return [term, column];
    }
    throw new Error(`${this.split}/${this.seed}: no term is left`);
  }

  #isFree(term: string, column: string): boolean {
    const isNew = (word: string) => !this.#usedTerms.has(word) && !this.#usedColumns.has(word);
    return isNew(term) && isNew(column) && splitOfMeaning(term, column) === this.split;
  }

  #addColumn(columns: Column[], name: string, content: ColumnContent): void {
    this.#usedColumns.add(name);
    columns.push({ name, content });
  }

  #addRule(rule: Omit<Convention, "meaning">): void {
    const { kind, term, column, value } = rule;
    this.#usedTerms.add(term);
    const meaning = kind === "year" ? `SUBSTR( ${column} ${value}` : `${column} ${value}`;
    this.#conventions.push({ ...rule, meaning });
  }
}

/** Amounts stored in parts are multiples of the factor; those stored in bulk are small. */
function amountOf(value: string): ColumnContent {
  const [operator, factor] = value.split(" ");
  return operator === "/"
    ? { kind: "amount", step: Number(factor), low: 2, high: 90 }
    : { kind: "amount", step: 1, low: 2, high: 90 };
}
