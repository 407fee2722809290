/** Evaluated prefixes in the cache folder: a later process reads in a moment what this one has evaluated. */
import { createHash } from "node:crypto";
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  utimesSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { makeFolder, replaceFile } from "../../lib/files.js";
import { hashJson } from "../../lib/hash.js";

/** Tokens up to the end of a chunk, and the bytes of their cells. */
export interface Prefix {
  readonly tokens: readonly number[];
  readonly state: Uint8Array;
}

/** The first line of a file; the cells' bytes come after it. */
const headerSchema = z.strictObject({ tokens: z.array(z.int()).min(1), sha256: z.string() });

/** Longest first line that is read. */
const MOST_HEADER_BYTES = 2 ** 20;

/** Bytes of all models' prefixes together. */
const MOST_BYTES = 2 * 2 ** 30;

/** A file that can be read. */
interface PrefixFile {
  readonly path: string;
  readonly tokens: readonly number[];
}

/** Where all models' prefixes are, and what is kept of a model under its settings. */
export class PrefixFolder {
  readonly #files = new Map<string, PrefixFiles>();

  /** @param conditions that the bytes of a prefix depend on beside its tokens and its name, as JSON */
  constructor(
    private readonly path: string,
    private readonly conditions: readonly unknown[],
    private readonly mostBytes = MOST_BYTES,
  ) {}

  /** @param name what prefixes were evaluated under: the adapter */
  of(name: string): PrefixFiles {
    const key = hashJson([this.conditions, name]);
    const files = this.#files.get(key) ?? new PrefixFiles(join(this.path, key), this.mostBytes);
    this.#files.set(key, files);
    return files;
  }
}

/**
 * The prefixes of one model under one adapter: a folder of files that anyone may remove at any time. What cannot be read
 * or written is done without: it is evaluated then.
 */
class PrefixFiles {
  #files: PrefixFile[] | undefined;

  constructor(
    private readonly folder: string,
    private readonly mostBytes: number,
  ) {}

  list(): readonly PrefixFile[] {
    this.#files ??= namesIn(this.folder).flatMap((name) => {
      const path = join(this.folder, name);
      const header = readHeader(path);
      return header === null ? [] : [{ path, tokens: header.tokens }];
    });
    return this.#files;
  }

  /** The bytes of a prefix, or null for a file that is damaged, which goes. */
  read(file: PrefixFile): Uint8Array | null {
    const { path } = file;
    try {
      const header = readHeader(path);
      const content = readFileSync(path);
      const state = content.subarray(content.indexOf("\n") + 1);
      if (header?.sha256 === sha256(state)) {
        quietly(() => utimesSync(path, new Date(), new Date()));
        // Off the pool of small buffers, at an address of its own.
        return new Uint8Array(state);
      }
    } catch {
      // Somebody has removed it meanwhile.
    }
    this.remove(file);
    return null;
  }

  /** Takes a file off the list, and off the disk where that may be done. */
  remove({ path }: PrefixFile): void {
    quietly(() => rmSync(path, { force: true }));
    this.#files = this.list().filter((file) => file.path !== path);
  }

  /** Keeps a prefix, unless it is there. Those that were used longest ago make room. */
  write({ tokens, state }: Prefix): void {
    const path = join(this.folder, `${hashJson(tokens)}.kv`);
    const others = this.list().filter((file) => file.path !== path);
    if (others.length < this.list().length) return;
    quietly(() => {
      makeFolder(this.folder);
      const header = `${JSON.stringify({ tokens, sha256: sha256(state) })}\n`;
      replaceFile(path, Buffer.concat([Buffer.from(header), state]));
      this.#files = [...others, { path, tokens }];
      this.#makeRoom(path);
    });
  }

  /** Removes files of any model, the longest unused first, until the rest is small enough. */
  #makeRoom(newest: string): void {
    const all = dirname(this.folder);
    const files = namesIn(all)
      .flatMap((model) => namesIn(join(all, model)).map((name) => join(all, model, name)))
      .map((path) => ({ path, stat: statSync(path, { throwIfNoEntry: false }) }))
      .sort((a, b) => (a.stat?.mtimeMs ?? 0) - (b.stat?.mtimeMs ?? 0));
    let bytes = files.reduce((sum, { stat }) => sum + (stat?.size ?? 0), 0);
    for (const { path, stat } of files) {
      if (bytes <= this.mostBytes) return;
      if (path === newest) continue;
      rmSync(path, { force: true });
      bytes -= stat?.size ?? 0;
    }
  }
}

function readHeader(path: string): z.infer<typeof headerSchema> | null {
  try {
    const file = openSync(path, "r");
    try {
      const start = Buffer.alloc(Math.min(MOST_HEADER_BYTES, statSync(path).size));
      readSync(file, start);
      return headerSchema.parse(JSON.parse(start.subarray(0, start.indexOf("\n")).toString()));
    } finally {
      closeSync(file);
    }
  } catch {
    return null;
  }
}

/** None for what is no folder, or one that cannot be read. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** For what may fail on a full disk, or in a folder that is only to be read. */
function quietly(work: () => void): void {
  try {
    work();
  } catch {
    // The cache is done without.
  }
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
