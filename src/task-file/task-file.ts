/** Loads a task that a user wrote in a file. */
import { existsSync } from "node:fs";
import { basename, extname } from "node:path";
import { pathToFileURL } from "node:url";
import { LseError } from "../errors.js";
import { hashFile, hashJson } from "../lib/hash.js";
import type { Task } from "../task.js";
import { CheckedTask, type GivenTask, messageOf, taskProblem } from "./checked-task.js";

/** Seconds that grading an answer may take, unless a configuration says otherwise. */
export const DEFAULT_GRADE_SECONDS = 300;

/** The default export of a task's file. */
export type TaskFactory = (options: Readonly<Record<string, string>>) => GivenTask | Promise<GivenTask>;

const WRITE_SO = "See docs/custom-task.md for a complete example";

/**
 * Opens the task of a file. Its content and the options are part of the fingerprint, so a run does not resume with
 * different ones.
 * @param path an ES module; TypeScript if Node runs it (22.18 and newer) or a loader is registered
 * @param gradeMs how long grading an answer may take, in milliseconds
 * @throws LseError naming the file and the member that is missing or wrong
 */
export async function openTaskFile(
  path: string,
  options: Readonly<Record<string, string>>,
  gradeMs = 1000 * DEFAULT_GRADE_SECONDS,
): Promise<Task> {
  if (!existsSync(path)) throw new LseError(`${path}: no such file`, "Set `task.path` to the file of a task");
  const factory = await factoryOf(path);
  let given: GivenTask;
  try {
    given = await factory(options);
  } catch (cause) {
    if (cause instanceof LseError) throw cause;
    throw new LseError(
      `${path}: making the task failed: ${messageOf(cause)}`,
      "Correct the file, or the values in `task.options`",
      { cause },
    );
  }
  const problem = taskProblem(given);
  if (problem !== null) throw new LseError(`${path}: ${problem}`, WRITE_SO);
  const fingerprint = hashJson([await hashFile(path), options, given.fingerprint ?? given.problemIds]);
  const id = given.id ?? basename(path, extname(path));
  return new CheckedTask(given, { id, fingerprint, origin: path, gradeMs });
}

async function factoryOf(path: string): Promise<TaskFactory> {
  let module: { default?: unknown };
  try {
    module = (await import(pathToFileURL(path).href)) as { default?: unknown };
  } catch (cause) {
    const isTypeScript = (cause as NodeJS.ErrnoException).code === "ERR_UNKNOWN_FILE_EXTENSION";
    throw new LseError(
      `${path}: cannot be loaded: ${messageOf(cause)}`,
      isTypeScript ? "Compile it to JavaScript, or run Node 22.18 or newer" : "Correct the file",
      { cause },
    );
  }
  if (typeof module.default === "function") return module.default as TaskFactory;
  throw new LseError(`${path}: its default export is not a function that makes a task`, WRITE_SO);
}
