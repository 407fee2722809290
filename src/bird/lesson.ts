/** A database in few words, and a wrong query beside the right one, for evolvers of small changes. */
import type { Outcome } from "../task.js";
import { unquoted } from "./ddl.js";
import { nameHint, type Used, usedTables } from "./name-hints.js";
import { type Names, same } from "./names.js";
import { fullQuestion, type QuestionText } from "./prompts.js";

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
    `Written: ${answer === "" ? "(no query)" : oneLine(answer)}`,
    ...(answer === "" || error === null ? [] : [`Wrong: ${faultOf(error)}${hint === "" ? "" : ` ${hint}`}`]),
    `Right: ${oneLine(sql)}`,
    ...(answer === "" || missing.length === 0 ? [] : [`Only the right one uses ${missing.join(", ")}.`]),
  ].join("\n");
}

/** Rows are left out: they are of one problem alone. */
const faultOf = (error: string): string =>
  error.startsWith("result mismatch") ? "it returns other rows." : `${oneLine(error)}.`;

const oneLine = (text: string) => text.replace(/\s+/g, " ").trim();

/** Tables that the right query uses and the other does not, with the columns that join them: "colour (hero.eye_id = colour.id)". */
function missingTables(written: string, right: string, names: Names): string[] {
  const used = usedTables(right, names);
  const there = new Set(usedTables(written, names).map(({ table }) => table));
  const joins = joinsIn(right, used);
  const missing = [...new Set(used.map(({ table }) => table))].filter((table) => !there.has(table));
  return missing.map((table) => {
    const own = joins.filter(({ tables }) => tables.includes(table)).map(({ text }) => text);
    return own.length === 0 ? table : `${table} (${own.join(", ")})`;
  });
}

const COLUMN = String.raw`([\w$]+|"[^"]+"|\x60[^\x60]+\x60)\.([\w$]+|"[^"]+"|\x60[^\x60]+\x60)`;
const EQUAL = new RegExp(String.raw`\bON\s+${COLUMN}\s*=\s*${COLUMN}`, "gi");

/** Conditions of joins, with the tables' own names in place of aliases. */
function joinsIn(sql: string, used: readonly Used[]): { text: string; tables: string[] }[] {
  const tableOf = (alias: string) =>
    used.find((own) => same(own.alias, unquoted(alias)))?.table ?? unquoted(alias);
  return [...sql.matchAll(EQUAL)].map(([, left = "", leftColumn = "", right = "", rightColumn = ""]) => {
    const tables = [tableOf(left), tableOf(right)];
    return { tables, text: `${tables[0]}.${unquoted(leftColumn)} = ${tables[1]}.${unquoted(rightColumn)}` };
  });
}
