/** Writes the schema text of a SQLite database for prompts, with example values. */
import { DatabaseSync } from "@photostructure/sqlite";

type Database = InstanceType<typeof DatabaseSync>;

/** Rows looked at for example values, so that large tables cost no full scan. */
const SAMPLED_ROWS = 1000;
const EXAMPLES = 2;
const MAX_EXAMPLE_CHARS = 40;

interface Column {
  readonly name: string;
  readonly type: string;
  /** Position in the primary key from 1; 0 when not part of it. */
  readonly pk: number;
}

interface ForeignKey {
  readonly table: string;
  readonly from: string;
  /** Null refers to the other table's primary key. */
  readonly to: string | null;
}

/** How many rows are searched for example values, and whether any are shown. */
export interface ExampleOptions {
  /** Rows searched for values that are not NULL. Defaults to all. */
  readonly scannedRows?: number;
  /** Whether to show no example values at all. */
  readonly none?: boolean;
}

/**
 * The schema of a SQLite file as a prompt shows it, in the form of BIRD's `db2schema.json`: CREATE TABLE
 * statements, each column with example values, and with its readable name if that says more.
 * @param columnNames readable names by "table.column"
 */
export function describeSchema(
  databasePath: string,
  columnNames: ReadonlyMap<string, string>,
  examples: ExampleOptions = {},
): string {
  const db = new DatabaseSync(databasePath, { readOnly: true });
  try {
    const tables = db
      .prepare(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
      )
      .all() as unknown as { name: string }[];
    return tables.map(({ name }) => describeTable(db, name, columnNames, examples)).join("\n\n");
  } finally {
    db.close();
  }
}

function describeTable(
  db: Database,
  table: string,
  columnNames: ReadonlyMap<string, string>,
  examples: ExampleOptions,
): string {
  const columns = db
    .prepare("SELECT name, type, pk FROM pragma_table_info(?)")
    .all(table) as unknown as Column[];
  const keys = db
    .prepare('SELECT "table", "from", "to" FROM pragma_foreign_key_list(?) ORDER BY id, seq')
    .all(table) as unknown as ForeignKey[];
  const primaryKey = columns.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk);
  const constraints = [
    ...(primaryKey.length === 0
      ? []
      : [`PRIMARY KEY (${primaryKey.map(({ name }) => quote(name)).join(", ")})`]),
    ...keys.map((key) => {
      const target = key.to === null ? "" : ` (${quote(key.to)})`;
      return `FOREIGN KEY (${quote(key.from)}) REFERENCES ${quote(key.table)}${target}`;
    }),
  ];
  const lines = [
    ...columns.map((column) => ({
      text: `${quote(column.name)} ${column.type.toLowerCase()}`.trimEnd(),
      comment: comment(
        examples.none ? [] : exampleValues(db, table, column.name, examples),
        column,
        columnNames.get(`${table}.${column.name}`),
      ),
    })),
    ...constraints.map((text) => ({ text, comment: "" })),
  ];
  const body = lines.map(
    ({ text, comment }, i) => `    ${text}${i < lines.length - 1 ? "," : ""}${comment && ` -- ${comment}`}`,
  );
  return `CREATE TABLE ${quote(table)} (\n${body.join("\n")}\n);`;
}

function comment(examples: readonly string[], { name }: Column, readable: string | undefined): string {
  const parts = [
    ...(readable === undefined || sameName(readable, name) ? [] : [readable]),
    ...(examples.length === 0 ? [] : [`example: [${examples.join(", ")}]`]),
  ];
  return parts.join("; ");
}

function exampleValues(
  db: Database,
  table: string,
  column: string,
  { scannedRows = -1 }: ExampleOptions,
): string[] {
  const [t, c] = [quote(table), quote(column)];
  const statement = db.prepare(
    `SELECT DISTINCT v FROM (SELECT ${c} AS v FROM (SELECT ${c} FROM ${t} LIMIT ${scannedRows})
       WHERE ${c} IS NOT NULL LIMIT ${SAMPLED_ROWS})
     WHERE typeof(v) <> 'blob' LIMIT ${EXAMPLES}`,
  );
  statement.setReadBigInts(true);
  return (statement.all() as unknown as { v: bigint | number | string }[]).map(({ v }) => {
    if (typeof v !== "string") return String(v);
    const short = v.length > MAX_EXAMPLE_CHARS ? `${v.slice(0, MAX_EXAMPLE_CHARS)}…` : v;
    return `'${short.replace(/\s+/g, " ")}'`;
  });
}

const sameName = (readable: string, name: string) => normalised(readable) === normalised(name);
const normalised = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, "");

/** Plain identifiers stay bare, as in BIRD's own schema files; anything else, keywords included, is quoted. */
function quote(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !KEYWORDS.has(name.toUpperCase())
    ? name
    : `"${name.replaceAll('"', '""')}"`;
}

/** SQL keywords that occur as names in BIRD's and other real databases and fail unquoted. */
const KEYWORDS = new Set(
  "ADD ALL ALTER AND AS BETWEEN CASE CHECK COLLATE COMMIT CONSTRAINT CREATE DEFAULT DELETE DISTINCT DROP ELSE ESCAPE EXISTS FOREIGN FROM GROUP HAVING IN INDEX INSERT INTO IS JOIN LIMIT NOT NULL ON OR ORDER PRIMARY REFERENCES SELECT SET TABLE THEN TO TRANSACTION UNION UNIQUE UPDATE USING VALUES WHEN WHERE".split(
    " ",
  ),
);
