/** The folder of a run: its files' names, and writing them whole. */
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LseError } from "../errors.js";
import { replaceFile } from "../lib/files.js";
import { readJson } from "../lib/json-file.js";

const CONFIG = "config.json";

/**
 * The folder of one run: `config.json` (resolved, enough to run it again), `events.jsonl` (everything that
 * was paid for), `tree.json` and `best.md` (rewritten after each round, derived from the events).
 */
export class RunFolder {
  /** @throws LseError when the folder exists and is not empty */
  static requireFree(path: string): void {
    if (existsSync(path) && readdirSync(path).length > 0) {
      throw new LseError(
        `${path}: this folder exists and is not empty`,
        existsSync(join(path, CONFIG))
          ? `Continue that run with \`lse evolve --resume ${path}\`, or give another folder`
          : "Give another folder",
      );
    }
  }

  /** @throws LseError when the folder exists and is not empty */
  static create(path: string, config: unknown): RunFolder {
    RunFolder.requireFree(path);
    mkdirSync(path, { recursive: true });
    const folder = new RunFolder(path);
    replaceFile(folder.configPath, `${JSON.stringify(config, null, 2)}\n`);
    return folder;
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
    return join(this.path, "events.jsonl");
  }

  get treePath(): string {
    return join(this.path, "tree.json");
  }

  /** A file that ends the run cleanly after its round. */
  get stopPath(): string {
    return join(this.path, "stop");
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
    return readFileSync(this.treePath, "utf8");
  }

  writeTree(json: string): void {
    replaceFile(this.treePath, json);
  }

  /** The best instructions so far, as they go into a prompt. */
  writeBest(instructions: string): void {
    replaceFile(join(this.path, "best.md"), `${instructions}\n`);
  }
}
