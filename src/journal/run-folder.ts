/** The folder of a run: its files' names, and writing them whole. */
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { LseError } from "../errors.js";
import { makeFolder, readText, replacedBy, replaceFile } from "../lib/files.js";
import { LOCK } from "../lib/folder-lock.js";
import { readJson } from "../lib/json-file.js";
import { readTextFile } from "../lib/text-file.js";
import { SavedJournal } from "./journal-file.js";

const CONFIG = "config.json";
const EVENTS = "events.jsonl";
const TREE = "tree.json";
const BEST = "best.md";
const STOP = "stop";

/** What a run writes itself; those that say most are the first to go. */
const OWN_FILES: ReadonlySet<string> = new Set([STOP, BEST, TREE, EVENTS, CONFIG]);

/** Names in a folder; none where there is no folder. @throws LseError for a file */
function namesIn(path: string): string[] {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory())
    throw new LseError(`${path}: this is a file, and a folder is needed`, "Give another path");
  return readdirSync(path);
}

const hasPaidNothing = (path: string) => new SavedJournal(join(path, EVENTS)).count("generation") === 0;

/**
 * The folder of one run: `config.json` (resolved, enough to run it again), `events.jsonl` (everything that
 * was paid for), `tree.json` and `best.md` (rewritten after each round, derived from the events).
 */
export class RunFolder {
  /**
   * A folder is free when there is nothing in it, or a run that has paid for nothing yet, such as one whose service
   * refused its first request.
   * @throws LseError when it is not, and for a file
   */
  static requireFree(path: string): void {
    const names = namesIn(path).filter((name) => !name.startsWith(LOCK));
    if (names.every((name) => OWN_FILES.has(replacedBy(name))) && hasPaidNothing(path)) return;
    throw new LseError(
      `${path}: this folder exists and is not empty`,
      existsSync(join(path, CONFIG))
        ? `Continue that run with \`lse evolve --resume ${path}\`, or give another folder`
        : "Give another folder",
    );
  }

  /** @throws LseError when the folder exists and is not free, or cannot be made */
  static create(path: string, config: unknown): RunFolder {
    RunFolder.requireFree(path);
    makeFolder(path);
    const own = namesIn(path).filter((name) => OWN_FILES.has(replacedBy(name)));
    const order = [...OWN_FILES];
    own.sort((a, b) => order.indexOf(replacedBy(a)) - order.indexOf(replacedBy(b)));
    for (const name of own) rmSync(join(path, name), { force: true });
    const folder = new RunFolder(path);
    replaceFile(folder.configPath, `${JSON.stringify(config, null, 2)}\n`);
    return folder;
  }

  /** Whether there is a run that has paid for something. */
  static isUsed(path: string): boolean {
    return existsSync(join(path, CONFIG)) && !hasPaidNothing(path);
  }

  /** @throws LseError when the folder holds no run */
  static open(path: string): RunFolder {
    if (!existsSync(join(path, CONFIG))) {
      throw new LseError(`${path}: no run here (${CONFIG} is missing)`, "Give the folder of a run");
    }
    return new RunFolder(path);
  }

  private constructor(readonly path: string) {}

  get configPath(): string {
    return join(this.path, CONFIG);
  }

  get eventsPath(): string {
    return join(this.path, EVENTS);
  }

  get treePath(): string {
    return join(this.path, TREE);
  }

  /** A file that ends the run cleanly after its round. */
  get stopPath(): string {
    return join(this.path, STOP);
  }

  /** The resolved configuration, as JSON. */
  readConfig(): unknown {
    return readJson(this.configPath);
  }

  /** @throws LseError before the first round is complete */
  readTree(): string {
    if (!existsSync(this.treePath)) {
      throw new LseError(
        `${this.treePath}: not written yet`,
        `The seed instructions are not scored: continue with \`lse evolve --resume ${this.path}\``,
      );
    }
    return readTextFile(this.treePath);
  }

  writeTree(json: string): void {
    replaceFile(this.treePath, json);
  }

  /** @throws LseError before the seed instructions are scored */
  readBest(): string {
    const text = readText(join(this.path, BEST));
    if (text) return text;
    throw new LseError(
      `${join(this.path, BEST)}: not written yet`,
      `The seed instructions are not scored: continue with \`lse evolve --resume ${this.path}\``,
    );
  }

  /** The best instructions so far, as they go into a prompt. */
  writeBest(instructions: string): void {
    replaceFile(join(this.path, BEST), `${instructions}\n`);
  }
}
