/** A lock on a folder: one process at a time works in it, and a crash leaves nothing in the way. */
import { createHash, randomUUID } from "node:crypto";
import {
  closeSync,
  existsSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { LseError } from "../errors.js";
import { makeFolder } from "./files.js";

/** The lock's file in a folder; a lock on a file has its own name before this. */
export const LOCK = ".lock";

const ownerSchema = z.object({
  pid: z.int().min(1),
  host: z.string(),
  /** What it does, such as "lse evolve". */
  command: z.string(),
  /** When it took the lock, in ISO 8601. */
  since: z.string(),
  /** When the process began, in ticks since the machine did: tells a process from a later one of the same number. */
  started: z.string().nullable(),
});

/** Who holds a lock. */
export type LockOwner = z.infer<typeof ownerSchema>;

/**
 * A lock that this process holds until it is disposed of, or the process exits.
 *
 * The file is made whole under another name and linked to its own, which only one process can do. A lock whose process
 * is gone is succeeded, not deleted: its successor is the file that has the lock's hash in its name, which again only
 * one process can make, and which then replaces the lock. So a slow process cannot take away the lock of a quick one.
 */
export class FolderLock implements Disposable {
  /**
   * @param folder exists
   * @param command what works in it, such as "lse evolve"
   * @throws LseError saying who holds it, or why it cannot be locked
   */
  static take(folder: string, command: string): FolderLock {
    return FolderLock.takeFile(join(folder, LOCK), command, folder);
  }

  /**
   * Makes a folder and locks it. When the lock is released and nothing else is in the folder by then, it goes again.
   * @throws as `take`
   */
  static takeNew(folder: string, command: string): FolderLock {
    const isNew = !existsSync(folder);
    makeFolder(folder);
    const lock = FolderLock.take(folder, command);
    if (isNew) lock.#empty = folder;
    return lock;
  }

  /** Locks a file by another one beside it. @throws as `take` */
  static takeFor(file: string, command: string): FolderLock {
    return FolderLock.takeFile(`${file}${LOCK}`, command, file);
  }

  /** @throws LseError saying who holds the folder, if somebody does */
  static requireFree(folder: string): void {
    const path = join(folder, LOCK);
    const { owner } = lastOf(path);
    if (owner !== null && isAlive(owner)) throw heldBy(owner, path, folder);
  }

  private static takeFile(path: string, command: string, what: string): FolderLock {
    const owner: LockOwner = {
      pid: process.pid,
      host: hostname(),
      command,
      since: new Date().toISOString(),
      started: startOf(process.pid),
    };
    const text = `${JSON.stringify({ ...owner, token: randomUUID() })}\n`;
    try {
      for (;;) {
        const last = lastOf(path);
        if (last.owner !== null && isAlive(last.owner)) throw heldBy(last.owner, path, what);
        if (!createWhole(last.next, text)) continue;
        // Somebody may have followed the same way to its end before.
        const now = lastOf(path);
        if (now.text !== text) {
          rmSync(last.next, { force: true });
          continue;
        }
        if (last.next !== path) renameSync(last.next, path);
        return new FolderLock(path, text);
      }
    } catch (cause) {
      if (cause instanceof LseError) throw cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new LseError(
        `${what}: cannot be locked (${why})`,
        "Check the folder, its permissions and the disk",
        {
          cause,
        },
      );
    }
  }

  /** A folder that goes with the lock if it is empty then. */
  #empty: string | undefined;

  private constructor(
    readonly path: string,
    private readonly text: string,
  ) {
    if (held.size === 0) process.on("exit", releaseAll);
    held.add(this);
  }

  [Symbol.dispose](): void {
    held.delete(this);
    if (held.size === 0) process.off("exit", releaseAll);
    try {
      // A folder that was deleted while this process worked in it may be another's by now.
      if (read(this.path) === this.text) rmSync(this.path, { force: true });
      if (this.#empty !== undefined && readdirSync(this.#empty).length === 0) rmdirSync(this.#empty);
    } catch {
      // What stays is the lock of a process that is gone, which is in nobody's way.
    }
  }
}

/** The locks of this process. */
const held = new Set<FolderLock>();

function releaseAll(): void {
  for (const lock of held) lock[Symbol.dispose]();
}

/** The newest lock on the way from `path` over successors: its text, its owner if that can be read, its successor's path. */
function lastOf(path: string): { text: string | null; owner: LockOwner | null; next: string } {
  let last: { text: string | null; owner: LockOwner | null; next: string } = {
    text: null,
    owner: null,
    next: path,
  };
  for (;;) {
    const text = read(last.next);
    if (text === null) return last;
    last = { text, owner: ownerIn(text), next: `${path}.${hashOf(text)}` };
    if (last.owner !== null && isAlive(last.owner)) return last;
  }
}

const hashOf = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 16);

/** Null for a file that is not there. */
function read(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw cause;
  }
}

/** Null for what no process of ours has written whole: nobody can be asked whether it still runs. */
function ownerIn(text: string): LockOwner | null {
  try {
    return ownerSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** Makes a file that is there with its whole content or not at all. @returns false when it exists */
function createWhole(path: string, text: string): boolean {
  const draft = `${path}.${randomUUID()}`;
  try {
    writeFileSync(draft, text, { flag: "wx" });
    linkSync(draft, path);
    return true;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    if (!WITHOUT_LINKS.has(code)) throw cause;
    return createAtOnce(path, text);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** What file systems say that have no links, such as exFAT. */
const WITHOUT_LINKS: ReadonlySet<string | undefined> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

function createAtOnce(path: string, text: string): boolean {
  let file: number;
  try {
    file = openSync(path, "wx");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw cause;
  }
  try {
    writeFileSync(file, text);
  } finally {
    closeSync(file);
  }
  return true;
}

/** Whether the owner may still be working; one on another machine cannot be asked. */
function isAlive({ pid, host, started }: LockOwner): boolean {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (cause) {
    // It may be there and another user's.
    if ((cause as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const now = startOf(pid);
  return now !== "ended" && (started === null || now === null || now === started);
}

/** When a process began, as Linux counts it; "ended" for one that nobody has waited for; null on other systems. */
function startOf(pid: number): string | null {
  try {
    // The name before it is in brackets and may have blanks and brackets in it.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? "ended" : (fields[19] ?? null);
  } catch {
    return null;
  }
}

function heldBy({ pid, host, command, since }: LockOwner, path: string, what: string): LseError {
  const next =
    host === hostname()
      ? "Wait until it ends, or end it"
      : `Wait until it ends; if it does not run there any more, delete ${path}`;
  return new LseError(`${what}: \`${command}\` works here (process ${pid} on ${host}, since ${since})`, next);
}
