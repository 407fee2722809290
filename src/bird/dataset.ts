/** Reads BIRD's published files: questions, gold queries, databases, schemas and column names. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { LseError } from "../errors.js";
import { readJson, readRecords } from "../lib/json-file.js";
import { nearest } from "../lib/nearest.js";

/** A question of BIRD with its gold SQL. */
export interface BirdQuestion {
  /** `question_id`, made unique: BIRD's own dev set repeats 137 and 138. */
  readonly id: string;
  /** As published; the row number where the file has none. */
  readonly questionId: number;
  readonly dbId: string;
  readonly question: string;
  readonly evidence: string;
  readonly sql: string;
  /** "simple", "moderate" or "challenging" in the dev sets; empty in train. */
  readonly difficulty: string;
}

/** A folder of BIRD as published: questions, databases, and schema files if there are any. */
export interface BirdData {
  readonly questionsPath: string;
  readonly questions: readonly BirdQuestion[];
  /** The ids of the questions whose gold query comes from the file of tied golds. */
  readonly tiedGold: ReadonlySet<string>;
  /** Readable column names by database and "table.column", from `*_tables.json`. */
  readonly columnNames: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** Schema text by database, from `db2schema.json`. */
  readonly schemas: ReadonlyMap<string, string>;
  /** @throws LseError naming the file that is missing */
  databasePath(dbId: string): string;
}

const QUESTION_FILES = [
  "dev.json",
  "mini_dev_sqlite.json",
  "mini_dev_sqlite.jsonl",
  "train.json",
  "train_filtered.json",
];
const DATABASE_FOLDERS = ["dev_databases", "train_databases", "databases", "."];

const rowSchema = z.object({
  question_id: z.int().optional(),
  db_id: z.string().min(1),
  question: z.string().min(1),
  evidence: z.string().nullish(),
  SQL: z.string().refine((sql) => sql.trim() !== "", "the gold SQL is empty"),
  difficulty: z.string().nullish(),
});

/** Whether the gold queries that allow for ties replace those of the question file: published scores exist of both. */
export const TIED_GOLD = ["use", "ignore"] as const;
export type TiedGold = (typeof TIED_GOLD)[number];

/**
 * Opens a BIRD folder, or a question file in one.
 * @throws LseError naming the file, the row and the field that is missing or malformed
 */
export function openBird(dataPath: string, { tiedGold = "use" }: { tiedGold?: TiedGold } = {}): BirdData {
  if (!existsSync(dataPath)) {
    throw new LseError(
      `${dataPath}: no such file or folder`,
      "Set `task.data` to a folder with BIRD's dev.json",
    );
  }
  const questionsPath = statSync(dataPath).isDirectory() ? findQuestions(dataPath) : dataPath;
  const root = dirname(questionsPath);
  const published = readQuestions(questionsPath);
  const tied = tiedGold === "use" ? readTiedGold(questionsPath, published) : new Map<string, string>();
  return {
    questionsPath,
    questions: published.map((question) => ({ ...question, sql: tied.get(question.id) ?? question.sql })),
    tiedGold: new Set(tied.keys()),
    columnNames: readColumnNames(root),
    schemas: readSchemas(root),
    databasePath: (dbId) => findDatabase(root, dbId),
  };
}

/** A question's number and database: BIRD's own files name questions by them, though some numbers come twice. */
export const numberKey = ({ questionId, dbId }: Pick<BirdQuestion, "questionId" | "dbId">) =>
  `${questionId} ${dbId}`;

/** Questions by `numberKey`, in the order of the file. */
export function byNumber(questions: readonly BirdQuestion[]): ReadonlyMap<string, readonly BirdQuestion[]> {
  const groups = new Map<string, BirdQuestion[]>();
  for (const question of questions) {
    const group = groups.get(numberKey(question));
    if (group === undefined) groups.set(numberKey(question), [question]);
    else group.push(question);
  }
  return groups;
}

/** Questions of one database. @throws LseError listing the databases there are */
export function questionsOf(data: BirdData, dbId: string): BirdQuestion[] {
  const questions = data.questions.filter((question) => question.dbId === dbId);
  if (questions.length > 0) return questions;
  throw new LseError(
    `${data.questionsPath}: no question is about the database "${dbId}"`,
    `Did you mean ${nearest(dbId, databasesOf(data))}? Set \`task.db\` to one of ${databasesOf(data).join(", ")}`,
  );
}

