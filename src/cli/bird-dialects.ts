/** `lse bird dialects`: gold queries in SQLite and in DuckDB. */
import { Command } from "@commander-js/extra-typings";
import { databasesOf, openBird, questionsOf } from "../bird/dataset.js";
import { compareDatabases } from "../bird/duckdb/compare-databases.js";
import type { Dialects } from "../bird/duckdb/dialects.js";
import { printable } from "../lib/printable.js";
import { limitMs } from "../lib/time-limit.js";
import { Progress } from "../terminal/progress.js";
import { textTable } from "../terminal/text-table.js";
import { timeoutOption } from "./options.js";

/** Queries shown on which DuckDB is much faster. */
const SHOWN = 5;

export function dialectsCommand() {
  const { flags, parse, default: seconds } = timeoutOption;
  return new Command("dialects")
    .description("for how many gold queries DuckDB returns what SQLite does, and why not for the others")
    .requiredOption("--data <path>", "BIRD's folder, or its question file")
    .option("--db <name>", "only this database")
    .option(flags, "time limit of a query in DuckDB", parse, seconds)
    .option("--cache <folder>", "where copies of databases are kept (your cache folder)")
    .option("--json", "print one JSON document")
    .action(async ({ data: path, db, timeout, cache, json }) => {
      const data = openBird(path);
      const databases = db === undefined ? databasesOf(data) : [db];
      const questions = databases.reduce((sum, name) => sum + questionsOf(data, name).length, 0);
      using progress = new Progress("gold queries", questions);
      const all = await compareDatabases(data, databases, {
        timeoutMs: limitMs(timeout),
        cacheFolder: cache,
        onQuery: () => progress.tick(),
      });
      console.log(json ? JSON.stringify(all) : printable(describe(all)));
    });
}

function describe(all: Readonly<Record<string, Dialects>>): string {
  const rows = Object.entries(all).map(([name, own]) => [
    name,
    ...[own.gold, own.agree, own.differ, own.not_translated, own.errors].map(String),
    ...[own.sqlite_seconds, own.duckdb_seconds].map((seconds) => `${seconds.toFixed(2)} s`),
  ]);
  const head = ["database", "gold", "agree", "differ", "not understood", "errors", "SQLite", "DuckDB"];
  const reasons = Object.entries(all).flatMap(([name, own]) =>
    own.reasons.map(
      ({ why, count, question_id }) => `${name}: ${count} × ${why} (such as question ${question_id})`,
    ),
  );
  const faster = Object.entries(all).flatMap(([name, own]) =>
    own.faster
      .slice(0, SHOWN)
      .map(
        ({ question_id, sqlite_seconds, duckdb_seconds }) =>
          `${name}: DuckDB is ${Math.round(sqlite_seconds / duckdb_seconds)} times as fast on question ` +
          `${question_id} (${sqlite_seconds.toFixed(3)} s in SQLite)`,
      ),
  );
  return [textTable([head, ...rows]), "", ...reasons, ...faster].join("\n");
}
