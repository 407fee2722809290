/** Turns expected rows into a query that returns them, so that they are graded like any gold query. */
import type { SqlValue } from "../bird/sql/rows.js";

type RowValue = Exclude<SqlValue, Uint8Array> | boolean;

export function rowsAsSql(rows: readonly (readonly RowValue[])[]): string {
  if (rows.length === 0) return "SELECT NULL WHERE 1 = 0";
  return `VALUES ${rows.map((row) => `(${row.map(literal).join(", ")})`).join(", ")}`;
}

function literal(value: RowValue): string {
  if (value === null) return "NULL";
  if (typeof value === "string") return `'${value.replaceAll("'", "''")}'`;
  if (typeof value === "boolean") return value ? "1" : "0";
  // With an exponent it is a floating-point number to DuckDB too, and no decimal.
  return typeof value === "bigint" ? String(value) : value.toExponential();
}