export function databasesOf(data: BirdData): string[] {
  return [...new Set(data.questions.map(({ dbId }) => dbId))].sort();
}

function findQuestions(folder: string): string {
  const found = QUESTION_FILES.map((name) => join(folder, name)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new LseError(
    `${folder}: has none of the files ${QUESTION_FILES.join(", ")}`,
    "Set `task.data` to BIRD's folder, or to the question file itself",
  );
}

function findDatabase(root: string, dbId: string): string {
  const candidates = DATABASE_FOLDERS.map((folder) => join(root, folder, dbId, `${dbId}.sqlite`));
  const found = candidates.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new LseError(`${candidates[0]}: no such database`, `Put BIRD's folder ${dbId} there`);
}

function readQuestions(path: string): BirdQuestion[] {
  const seen = new Set<string>();
  return readRows(path).map((raw, index) => {
    const parsed = rowSchema.safeParse(raw);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      throw new LseError(
        `${path}: row ${index}: field ${issue?.path.join(".") || "(whole row)"}: ${issue?.message}`,
        "Correct that row; BIRD's rows have db_id, question, evidence and SQL",
      );
    }
    const row = parsed.data;
    const questionId = row.question_id ?? index;
    const id = seen.has(String(questionId)) ? `${questionId}#${index}` : String(questionId);
    seen.add(id);
    return {
      id,
      questionId,
      dbId: row.db_id,
      question: row.question,
      evidence: row.evidence ?? "",
      sql: row.SQL,
      difficulty: row.difficulty ?? "",
    };
  });
}

/**
 * BIRD's second edition of some gold queries, which return all rows that tie for first place. Published scores
 * are made with them: of four systems' 516 scored predictions on superhero, all agree with these golds, and
 * 497 with those of dev.json.
 */
function readTiedGold(questionsPath: string, published: readonly BirdQuestion[]): Map<string, string> {
  const path = tiedGoldPath(questionsPath);
  const gold = new Map<string, string>();
  if (!existsSync(path)) return gold;
  const known = byNumber(published);
  for (const [key, tied] of byNumber(readQuestions(path))) {
    const questions = known.get(key) ?? [];
    for (const [n, { question, sql }] of tied.entries()) {
      // A number that comes twice: the question with the same words is meant, or else the n-th.
      const own = questions.find((other) => other.question === question) ?? questions[n];
      if (own !== undefined) gold.set(own.id, sql);
    }
  }
  return gold;
}

/** Where the gold queries that allow for ties are, if there are any. */
export const tiedGoldPath = (questionsPath: string): string =>
  questionsPath.replace(/\.jsonl?$/, "_tied_append.json");

function readRows(path: string): unknown[] {
  const rows = readRecords(path);
  if (Array.isArray(rows)) return rows;
  throw new LseError(`${path}: not a list of questions`, "Give a file like BIRD's dev.json");
}

const tablesSchema = z.array(
  z.object({
    db_id: z.string(),
    table_names_original: z.array(z.string()),
    column_names: z.array(z.tuple([z.int(), z.string()])),
    column_names_original: z.array(z.tuple([z.int(), z.string()])),
  }),
);

function readColumnNames(root: string): Map<string, Map<string, string>> {
  const names = new Map<string, Map<string, string>>();
  for (const file of readdirSync(root).filter((name) => name.endsWith("_tables.json"))) {
    const path = join(root, file);
    const parsed = tablesSchema.safeParse(readJson(path));
    if (!parsed.success) throw malformed(path, parsed.error);
    for (const { db_id, table_names_original, column_names, column_names_original } of parsed.data) {
      const columns = new Map<string, string>();
      for (const [i, [table, column]] of column_names_original.entries()) {
        const readable = column_names[i]?.[1];
        if (table >= 0 && readable) columns.set(`${table_names_original[table]}.${column}`, readable);
      }
      names.set(db_id, columns);
    }
  }
  return names;
}

function readSchemas(root: string): Map<string, string> {
  const path = join(root, "db2schema.json");
  if (!existsSync(path)) return new Map();
  const parsed = z.record(z.string(), z.string()).safeParse(readJson(path));
  if (!parsed.success) throw malformed(path, parsed.error);
  return new Map(Object.entries(parsed.data));
}

function malformed(path: string, error: z.ZodError): LseError {
  const issue = error.issues[0];
  return new LseError(
    `${path}: field ${issue?.path.join(".")}: ${issue?.message}`,
    "Download the file again from BIRD",
  );
}
