/** Writes databases of the miniature world as files in BIRD's published layout. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BirdQuestion } from "../bird/dataset.js";
import { LseError } from "../errors.js";
import type { Column, MiniDatabase } from "./database.js";
import { makeDatabase } from "./generator.js";
import { type MiniProblem, makeProblems } from "./problems.js";
import { typeOf, writeDatabase } from "./rows.js";
import type { MiniAddress } from "./splits.js";
import { keyOf } from "./vocabulary.js";

/** The name of a database in file names and `db_id`: `mini_test_3`. */
export const databaseName = ({ split, seed }: MiniAddress): string => `mini_${split}_${seed}`;

/** A problem as a question of BIRD. It has no evidence, because what its terms mean is to be learned. */
export function birdQuestion(
  database: MiniDatabase,
  problem: MiniProblem,
  questionId = Number(problem.id),
): BirdQuestion {
  const { text, gold, hidden, question } = problem;
  return {
    id: String(questionId),
    questionId,
    dbId: databaseName(database),
    question: text,
    evidence: "",
    sql: gold,
    difficulty: question.of !== null ? "challenging" : hidden.length > 1 ? "moderate" : "simple",
  };
}

/**
 * Writes `dev.json`, `dev.sql`, `dev_tables.json` and `dev_databases/NAME/` with the database and its
 * descriptions.
 * @param folder is created; must be empty if it exists
 * @param questions per database
 * @throws LseError for a folder that is not empty or cannot be written
 */
export function exportToBird(folder: string, addresses: readonly MiniAddress[], questions: number): void {
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new LseError(`${folder} is not empty`, "Choose a new folder");
  }
  const databases = addresses.map((address) => makeDatabase(address));
  const rows = databases.flatMap((database) =>
    makeProblems(database, questions).map((problem) => ({ database, problem })),
  );
  const asked = rows.map(({ database, problem }, row) => birdQuestion(database, problem, row));
  try {
    for (const database of databases) {
      const home = join(folder, "dev_databases", databaseName(database));
      mkdirSync(join(home, "database_description"), { recursive: true });
      writeDatabase(database, join(home, `${databaseName(database)}.sqlite`)).close();
      for (const { name, columns } of database.tables) {
        writeFileSync(join(home, "database_description", `${name}.csv`), description(columns));
      }
    }
    writeJson(
      join(folder, "dev.json"),
      asked.map(({ questionId, dbId, question, evidence, sql, difficulty }) => ({
        question_id: questionId,
        db_id: dbId,
        question,
        evidence,
        SQL: sql,
        difficulty,
      })),
    );
    writeFileSync(join(folder, "dev.sql"), asked.map(({ sql, dbId }) => `${sql}\t${dbId}\n`).join(""));
    writeJson(join(folder, "dev_tables.json"), databases.map(tablesEntry));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LseError(`${folder}: cannot write there (${why})`, "Choose a folder that can be written to", {
      cause,
    });
  }
}

/** A CSV of BIRD's `database_description`: names and types, and nothing about what values mean. */
function description(columns: readonly Column[]): string {
  const header = "original_column_name,column_name,column_description,data_format,value_description";
  const lines = columns.map(({ name, content }) => `${name},${name},,${typeOf(content).toLowerCase()},`);
  return `${[header, ...lines].join("\n")}\n`;
}

/** An entry of `dev_tables.json` (the format of Spider's `tables.json`); columns are numbered over all tables. */
function tablesEntry(database: MiniDatabase) {
  const { tables } = database;
  const columns = tables.flatMap(({ columns }, table) => columns.map((column) => ({ table, ...column })));
  const names = [[-1, "*"], ...columns.map(({ table, name }) => [table, name])];
  const indexOf = (table: string, column: string) =>
    1 + columns.findIndex(({ table: t, name }) => tables[t]?.name === table && name === column);
  const tableNames = tables.map(({ name }) => name);
  return {
    db_id: databaseName(database),
    table_names_original: tableNames,
    table_names: tableNames,
    column_names_original: names,
    column_names: names,
    column_types: [
      "text",
      ...columns.map(({ content }) => (typeOf(content) === "INTEGER" ? "number" : "text")),
    ],
    primary_keys: tableNames.map((table) => indexOf(table, keyOf(table))),
    foreign_keys: tables.flatMap(({ name, parents }) =>
      parents.map((parent) => [indexOf(name, keyOf(parent)), indexOf(parent, keyOf(parent))]),
    ),
  };
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(path, `${JSON.stringify(value, null, 4)}\n`);
}
