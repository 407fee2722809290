/** The part of a file that is there, and its own journal. */
import {
  appendFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { LseError } from "../errors.js";

/** Bytes from `from` up to, without, `to`. */
export type Range = readonly [from: number, to: number];

/** What the bytes in a part are of. */
export interface FileContent {
  readonly url: string;
  readonly bytes: number | null;
  readonly sha256: string | null;
  /** The server's name for this version of the file: its ETag, or when it was changed. */
  readonly version: string | null;
}

/**
 * A file that is not complete yet: `<name>.part` holds its bytes, each at its place, and `<name>.part.jsonl` says what
 * they are of, then which of them are there, a range a line. A killed process leaves both, and the next goes on.
 */
export class PartFile implements AsyncDisposable {
  readonly #journal: string;
  #content: FileContent | null = null;
  #ranges: Range[] = [];

  private constructor(
    readonly target: string,
    readonly path: string,
    private readonly file: FileHandle,
  ) {
    this.#journal = `${path}.jsonl`;
  }

  /** @throws LseError when the folder cannot be written to, or has files of these names that are others */
  static async open(target: string): Promise<PartFile> {
    const path = `${target}.part`;
    try {
      await mkdir(dirname(target), { recursive: true });
      requireOwn(path);
      const file = await open(path, "r+").catch(() => open(path, "w+"));
      const part = new PartFile(target, path, file);
      const { content, ranges } = readPart(path);
      part.#content = content;
      part.#ranges = ranges;
      if (content !== null) part.#rewrite();
      return part;
    } catch (error) {
      throw unwritable(path, error);
    }
  }

  /** What the bytes are of; null when there are none. */
  get content(): FileContent | null {
    return this.#content;
  }

  /** Bytes that are there. */
  get got(): number {
    return total(this.#ranges);
  }

  /** Forgets what is there. */
  async reset(content: FileContent): Promise<void> {
    try {
      if ((await this.file.stat()).size > 0) await this.file.truncate(0);
    } catch (error) {
      throw unwritable(this.path, error);
    }
    this.#content = content;
    this.#ranges = [];
    this.#rewrite();
  }

  /** What is not there of `bytes`, in ranges of at most `longest`. */
  missing(bytes: number, longest: number): Range[] {
    const gaps: Range[] = [];
    let position = 0;
    for (const [from, to] of [...this.#ranges, [bytes, bytes] as const]) {
      for (; position < from; position += longest) gaps.push([position, Math.min(position + longest, from)]);
      position = to;
    }
    return gaps;
  }

  async write(chunk: Uint8Array, position: number): Promise<void> {
    try {
      let written = 0;
      while (written < chunk.length) {
        const { bytesWritten } = await this.file.write(
          ...([chunk, written, chunk.length - written, position + written] as const),
        );
        written += bytesWritten;
      }
    } catch (error) {
      throw unwritable(this.path, error);
    }
  }

  /** Keeps in mind that a range has been written. */
  record(range: Range): void {
    this.#ranges = merge([...this.#ranges, range]);
    try {
      appendFileSync(this.#journal, `${JSON.stringify(range)}\n`);
    } catch (error) {
      throw unwritable(this.path, error);
    }
  }

  /** Gives it its name. */
  async complete(): Promise<void> {
    try {
      await this.file.sync();
      await this.file.close();
      renameSync(this.path, this.target);
      rmSync(this.#journal, { force: true });
    } catch (error) {
      throw unwritable(this.target, error);
    }
  }

  /** Removes it. */
  async discard(): Promise<void> {
    await this.file.close();
    rmSync(this.path, { force: true });
    rmSync(this.#journal, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.got === 0) await this.discard();
    else await this.file.close();
  }

  #rewrite(): void {
    const lines = [this.#content, ...this.#ranges].map((line) => `${JSON.stringify(line)}\n`);
    try {
      writeFileSync(`${this.#journal}.new`, lines.join(""));
      renameSync(`${this.#journal}.new`, this.#journal);
    } catch (error) {
      throw unwritable(this.path, error);
    }
  }
}

/** Bytes that an earlier process got of the file at `target`. */
export const bytesInPart = (target: string): number => total(readPart(`${target}.part`).ranges);

const contentSchema = z.strictObject({
  url: z.string(),
  bytes: z.number().nullable(),
  sha256: z.string().nullable(),
  version: z.string().nullable(),
});
const rangeSchema = z.tuple([z.int().min(0), z.int().min(0)]);

/** What an earlier process got; nothing where there is nothing that can be relied on. */
function readPart(path: string): { content: FileContent | null; ranges: Range[] } {
  try {
    const size = statSync(path).size;
    const [header = "", ...lines] = readFileSync(`${path}.jsonl`, "utf8").split("\n");
    const content = contentSchema.parse(JSON.parse(header));
    // The last line is empty, or one that a killed process did not finish.
    const ranges = lines.slice(0, -1).map((line) => rangeSchema.parse(JSON.parse(line)));
    return { content, ranges: merge(ranges.map(([from, to]) => [from, Math.min(to, size)] as const)) };
  } catch {
    return { content: null, ranges: [] };
  }
}

/** @throws LseError for a file of this name that has something in it and was not begun by a download */
function requireOwn(path: string): void {
  const other = (file: string) =>
    new LseError(
      `${file}: it is there, and not of a download that was begun here`,
      "Move it away, then try again",
    );
  const journal = `${path}.jsonl`;
  if (!existsSync(journal)) {
    if (existsSync(path) && statSync(path).size > 0) throw other(path);
    return;
  }
  const [header = ""] = readFileSync(journal, "utf8").split("\n", 1);
  try {
    contentSchema.parse(JSON.parse(header));
  } catch {
    throw other(journal);
  }
}

const total = (ranges: readonly Range[]): number => ranges.reduce((sum, [from, to]) => sum + to - from, 0);

/** Ranges in order, those that touch as one. */
function merge(ranges: readonly Range[]): Range[] {
  const merged: Range[] = [];
  for (const [from, to] of ranges.filter(([from, to]) => from < to).sort(([a], [b]) => a - b)) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1]) merged[merged.length - 1] = [last[0], Math.max(last[1], to)];
    else merged.push([from, to]);
  }
  return merged;
}

/** What this machine has against writing a file. */
export function unwritable(path: string, error: unknown): LseError {
  if (error instanceof LseError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new LseError(`${path}: the disk is full`, "Make room; the same command goes on where it stopped", {
      cause: error,
    });
  }
  return new LseError(`${path}: cannot be written (${code ?? message})`, "Give another folder with `to`", {
    cause: error,
  });
}
