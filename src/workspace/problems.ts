/** The problems of a run: its questions, schema and manual as they were when it began. */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { LseError } from "../errors.js";
import { makeFolder, replaceFile } from "../lib/files.js";
import { checked, readJson } from "../lib/json-file.js";
import { ENGINES, PROMPTS, relativeTo, type Workspace } from "./folder.js";
import { formOf } from "./forms.js";
import { FEWEST_IN_BATCH, FEWEST_QUESTIONS, type Parts } from "./protocol.js";
import { QuestionFile } from "./questions.js";
import { assignRoles, ROLES, type Role } from "./roles.js";

const problemsSchema = z.strictObject({
  /** Name of the workspace. */
  name: z.string(),
  /** Its path; in the file relative to that. */
  database: z.string().min(1),
  engine: z.enum(ENGINES),
  prompts: z.enum(PROMPTS),
  schema: z.string(),
  /** The instructions that evolution starts from. */
  start: z.string(),
  questions: z.array(
    z.strictObject({
      id: z.string().min(1),
      question: z.string(),
      evidence: z.string(),
      sql: z.string(),
      isRows: z.boolean(),
      line: z.int(),
      role: z.enum(ROLES),
    }),
  ),
});

/**
 * Everything that a run is about, recorded when it starts. Questions, schema and manual may be edited while it runs, and
 * it can still be resumed and measured afterwards.
 */
export type Problems = z.infer<typeof problemsSchema>;

/** The problems that the workspace has now. @throws LseError for files that cannot be used */
export function problemsOf(folder: Workspace): Problems {
  const { engine, prompts } = folder.config;
  const { questions } = new QuestionFile(folder.questionsPath);
  const roles = assignRoles(
    questions.map(({ id }) => id),
    earlierRoles(folder),
  );
  return {
    name: folder.name,
    database: folder.databasePath,
    engine,
    prompts,
    schema: folder.schema(),
    start: folder.manual() ?? formOf(prompts, engine).seedInstructions,
    questions: questions.map((question) => ({ ...question, role: roles.get(question.id) as Role })),
  };
}

/** @throws LseError naming the field that is wrong */
export function readProblems(path: string): Problems {
  const next = "It is written by `lse evolve`: restore it, or start a new run";
  const { database, ...problems } = checked(problemsSchema, readJson(path), path, next);
  return { ...problems, database: resolve(dirname(path), database) };
}

export function writeProblems(path: string, problems: Problems): void {
  makeFolder(dirname(path));
  const saved = { ...problems, database: relativeTo(dirname(path), problems.database) };
  replaceFile(path, `${JSON.stringify(saved, null, 2)}\n`);
}

/** How many questions have which role. */
export function partsOf({ questions }: Problems): Parts {
  const count = (role: Role) => questions.filter((question) => question.role === role).length;
  return { test: count("test"), holdout: count("holdout"), pool: count("pool") };
}

/** @throws LseError saying how many more questions to write */
export function requireEnough(problems: Problems, questionsPath: string): void {
  const total = problems.questions.length;
  if (total < FEWEST_QUESTIONS)
    throw new LseError(
      `${questionsPath}: ${total === 1 ? "1 question" : `${total} questions`} so far, but evolution needs at least ${FEWEST_QUESTIONS}`,
      `Write ${FEWEST_QUESTIONS - total} more; 30 are a good start`,
    );
  const { holdout, pool } = partsOf(problems);
  const missing = Math.max(FEWEST_IN_BATCH - holdout, FEWEST_IN_BATCH - pool);
  if (missing > 0)
    throw new LseError(
      `${questionsPath}: of ${total} questions only ${holdout} can score instructions and ${pool} be learned from, because test questions stay test questions`,
      `Write ${missing} more`,
    );
}

function earlierRoles(folder: Workspace): Map<string, Role> {
  const roles = new Map<string, Role>();
  for (const run of folder.runs()) {
    const path = folder.problemsPath(run);
    if (!existsSync(path)) continue;
    for (const { id, role } of readProblems(path).questions) if (!roles.has(id)) roles.set(id, role);
  }
  return roles;
}
