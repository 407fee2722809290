/** A table in text. */

/** Rows in columns, the first row being the header. */
export const textTable = (rows: readonly (readonly string[])[]): string => [...tableLines(rows)].join("\n");

/** The lines of a table one by one, for tables that are too long for one text. */
export function* tableLines(rows: readonly (readonly string[])[]): Generator<string> {
  const widths: number[] = [];
  for (const row of rows)
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  for (const row of rows)
    yield row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
}
