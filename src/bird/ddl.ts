/** Reads what a CREATE TABLE statement says beyond its columns: CHECK conditions and comments. */

/** What a statement says about a table. */
export interface TableNotes {
  /** By the column's name in lower case. */
  readonly columns: ReadonlyMap<string, ColumnNotes>;
  /** Conditions on several columns, each as `CHECK (…)`. */
  readonly checks: readonly string[];
}

export interface ColumnNotes {
  /** Each as `CHECK (…)`. */
  readonly checks: readonly string[];
  /** Comments beside the column, on one line; "" if there are none. */
  readonly comment: string;
}

/** Longer conditions and comments are left out, or cut. */
const MOST_CHARACTERS = 200;

const CONSTRAINTS = new Set(["CONSTRAINT", "CHECK", "PRIMARY", "UNIQUE", "FOREIGN"]);

/** A string, a quoted name, a comment, a word, or one other character. */
const TOKEN =
  /'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|\s+|[\p{L}\p{N}_$]+|[\s\S]/gu;

/** @param sql as `sqlite_master` has it */
export function tableNotes(sql: string): TableNotes {
  const columns = new Map<string, { checks: string[]; comment: string }>();
  const checks: string[] = [];
  for (const { tokens, comments } of itemsOf(sql)) {
    const first = tokens.find((token) => token.trim() !== "") ?? "";
    const own = checksIn(tokens);
    if (CONSTRAINTS.has(first.toUpperCase())) checks.push(...own);
    else if (first !== "")
      columns.set(unquoted(first).toLowerCase(), { checks: own, comment: cut(comments) });
  }
  return { columns, checks };
}

interface Item {
  /** Without comments. */
  readonly tokens: string[];
  readonly comments: string[];
}

/** The definitions between the outer parentheses. A comment behind a comma belongs to what is before the comma. */
function itemsOf(sql: string): Item[] {
  const items: Item[] = [{ tokens: [], comments: [] }];
  let depth = 0;
  let isLineOfComma = false;
  for (const [token] of sql.matchAll(TOKEN)) {
    if (token === "(" && depth++ === 0) continue;
    if (token === ")" && --depth === 0) break;
    if (depth === 0) continue;
    const item = items.at(isLineOfComma ? -2 : -1) as Item;
    if (/^(--|\/\*)/.test(token)) item.comments.push(token.replace(/^--+|^\/\*+|\*+\/$/g, ""));
    else if (token === "," && depth === 1) {
      items.push({ tokens: [], comments: [] });
      isLineOfComma = true;
    } else {
      (items.at(-1) as Item).tokens.push(token);
      if (token.trim() !== "") isLineOfComma = false;
    }
    if (token.includes("\n")) isLineOfComma = false;
  }
  return items;
}

/** Each CHECK with its parentheses, on one line. */
function checksIn(tokens: readonly string[]): string[] {
  const found: string[] = [];
  for (let at = 0; at < tokens.length; at++) {
    if (tokens[at]?.toUpperCase() !== "CHECK") continue;
    let depth = 0;
    let text = "";
    for (at++; at < tokens.length; at++) {
      const token = tokens[at] as string;
      text += token.trim() === "" ? " " : token;
      if (token === "(") depth++;
      else if (token === ")" && --depth === 0) break;
    }
    if (text.length <= MOST_CHARACTERS) found.push(`CHECK ${text.trim()}`);
  }
  return found;
}

function cut(comments: readonly string[]): string {
  const text = comments.join(" ").replace(/\s+/g, " ").trim();
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
}

/** A name without SQL's quotes. */
export function unquoted(name: string): string {
  const quote = name[0] ?? "";
  if (!`"'\`[`.includes(quote)) return name;
  return quote === "[" ? name.slice(1, -1) : name.slice(1, -1).replaceAll(quote + quote, quote);
}
