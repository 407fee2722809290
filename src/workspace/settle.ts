/** Decides after a run whether its best instructions become the manual. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { LseError } from "../errors.js";
import { treeFromJson } from "../evolve/tree-file.js";
import { SavedJournal } from "../journal/journal-file.js";
import { RunFolder } from "../journal/run-folder.js";
import { replaceFile } from "../lib/files.js";
import { checked, readJson } from "../lib/json-file.js";
import type { Workspace } from "./folder.js";
import { readProblems } from "./problems.js";

const interval = { mean: z.number(), low: z.number(), high: z.number() };

const settledSchema = z.strictObject({
  /**
   * "taken": its best instructions became the manual; "kept": none were better; "edited": someone changed the manual
   * meanwhile.
   */
  outcome: z.enum(["taken", "kept", "edited"]),
  questions: z.int(),
  /** Number of holdout problems, and scores of the first and the best instructions on them. */
  holdout: z.int(),
  start: z.number(),
  best: z.number(),
  /** Score of the best instructions on the test; null if there was none. */
  test: z.strictObject({ problems: z.int(), ...interval }).nullable(),
  /** How much better that is than the first instructions, on the same problems; null if not measured. */
  gain: z.strictObject(interval).nullable(),
});

/** What a run did with the manual. */
export type Settled = z.infer<typeof settledSchema>;

const FILE = "manual.json";

/** Null if it is not settled yet. @throws LseError for a file that cannot be read */
export function readSettled(folder: Workspace, run: string): Settled | null {
  const path = join(folder.runPath(run), FILE);
  return existsSync(path)
    ? checked(settledSchema, readJson(path), path, "Delete it, and run `lse evolve` again")
    : null;
}

/** Whether a run has finished. */
export function isDone(folder: Workspace, run: string): boolean {
  return (
    new SavedJournal(RunFolder.open(folder.runPath(run)).eventsPath).recall("done", "done") !== undefined
  );
}

/**
 * Makes the best instructions of a finished run the manual, if they did better on the holdout than what the run started
 * from, and if nobody has edited the manual meanwhile. The test decides nothing.
 */
export function settle(folder: Workspace, run: string, gain: Settled["gain"]): Settled {
  const home = RunFolder.open(folder.runPath(run));
  const { tree } = treeFromJson(home.readTree(), home.treePath);
  const { start, questions } = readProblems(folder.problemsPath(run));
  const events = new SavedJournal(home.eventsPath);
  const test = events.recall("test", "test");
  if (events.recall("done", "done") === undefined)
    throw new LseError(`${home.path}: this run is not over`, "Let `lse evolve` finish it");
  const best = tree.best();
  const manual = folder.manual();
  // The process may have been killed between writing the manual and writing this file.
  const isTaken = best.id !== 0 && manual === best.instructions.trim();
  const isUntouched = isTaken || manual === null || manual === start.trim();
  const outcome = best.id === 0 ? "kept" : isUntouched ? "taken" : "edited";
  if (outcome === "taken") folder.writeManual(best.instructions);
  const holdout = new Set(
    [...events.all("answer")].flatMap(({ phase, problem }) => (phase === "holdout" ? [problem] : [])),
  );
  const settled: Settled = {
    outcome,
    questions: questions.length,
    holdout: holdout.size,
    start: tree.root.score,
    best: best.score,
    test:
      test === undefined
        ? null
        : { problems: test.problems, mean: test.mean, low: test.low, high: test.high },
    gain,
  };
  replaceFile(join(home.path, FILE), `${JSON.stringify(settled, null, 2)}\n`);
  return settled;
}
