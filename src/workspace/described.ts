/** What is read of a database to show it to a model. */

/** How example values are found. */
export interface DescribeOptions {
  /** Rows of a table that are searched. */
  readonly scannedRows: number;
  /** Whether to show none at all. */
  readonly none: boolean;
  /** Memory of the process. */
  readonly memoryMb: number;
}

/** What was found in a database. */
export interface Described {
  /** Tables and views that can be read, each with its columns. */
  readonly tables: readonly { readonly name: string; readonly columns: readonly string[] }[];
  readonly text: string;
  /** Views and virtual tables that cannot be read, and why; they are left out. */
  readonly broken: readonly { readonly name: string; readonly why: string }[];
}
