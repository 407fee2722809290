/** Decides which functions and system tables a statement in DuckDB may use. */
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import type { Definition } from "../sql/volatile.js";

/** Functions in FROM that give rows without reading files, settings, logs or secrets. Any other is refused. */
const TABLE_FUNCTIONS = new Set(
  "range generate_series unnest repeat repeat_row json_each json_tree histogram histogram_values pragma_table_info pragma_show pragma_version pragma_collations pg_timezone_names icu_calendar_names duckdb_columns duckdb_constraints duckdb_functions duckdb_indexes duckdb_keywords duckdb_schemas duckdb_tables duckdb_types duckdb_views".split(
    " ",
  ),
);

/** Views of DuckDB itself that describe the tables of the file. */
const SYSTEM_VIEWS =
  /^(duckdb_(columns|constraints|indexes|schemas|tables|types|views)|sqlite_(temp_)?(master|schema)|pg_(attrdef|attribute|class|collation|constraint|description|enum|index|indexes|namespace|proc|sequence|sequences|tables|type|views))$/;

/** Functions that read or change settings, variables or logs. */
const SCALAR_FUNCTIONS = new Set([
  "current_setting",
  "getenv",
  "getvariable",
  "setseed",
  "write_log",
  "nextval",
  "currval",
]);

/**
 * The views and macros of a file, and its tables with generated columns. With the whole names of DuckDB's own functions,
 * because macros of the file may have their names.
 */
export async function definitionsIn(connection: DuckDBConnection): Promise<Definition[]> {
  const reader = await connection.runAndReadAll(
    `SELECT view_name, sql FROM system.main.duckdb_views() WHERE NOT internal
     UNION ALL SELECT function_name, macro_definition FROM system.main.duckdb_functions()
     WHERE NOT internal AND macro_definition IS NOT NULL
     UNION ALL SELECT table_name, sql FROM system.main.duckdb_tables() WHERE sql LIKE '%GENERATED ALWAYS AS%'`,
  );
  return reader.getRows().map(([name, sql]) => ({ name: String(name), sql: String(sql) }));
}

/** A statement as `json_serialize_sql` gives it. */
type Serialized =
  | { readonly error: true; readonly error_type: string; readonly error_message: string }
  | { readonly error: false; readonly statements: readonly unknown[] };

/** Names that statements may not use, in lower case. */
interface Refused {
  readonly functions: ReadonlySet<string>;
  readonly views: ReadonlySet<string>;
}

/** The gate of one process. It reads statements in a database of its own, where no file has redefined a function. */
export class Gate implements Disposable {
  static async open(): Promise<Gate> {
    const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
    const connection = await instance.connect();
    const names = async (sql: string) =>
      (await connection.runAndReadAll(sql)).getRows().map(([name]) => String(name).toLowerCase());
    const functions = await names(
      "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type IN ('table', 'table_macro', 'pragma')",
    );
    const views = await names(
      "SELECT DISTINCT view_name FROM duckdb_views() WHERE internal AND schema_name <> 'information_schema'",
    );
    return new Gate(instance, connection, {
      functions: new Set([...functions.filter((name) => !TABLE_FUNCTIONS.has(name)), ...SCALAR_FUNCTIONS]),
      views: new Set(views.filter((name) => !SYSTEM_VIEWS.test(name))),
    });
  }

  private constructor(
    private readonly instance: DuckDBInstance,
    private readonly connection: DuckDBConnection,
    private readonly refused: Refused,
  ) {}

  /**
   * Why a statement may not run, for what it names.
   * @param own views and macros of its file that may not be used (`refusedObjects`)
   * @returns a sentence; null if it may run, or cannot be parsed, which DuckDB then says better
   */
  async refusal(sql: string, own: ReadonlySet<string>): Promise<string | null> {
    const reader = await this.connection.runAndReadAll("SELECT json_serialize_sql($1::VARCHAR)", [sql]);
    const serialized = JSON.parse(String(reader.getRows()[0]?.[0])) as Serialized;
    if (!serialized.error) return this.#refusedIn(serialized.statements, own);
    return serialized.error_type === "not implemented"
      ? "Only a SELECT, VALUES or WITH … SELECT may run"
      : null;
  }

  /** Those of a file's views and macros that use what statements may not use, in lower case. */
  refusedObjects(definitions: readonly Definition[]): Set<string> {
    const refused = new Set<string>();
    for (let before = -1; before < refused.size; ) {
      before = refused.size;
      const uses = this.#usesOf(refused);
      for (const { name, sql } of definitions) if (uses.test(sql)) refused.add(name.toLowerCase());
    }
    return refused;
  }

  /** What finds a refused name in the text of a definition: a view's anywhere, a function's before a parenthesis. */
  #usesOf(own: ReadonlySet<string>): RegExp {
    const any = (names: Iterable<string>) =>
      [...names].map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
    const views = any([...this.refused.views, ...own]);
    const functions = any(this.refused.functions);
    return new RegExp(`(?<!\\w)(?:(?:${views})(?!\\w)|(?:${functions})"?\\s*\\()`, "i");
  }

  #refusedIn(node: unknown, own: ReadonlySet<string>): string | null {
    // Without recursion: expressions may be nested deeply.
    const waiting: unknown[] = [node];
    while (waiting.length > 0) {
      const next = waiting.pop();
      if (typeof next !== "object" || next === null) continue;
      const { type, table_name, function_name } = next as Readonly<Record<string, unknown>>;
      const table = String(table_name ?? "").toLowerCase();
      const name = String(function_name ?? "").toLowerCase();
      if (type === "SHOW_REF") return "The statement may not use SHOW, DESCRIBE or SUMMARIZE";
      if (table !== "" && (this.refused.views.has(table) || own.has(table)))
        return `The statement may not use ${table}`;
      if (name !== "" && (this.refused.functions.has(name) || own.has(name)))
        return `The statement may not use the function ${name}`;
      for (const part of Object.values(next)) waiting.push(part);
    }
    return null;
  }

  [Symbol.dispose](): void {
    this.connection.closeSync();
    this.instance.closeSync();
  }
}
