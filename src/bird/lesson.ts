/** A database in few words, and a wrong query beside the right one, for evolvers of small changes. */
import type { Outcome } from "../task.js";
import { unquoted } from "./ddl.js";
import { nameHint, type Used, usedTables } from "./name-hints.js";
import { type Names, same, sqlName } from "./names.js";
import { fullQuestion, type QuestionText } from "./prompts.js";
import { selectsOf } from "./selects.js";

/** A question with its right query. */
export type Solved = QuestionText & { readonly sql: string };

/** A line a table: `superhero(id, name, gender_id = gender.id)`. */
export function outlineOf({ columns, keys }: Names): string {
  return [...columns]
    .map(([table, own]) => {
      const named = own.map((column) => {
        const key = keys.find((each) => same(each.table, table) && same(each.column, column));
        return key === undefined ? column : `${column} = ${key.toTable}.${key.toColumn}`;
      });
      return `${table}(${named.join(", ")})`;
    })
    .join("\n");
}

/** The question, both queries, what is wrong with the written one, and the tables that only the right one uses. */
export function lessonOf({ sql, ...text }: Solved, { answer, error }: Outcome, names: Names): string {
  const hint = error === null ? "" : nameHint(error, answer, names);
  const missing = missingTables(answer, sql, names);
  return [
    fullQuestion(text),
    `Written: ${answer === "" ? "(no query)" : oneLine(withoutAliases(answer, names))}`,
    ...(answer === "" || error === null ? [] : [`Wrong: ${faultOf(error)}${hint === "" ? "" : ` ${hint}`}`]),
    `Right: ${oneLine(withoutAliases(sql, names))}`,
    ...(answer === "" || missing.length === 0 ? [] : [`Only the right one uses ${missing.join(", ")}.`]),
  ].join("\n");
}

/** Rows are left out: they are of one problem alone. */
const faultOf = (error: string): string =>
  error.startsWith("result mismatch") ? "it returns other rows." : `${oneLine(error)}.`;

const oneLine = (text: string) => text.replace(/\s+/g, " ").trim();

/**
 * A query with the tables' own names in place of aliases: in rules, models write what they read, and "T1" means nothing
 * there. A query that uses a table twice stays as it is.
 */
function withoutAliases(sql: string, names: Names): string {
  const used = tablesIn(sql, names);
  if (new Set(used.map(({ table }) => table)).size < used.length) return sql;
  return used
    .filter(({ table, alias }) => !same(alias, table))
    .reduce((text, { table, alias }) => {
      const name = sqlName(table);
      const [own, other] = [literal(table), literal(alias)];
      const declared = new RegExp(
        String.raw`(["\x60[]?)${own}(["\x60\]]?)\s+(?:AS\s+)?${other}(?![\w.])`,
        "gi",
      );
      const owner = new RegExp(String.raw`(?<![\w."])${other}\.`, "gi");
      return outsideTexts(text, (part) => part.replace(declared, name).replace(owner, `${name}.`));
    }, sql);
}

const literal = (name: string) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Changes what of a query stands in no text. */
const outsideTexts = (sql: string, change: (part: string) => string): string =>
  sql
    .split(/('(?:[^']|'')*')/)
    .map((part, i) => (i % 2 === 0 ? change(part) : part))
    .join("");

/** Tables that the right query uses and the other does not, with the columns that join them: "colour (hero.eye_id = colour.id)". */
function missingTables(written: string, right: string, names: Names): string[] {
  const used = tablesIn(right, names);
  const there = new Set(tablesIn(written, names).map(({ table }) => table));
  const joins = joinsIn(right, used, names);
  const missing = [...new Set(used.map(({ table }) => table))].filter((table) => !there.has(table));
  return missing.map((table) => {
    const own = joins.filter(({ tables }) => tables.includes(table)).map(({ text }) => text);
    return own.length === 0 ? table : `${table} (${own.join(", ")})`;
  });
}

/** The tables of a query with their aliases; of one that cannot be taken apart, by the words before their names. */
function tablesIn(sql: string, names: Names): Used[] {
  const selects = selectsOf(sql, names);
  if (selects === null) return usedTables(withoutTexts(sql), names);
  return selects.flatMap(({ sources }) =>
    sources.flatMap(({ table, alias }) => (table === undefined ? [] : [{ table, alias }])),
  );
}

/** What stands in a text is none of the query's words. */
const withoutTexts = (sql: string) => sql.replace(/'(?:[^']|'')*'/g, "''");

const NAME = String.raw`([\w$]+|"[^"]+"|\x60[^\x60]+\x60|\[[^\][]+\])`;
const EQUAL = new RegExp(String.raw`\bON\s+${NAME}\.${NAME}\s*=\s*${NAME}\.${NAME}`, "gi");

/** Conditions of joins, with the tables' own names in place of aliases; without those whose tables are not certain. */
function joinsIn(sql: string, used: readonly Used[], names: Names): { text: string; tables: string[] }[] {
  /** An alias may be another table's in a part of the query that is nested deeper. */
  const placeOf = (alias: string, column: string) => {
    const tables = new Set(used.filter((own) => same(own.alias, unquoted(alias))).map(({ table }) => table));
    const [table = ""] = tables;
    const own = names.columns.get(table)?.find((name) => same(name, unquoted(column)));
    return tables.size === 1 && own !== undefined ? { table, text: `${table}.${own}` } : null;
  };
  return [...withoutTexts(sql).matchAll(EQUAL)].flatMap(
    ([, left = "", leftColumn = "", right = "", rightColumn = ""]) => {
      const [one, other] = [placeOf(left, leftColumn), placeOf(right, rightColumn)];
      if (one === null || other === null) return [];
      return [{ tables: [one.table, other.table], text: `${one.text} = ${other.text}` }];
    },
  );
}
