/** Questions of the miniature world, in parts and in words. */
import type { MiniDatabase, MiniTable } from "./database.js";
import { Draw } from "./draw.js";
import { FILTERS, YEAR, YEARS } from "./vocabulary.js";

/** `urgent visits with city 'Paris'` */
export interface NounPhrase {
  readonly table: string;
  readonly adjectives: readonly string[];
  /** A column, or the year, and the literal it has to equal. */
  readonly filter: { readonly name: string; readonly value: string } | null;
}

export type Aggregate = "total" | "average" | "highest" | "lowest";

/** A question in parts; `questionText` words it. */
export interface Question {
  /** What is asked of the rows: their number, their keys, or an aggregate of a measure. */
  readonly asked: "number" | "keys" | { readonly aggregate: Aggregate; readonly measure: string };
  readonly head: NounPhrase;
  /** The rows that the head's rows must refer to: a join. */
  readonly of: NounPhrase | null;
}

const AGGREGATES: readonly Aggregate[] = ["total", "average", "highest", "lowest"];

/** `how many urgent visits with city 'Paris' of old patients ?` */
export function questionText({ asked, head, of }: Question): string {
  const start =
    asked === "number" ? "how many" : asked === "keys" ? "list" : `${asked.aggregate} ${asked.measure} of`;
  return `${start} ${phraseText(head)}${of === null ? "" : ` of ${phraseText(of)}`} ?`;
}

function phraseText({ table, adjectives, filter }: NounPhrase): string {
  return [...adjectives, table, ...(filter === null ? [] : ["with", filter.name, filter.value])].join(" ");
}

/** The words of a question that a rule may be about, in their order. */
export function termsOf({ asked, head, of }: Question): string[] {
  const phrases = of === null ? [head] : [head, of];
  return [
    ...(typeof asked === "string" ? [] : [asked.measure]),
    ...phrases.flatMap(({ adjectives, table, filter }) => [
      ...adjectives,
      table,
      ...(filter?.name === YEAR ? [YEAR] : []),
    ]),
  ];
}

/** An endless stream of questions about a database, from the seed alone; they may repeat. */
export function* drawQuestions(
  database: MiniDatabase,
  ...seed: readonly (string | number)[]
): Generator<Question> {
  const draw = new Draw("mini questions", database.split, database.seed, ...seed);
  while (true) yield drawQuestion(database, draw);
}

export function drawQuestion({ tables, conventions }: MiniDatabase, draw: Draw): Question {
  const excluded = new Set(conventions.filter(({ kind }) => kind === "exclusion").map(({ term }) => term));
  const hidden = new Set(conventions.map(({ term }) => term));
  const yearTable = conventions.find(({ kind }) => kind === "year")?.table;

  const table = draw.pick(tables);
  const joinable = tables.filter(({ name }) => table.parents.includes(name) && !excluded.has(name));
  const parent = joinable.length > 0 && draw.chance(0.45) ? draw.pick(joinable) : null;

  const phrase = (of: MiniTable, weights: readonly number[]): NounPhrase => {
    const filters = of.columns.map(({ name }) => name).filter((name) => name in FILTERS);
    if (of.name === yearTable) filters.push(YEAR);
    const name = filters.length > 0 && draw.chance(0.3) ? draw.pick(filters) : null;
    return {
      table: of.name,
      adjectives: draw.sample(of.adjectives, draw.weighted(weights)),
      filter:
        name === null ? null : { name, value: draw.pick(name === YEAR ? YEARS : (FILTERS[name] ?? [])) },
    };
  };

  const kind = draw.weighted([4, 3, table.measures.length > 0 ? 4 : 0]);
  // What a measure means is asked for more often than what needs no rule.
  const measures = table.measures.filter((measure) => hidden.has(measure) || !draw.chance(0.6));
  const asked =
    kind === 0
      ? ("number" as const)
      : kind === 1 || measures.length === 0
        ? ("keys" as const)
        : { aggregate: draw.pick(AGGREGATES), measure: draw.pick(measures) };
  return {
    asked,
    head: phrase(table, parent === null ? [2, 5, 3] : [3, 5, 1]),
    of: parent === null ? null : phrase(parent, [2, 6, 0]),
  };
}
