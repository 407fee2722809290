/** Writes the query that answers a question by given rules, and finds where two queries differ. */
import type { Aggregate, NounPhrase, Question } from "./questions.js";
import { keyOf, YEAR } from "./vocabulary.js";

const FUNCTIONS: Record<Aggregate, string> = {
  total: "SUM(",
  average: "AVG(",
  highest: "MAX(",
  lowest: "MIN(",
};

/**
 * The query of a question. Its conditions stand in the order of the question's words, and what stands for a
 * term follows the term in a comment: SQLite ignores it, and it tells a small model what to look up next.
 *
 * @param meaningOf the SQL for a term, or null to leave its condition out
 */
function compose(
  { asked, head, of }: Question,
  meaningOf: (term: string, part: "adjective" | "table" | "measure" | "year") => string | null,
): string {
  const marked = (term: string, sql: string) => `/* ${term} */ ${sql}`;
  const conditionsOf = ({ adjectives, table, filter }: NounPhrase): string[] => {
    const conditions = adjectives.map((term) => [term, meaningOf(term, "adjective")] as const);
    conditions.push([table, meaningOf(table, "table")]);
    const sql = conditions.flatMap(([term, meaning]) => (meaning === null ? [] : [marked(term, meaning)]));
    if (filter === null) return sql;
    if (filter.name !== YEAR) return [...sql, `${filter.name} = ${filter.value}`];
    const year = meaningOf(YEAR, "year");
    return year === null ? sql : [...sql, `${marked(YEAR, year)} = ${filter.value}`];
  };
  const selected =
    asked === "number"
      ? "COUNT(*)"
      : asked === "keys"
        ? keyOf(head.table)
        : `${FUNCTIONS[asked.aggregate]} ${marked(asked.measure, meaningOf(asked.measure, "measure") ?? asked.measure)} )`;
  const join = of === null ? "" : ` JOIN ${of.table} USING ( ${keyOf(of.table)} )`;
  const conditions = [...conditionsOf(head), ...(of === null ? [] : conditionsOf(of))];
  const where = conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
  return `SELECT ${selected} FROM ${head.table}${join}${where}`;
}

/**
 * The query that a perfect policy writes from these rules, true or not. Without a rule it reads a word as it
 * stands: `cheap` as `cheap = 1`, `net` and `year` as columns, a table's name as all of its rows.
 */
export function simulatedAnswer(question: Question, rules: ReadonlyMap<string, string>): string {
  return compose(question, (term, part) => {
    const rule = rules.get(term);
    if (rule !== undefined) return rule;
    if (part === "table") return null;
    return part === "adjective" ? `${term} = 1` : term;
  });
}

/** The same query without the condition, or without the computation, that one term of the question stands for. */
export function answerWithout(question: Question, rules: ReadonlyMap<string, string>, term: string): string {
  return compose(question, (other) => (other === term ? null : (rules.get(other) ?? null)));
}

/** A query without its comments. */
export const withoutComments = (sql: string): string => sql.replace(/\/\*.*?\*\/\s*/g, "").trim();

/** A part of a query, with the term it stands for if the query says so. */
interface Clause {
  readonly term: string | null;
  readonly sql: string;
}

/** Where a prediction differs from the gold query; null for a part that one of them lacks. */
export interface Difference {
  readonly predicted: string | null;
  readonly gold: string | null;
}

/**
 * The parts of two queries that differ, comments left out: what is selected first, then conditions in the
 * order of the gold query. Conditions are matched by the terms in their comments, the rest by position.
 */
export function differences(predicted: string, gold: string): Difference[] {
  const mine = partsOf(predicted);
  const right = partsOf(gold);
  const found: Difference[] = [];
  if (mine.selected !== right.selected) found.push({ predicted: mine.selected, gold: right.selected });
  const isIn = (clauses: readonly Clause[]) => (clause: Clause) =>
    clauses.some((other) => same(clause, other));
  const rest = mine.conditions.filter((clause) => !isIn(right.conditions)(clause));
  const missing = right.conditions.filter((clause) => !isIn(mine.conditions)(clause));
  const terms = new Set(missing.map(({ term }) => term));
  const unnamed = rest.filter(({ term }) => term === null || !terms.has(term));
  for (const { term, sql } of missing) {
    const partner = rest.find((other) => term !== null && other.term === term) ?? unnamed.shift();
    found.push({ predicted: partner?.sql ?? null, gold: sql });
  }
  for (const { sql } of unnamed) found.push({ predicted: sql, gold: null });
  return found;
}

/** The same condition under two terms is two errors: one rule too many and one too few. */
function same(a: Clause, b: Clause): boolean {
  return a.sql === b.sql && (a.term === null || b.term === null || a.term === b.term);
}

/** What is selected, without aggregate functions, and the conditions; empty if the query has another form. */
function partsOf(query: string): { selected: string | null; conditions: Clause[] } {
  const [front = "", where] = query.replace(/\s+/g, " ").trim().split(" WHERE ", 2);
  const selected = /^SELECT (?:(?:SUM|AVG|MAX|MIN)\( )?(.*?)(?: \))? FROM /.exec(front)?.[1];
  const conditions = (where ?? "").split(" AND ").filter((text) => text !== "");
  return {
    selected: selected === undefined ? null : withoutComments(selected),
    conditions: conditions.map((text) => ({
      term: /^\/\* (\S+) \*\//.exec(text)?.[1] ?? null,
      sql: withoutComments(text),
    })),
  };
}
