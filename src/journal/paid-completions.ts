import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { LseError } from "../errors.js";
import { EventFile } from "./event-log.js";
import type { Journal, RunEvent } from "./journal.js";

/**
 * What other runs have paid for: their journals, read when this is made. It keeps nothing itself, since every run
 * keeps what it used. Completions are named by all that they depend on, so runs of any method and task may share them.
 */
export class PaidCompletions implements Journal {
  readonly #files: readonly EventFile[];
  /** Completions that were found. */
  found = 0;

  /**
   * @param folder of a run, or of run folders
   * @throws LseError when there are none, or one cannot be read
   */
  constructor(folder: string) {
    const below = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
    const paths = [folder, ...below.sort()]
      .map((run) => join(run, "events.jsonl"))
      .filter((path) => existsSync(path));
    if (paths.length === 0)
      throw new LseError(`${folder}: no runs here`, "Give --reuse the folder that runs lie in");
    this.#files = paths.map((path) => new EventFile(path));
  }

  recall<T extends RunEvent["type"]>(type: T, key: string): Extract<RunEvent, { type: T }> | undefined {
    // Anything else belongs to the run that it happened in.
    if (type !== "generation" && type !== "tokens") return undefined;
    for (const file of this.#files) {
      const event = file.recall(type, key);
      if (event === undefined) continue;
      if (type === "generation") this.found++;
      return event;
    }
    return undefined;
  }

  record(): void {}
}
