/** Completions of other runs, which need not be paid for again. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { LseError } from "../errors.js";
import type { Journal, RunEvent } from "./journal.js";
import { SavedJournal } from "./journal-file.js";

/**
 * The journals of other runs, read when this is opened. It keeps nothing itself, since every run keeps what it used.
 * Completions are named by all that they depend on, so runs of any method and task may share them.
 */
export class PaidCompletions implements Journal {
  /** Completions that were found. */
  found = 0;

  /**
   * @param folder of a run, or of run folders
   * @throws LseError when there are none, or one cannot be read
   */
  static open(folder: string): PaidCompletions {
    const below = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
    const paths = [folder, ...below.sort()]
      .map((run) => join(run, "events.jsonl"))
      .filter((path) => existsSync(path));
    if (paths.length === 0)
      throw new LseError(`${folder}: no runs here`, "Give `reuse` the folder that runs lie in");
    return new PaidCompletions(paths.map((path) => new SavedJournal(path)));
  }

  private constructor(private readonly files: readonly SavedJournal[]) {}

  /** The same completions with a count of their own. */
  counted(): PaidCompletions {
    return new PaidCompletions(this.files);
  }

  recall<T extends RunEvent["type"]>(type: T, key: string): Extract<RunEvent, { type: T }> | undefined {
    // Anything else belongs to the run that it happened in.
    if (type !== "generation" && type !== "tokens") return undefined;
    for (const file of this.files) {
      const event = file.recall(type, key);
      if (event === undefined) continue;
      if (type === "generation") this.found++;
      return event;
    }
    return undefined;
  }

  record(): void {}
}
