/** The SELECTs of a query: the tables after FROM, and every column with its place in the text. */
import { Dialect, tokenize } from "@polyglot-sql/sdk";
import { type Names, same } from "./names.js";

/** A word of a query. The library's own type says `tokenType`. */
export interface Token {
  readonly token_type: string;
  /** Without quotes. */
  readonly text: string;
  readonly span: { readonly start: number; readonly end: number };
}

/** A table after FROM or JOIN. */
export interface Source {
  /** As the schema writes it; undefined for one that the schema does not have. */
  readonly table: string | undefined;
  /** Empty for a subquery. */
  readonly alias: string;
  /** Whether rows without a partner in it stay. */
  readonly isLeft: boolean;
  /** Where its JOIN or comma begins, so that another join can be put before it. */
  readonly start: number;
}

/** A column, with the table before its dot. */
export interface Column {
  readonly owner: Token | undefined;
  readonly name: Token;
  readonly part: Part;
}

/** A part of a SELECT; `condition` is one in parentheses after FROM. */
export type Part = "select" | "from" | "condition" | "other";

/** One SELECT with its own FROM. */
export interface Select {
  /** The one around it. */
  readonly outer: Select | undefined;
  readonly sources: readonly Source[];
  readonly columns: readonly Column[];
  /** Names that the columns it returns get by AS. */
  readonly aliases: readonly string[];
  /** Whether it has joins to which another table cannot simply be added, such as NATURAL ones. */
  readonly hasOddJoins: boolean;
  /** Where its FROM part ends. */
  readonly end: number;
  /** Whether it returns all columns that there are. */
  readonly star: boolean;
}

/** Inner ones come before those around them; null for a query that cannot be taken apart. */
export function selectsOf(sql: string, names: Names): Select[] | null {
  // Positions count code points, and strings UTF-16 units.
  if (/[\u{10000}-\u{10FFFF}]/u.test(sql)) return null;
  const { success, tokens } = tokenize(sql, Dialect.SQLite);
  if (!success || tokens === undefined) return null;
  return new Walk(tokens as unknown as Token[], names).selects();
}

const JOINS = new Set(["JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL", "OUTER"]);
const ODD_JOINS = /^(?:RIGHT|FULL|NATURAL|USING|SEMI|ANTI|ASOF|POSITIONAL)$/i;
const AFTER_FROM = new Set(["WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "WINDOW"]);
const SETS = new Set(["UNION", "INTERSECT", "EXCEPT"]);

/** What is found of a SELECT while its words are gone through. */
interface Open extends Select {
  readonly sources: Source[];
  readonly columns: Column[];
  readonly aliases: string[];
  hasOddJoins: boolean;
  end: number;
  star: boolean;
}

/** Goes through the words of a query once. */
class Walk {
  readonly #done: Open[] = [];
  /** What each open parenthesis goes back to. */
  readonly #parentheses: { readonly select: Open | undefined; readonly part: Part }[] = [];
  #select: Open | undefined;
  #part: Part = "other";
  /** Where the JOIN or comma began that the next table belongs to. */
  #join = { start: 0, isLeft: false };

  constructor(
    private readonly tokens: readonly Token[],
    private readonly names: Names,
  ) {}

  selects(): Select[] {
    for (let i = 0; i < this.tokens.length; i++) {
      this.#take(i);
      if (this.#select !== undefined && this.#part === "from")
        this.#select.end = (this.tokens[i] as Token).span.end;
    }
    return this.#select === undefined ? this.#done : [...this.#done, this.#select];
  }

  #take(i: number): void {
    const token = this.tokens[i] as Token;
    const { token_type: type, span } = token;
    if (this.#part === "from" && ODD_JOINS.test(token.text) && this.#select !== undefined)
      this.#select.hasOddJoins = true;
    if (type === "L_PAREN") this.#goIn(i);
    else if (type === "R_PAREN") this.#goOut();
    else if (type === "SELECT") this.#begin(span.end);
    else if (SETS.has(type) || type === "SEMICOLON" || (AFTER_FROM.has(type) && this.#part === "from"))
      this.#part = "other";
    else if (type === "FROM" && this.#part === "select") {
      this.#part = "from";
      this.#join = { start: span.end, isLeft: false };
    } else if (this.#part === "from" && (type === "COMMA" || JOINS.has(type))) {
      if (!JOINS.has(this.#typeAt(i - 1))) this.#join = { start: span.start, isLeft: type === "LEFT" };
    } else if (type === "STAR") this.#takeStar(i);
    else this.#takeName(i);
  }

  #goIn(i: number): void {
    if (this.#beginsSource(i)) this.#select?.sources.push({ table: undefined, alias: "", ...this.#join });
    this.#parentheses.push({ select: this.#select, part: this.#part });
    if (this.#part === "from") this.#part = "condition";
  }

  #goOut(): void {
    const { select, part = "other" } = this.#parentheses.pop() ?? {};
    if (this.#select !== undefined && this.#select !== select) this.#done.push(this.#select);
    this.#select = select;
    this.#part = part;
  }

  #begin(end: number): void {
    const outer = this.#parentheses.at(-1)?.select;
    if (this.#select !== undefined && this.#select !== outer) this.#done.push(this.#select);
    this.#select = { outer, sources: [], columns: [], aliases: [], hasOddJoins: false, end, star: false };
    this.#part = "select";
  }

  #takeStar(i: number): void {
    const isAll =
      this.#part === "select" && ["SELECT", "DISTINCT", "ALL", "COMMA"].includes(this.#typeAt(i - 1));
    if (isAll && this.#select !== undefined) this.#select.star = true;
  }

  #takeName(i: number): void {
    const name = this.tokens[i] as Token;
    const before = this.#typeAt(i - 1);
    const after = this.#typeAt(i + 1);
    if (this.#select === undefined || before === "DOT" || after === "L_PAREN") return;
    const part = this.#part;
    if (before === "AS") {
      if (part === "select") this.#select.aliases.push(name.text);
    } else if (this.#beginsSource(i)) {
      this.#select.sources.push(this.#sourceAt(i));
    } else if (after === "DOT") {
      const column = this.tokens[i + 2];
      if (column !== undefined && isWord(column))
        this.#select.columns.push({ owner: name, name: column, part });
    } else if (isName(name)) this.#select.columns.push({ owner: undefined, name, part });
  }

  #sourceAt(i: number): Source {
    const { text } = this.tokens[i] as Token;
    const alias = this.tokens[this.#typeAt(i + 1) === "AS" ? i + 2 : i + 1];
    const table = [...this.names.columns.keys()].find((name) => same(name, text));
    const isAlias = alias !== undefined && isName(alias);
    return { table, alias: isAlias ? alias.text : (table ?? text), ...this.#join };
  }

  #beginsSource(i: number): boolean {
    return this.#part === "from" && ["FROM", "JOIN", "COMMA"].includes(this.#typeAt(i - 1));
  }

  #typeAt(i: number): string {
    return this.tokens[i]?.token_type ?? "";
  }
}

const isName = ({ token_type }: Token) => token_type === "VAR" || token_type === "QUOTED_IDENTIFIER";
/** After a dot words of SQL are names, too, such as "date". */
const isWord = (token: Token) =>
  isName(token) || (token.token_type !== "STRING" && /^[\p{L}_]/u.test(token.text));
