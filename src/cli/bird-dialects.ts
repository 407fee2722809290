import { Command } from "@commander-js/extra-typings";
import { DatabaseSync } from "@photostructure/sqlite";
import { databasesOf, openBird, questionsOf } from "../bird/dataset.js";
import { DuckDbDatabase } from "../bird/duckdb/database.js";
import { compareDialects, type Dialects } from "../bird/duckdb/dialects.js";
import type { SqlValue } from "../bird/sql/rows.js";
import { timeoutOption } from "./options.js";
import { Progress } from "./progress.js";
import { textTable } from "./text-table.js";

const MEMORY_MB = 4096;

export function dialectsCommand() {
  const { flags, parse, default: seconds } = timeoutOption;
  return new Command("dialects")
    .description("for how many gold queries DuckDB returns what SQLite does, and why not for the others")
    .requiredOption("--data <path>", "BIRD's folder, or its question file")
    .option("--db <name>", "only this database")
    .option(flags, "time limit of a query in DuckDB", parse, seconds)
    .option("--json", "print one JSON document")
    .action(async ({ data: path, db, timeout, json }) => {
      const data = openBird(path);
      const databases = db === undefined ? databasesOf(data) : [db];
      const all: Record<string, Dialects> = {};
      const questions = databases.map((name) => [name, questionsOf(data, name)] as const);
      using progress = new Progress(
        "gold queries",
        questions.reduce((sum, [, own]) => sum + own.length, 0),
      );
      for (const [name, own] of questions) {
        const file = data.databasePath(name);
        const sqlite = new DatabaseSync(file, {
          ...{
            readOnly: true,
            readBigInts: true,
            returnArrays: true,
            enableDoubleQuotedStringLiterals: true,
          },
        });
        try {
          await using duckdb = await DuckDbDatabase.load(file, {
            ...{ timeoutMs: timeout * 1000, memoryMb: MEMORY_MB },
          });
          const rowsOf = (sql: string) => sqlite.prepare(sql).all() as unknown as SqlValue[][];
          all[name] = await compareDialects(own, rowsOf, duckdb, () => progress.tick());
        } finally {
          sqlite.close();
        }
      }
      console.log(json ? JSON.stringify(all) : describe(all));
    });
}

function describe(all: Readonly<Record<string, Dialects>>): string {
  const rows = Object.entries(all).map(([name, { gold, agree, differ, not_translated, errors }]) => [
    name,
    ...[gold, agree, differ, not_translated, errors].map(String),
  ]);
  const head = ["database", "gold", "agree", "differ", "not understood", "errors"];
  const reasons = Object.entries(all).flatMap(([name, own]) =>
    own.reasons.map(
      ({ why, count, question_id }) => `${name}: ${count} × ${why} (such as question ${question_id})`,
    ),
  );
  return [textTable([head, ...rows]), "", ...reasons].join("\n");
}
