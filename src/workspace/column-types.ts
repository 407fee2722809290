/** Decides the types of columns of text: only those that print every value back as it was written. */
import type { DuckDBConnection } from "@duckdb/node-api";

/** Most digits that a floating-point number holds for certain. */
const DIGITS = 15;

/** DuckDB's types, the first that fits is taken; with what their texts look like. */
const TYPES = [
  ["BIGINT", "-?[0-9]+"],
  ["DECIMAL", "-?[0-9]+\\.[0-9]+"],
  ["DOUBLE", "-?[0-9]+(\\.[0-9]+)?"],
  ["DATE", "[0-9]{4}-[0-9]{2}-[0-9]{2}"],
  ["TIMESTAMP", "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:.]+"],
  ["TIME", "[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?"],
  ["BOOLEAN", "true|false"],
] as const;

/** What texts in quotes may be. */
const DATES: ReadonlySet<string> = new Set(["DATE", "TIMESTAMP", "TIME"]);

/**
 * The type of a column: VARCHAR, unless another type prints each of its texts back. So codes such as `01234`, `1e5` and
 * `+49` stay texts, as does a column where one value is a text. A whole number may stand for `3.0` among decimals.
 * @param table quoted already, as is `column`
 * @param isText whether the values are known to be texts; then they are no numbers
 */
export async function columnType(
  connection: DuckDBConnection,
  table: string,
  column: string,
  isText = false,
): Promise<string> {
  const first = await connection.runAndReadAll(
    `SELECT any_value(${column}), max(len(split_part(${column}, '.', 2))), max(len(${column})) FROM ${table} WHERE ${column} IS NOT NULL`,
  );
  const [example, scale, longest] = first.getRowsJS()[0] as [string | null, bigint | null, bigint | null];
  if (example === null) return "VARCHAR";
  for (const [name, form] of TYPES) {
    if (isText && !DATES.has(name)) continue;
    if (!new RegExp(`^(${form})$`).test(example)) continue;
    const type = name === "DECIMAL" ? `DECIMAL(18, ${scale})` : name;
    if (name === "DECIMAL" && (Number(scale) === 0 || Number(longest) > DIGITS)) continue;
    const printed = `CAST(TRY_CAST(${column} AS ${type}) AS VARCHAR)`;
    const whole = name === "DOUBLE" ? ` OR ${printed} = ${column} || '.0'` : "";
    const { currentRowCount } = await connection.runAndReadAll(
      `SELECT 1 FROM ${table} WHERE NOT (coalesce(regexp_full_match(${column}, '${form}') AND (${printed} = ${column}${whole}), ${column} IS NULL)) LIMIT 1`,
    );
    if (currentRowCount === 0) return type;
  }
  return "VARCHAR";
}
