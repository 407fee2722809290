/** The parts of a miniature database: tables, columns, and the hidden rules that hold in it. */
import type { Rule } from "./rules.js";
import type { MiniAddress } from "./splits.js";

/** What the rows of a column hold. Amounts are multiples of `step`, so that dividing them loses nothing. */
export type ColumnContent =
  | { readonly kind: "key" }
  | { readonly kind: "link"; readonly table: string }
  | { readonly kind: "choice"; readonly values: readonly string[] }
  | { readonly kind: "number"; readonly low: number; readonly high: number }
  | { readonly kind: "flag" }
  | { readonly kind: "amount"; readonly step: number; readonly low: number; readonly high: number }
  | { readonly kind: "date"; readonly yearFirst: boolean }
  | { readonly kind: "optional date" };

export interface Column {
  readonly name: string;
  readonly content: ColumnContent;
}

/** A column but for its key and links belongs to one table only, so that queries need no qualified names. */
export interface MiniTable {
  readonly name: string;
  readonly columns: readonly Column[];
  /** Tables that its rows refer to, one row each. */
  readonly parents: readonly string[];
  readonly rows: number;
  /** Terms with a hidden meaning that questions may put before the table's name. */
  readonly adjectives: readonly string[];
  /** What questions may sum up: columns, and terms for amounts that no column holds. */
  readonly measures: readonly string[];
}

export type ConventionKind =
  | "code"
  | "threshold"
  | "missing"
  | "exclusion"
  | "factor"
  | "difference"
  | "year";

/** A rule that holds in a database and that its schema does not reveal. */
export interface Convention extends Rule {
  readonly kind: ConventionKind;
  readonly table: string;
  readonly column: string;
  /** The rest of the rule's meaning: `= 'G'`, `>= 20`, `/ 100`, `- discount`, `,1,4)`. */
  readonly value: string;
}

export interface MiniDatabase extends MiniAddress {
  /** Such as `test/3`. */
  readonly id: string;
  /** The domain's name; "mixed" in training. */
  readonly domain: string;
  readonly tables: readonly MiniTable[];
  /** Eight to twelve, in an order that says nothing. */
  readonly conventions: readonly Convention[];
}
