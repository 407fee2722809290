/** events.jsonl: the journal of a run as a file. */
import { appendFileSync, closeSync, fstatSync, fsyncSync, ftruncateSync, openSync } from "node:fs";
import { LseError } from "../errors.js";
import { type LogFormat, type LogLines, mendLog, readLog } from "../lib/json-lines.js";
import { EVENT_FIELDS } from "./event-schema.js";
import type { Journal, RunEvent } from "./journal.js";

/** The events of a run as its file has them: one JSON object a line. Reading changes nothing. */
export class SavedJournal {
  /** Lines stay bytes until they are asked for: a run's generations are large and mostly read once. */
  readonly #lines = new Map<string, Buffer>();
  readonly #counts = new Map<string, number>();
  /** The file as it was read; a kill may have left half a line at its end. */
  protected readonly log: LogLines;

  /**
   * @param chunkBytes how much is read at once: a journal may be larger than one buffer can be
   * @throws LseError when a line that is not the last one cannot be read, or this is another file
   */
  constructor(
    readonly path: string,
    chunkBytes?: number,
  ) {
    this.log = readLog(path, FORMAT, chunkBytes);
    for (const [i, line] of this.log.lines.entries()) {
      const name = eventName(line);
      if (name === null) throw damaged(path, `line ${i + 1} is not an event`);
      this.keep(name, line);
    }
  }

  /** Types of the events that there are. */
  get types(): RunEvent["type"][] {
    return [...this.#counts.keys()] as RunEvent["type"][];
  }

  recall<T extends RunEvent["type"]>(type: T, key: string): Extract<RunEvent, { type: T }> | undefined {
    const line = this.#lines.get(`${type}:${key}`);
    return line === undefined ? undefined : (eventIn(line, this.path) as Extract<RunEvent, { type: T }>);
  }

  /** All events of a type, in the order in which they happened. */
  *all<T extends RunEvent["type"]>(type: T): Generator<Extract<RunEvent, { type: T }>> {
    for (const [name, line] of this.#lines)
      if (name.startsWith(`${type}:`)) yield eventIn(line, this.path) as Extract<RunEvent, { type: T }>;
  }

  /** How many events of a type there are. */
  count(type: RunEvent["type"]): number {
    return this.#counts.get(type) ?? 0;
  }

  protected has(name: string): boolean {
    return this.#lines.has(name);
  }

  protected keep(name: string, line: Buffer): void {
    this.#lines.set(name, line);
    const type = name.slice(0, name.indexOf(":"));
    this.#counts.set(type, (this.#counts.get(type) ?? 0) + 1);
  }
}

/**
 * The journal of a run: its event file, appended to and never rewritten. Each event is handed to the
 * operating system before `record` returns, so killing this process loses none; `sync` guards against the
 * machine going down as well. The half line that a kill may leave at the end is dropped.
 */
export class JournalFile extends SavedJournal implements Journal, Disposable {
  readonly #file: number;
  /** Called for every event that was not in the file before. */
  onEvent: ((event: RunEvent) => void) | undefined;

  constructor(path: string) {
    super(path);
    try {
      mendLog(path, this.log);
      this.#file = openSync(path, "a");
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new LseError(`${path}: cannot write (${why})`, "Check the folder and its permissions", { cause });
    }
  }

  record(event: RunEvent): void {
    const name = `${event.type}:${event.key}`;
    if (this.has(name)) return;
    const line = Buffer.from(JSON.stringify(event));
    const before = fstatSync(this.#file).size;
    try {
      appendFileSync(this.#file, Buffer.concat([line, NEWLINE]));
    } catch (cause) {
      ftruncateSync(this.#file, before);
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new LseError(
        `${this.path}: cannot write (${why})`,
        "Make room on the disk, then resume the run",
        {
          cause,
        },
      );
    }
    this.keep(name, line);
    this.onEvent?.(event);
  }

  sync(): void {
    fsyncSync(this.#file);
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}

/** The event of a line. Version 0.1 called a node's score its reward. @throws LseError for fields of the wrong type */
function eventIn(line: Buffer, path: string): RunEvent {
  const { reward, ...event } = JSON.parse(line.toString()) as RunEvent & { reward?: unknown };
  const isOld = (event.type === "node" || event.type === "refined") && event.score === undefined;
  const given = isOld ? { ...event, score: reward } : reward === undefined ? event : { ...event, reward };
  const { error } = EVENT_FIELDS[event.type].safeParse(given);
  if (error === undefined) return given as RunEvent;
  const [issue] = error.issues;
  throw damaged(
    path,
    `the event ${event.type} ${event.key}: field ${issue?.path.join(".")}: ${issue?.message}`,
  );
}

const damaged = (path: string, what: string) =>
  new LseError(`${path}: ${what}`, "Restore the file from a copy, or start a new run");

const NEWLINE = Buffer.from("\n");

const FORMAT: LogFormat = {
  what: "a journal of lse",
  begins: Object.keys(EVENT_FIELDS).map((type) => `{"type":"${type}","key":"`),
  isRecord: (value) => nameOf(value) !== null,
};

function eventName(line: Buffer): string | null {
  try {
    return nameOf(JSON.parse(line.toString()));
  } catch {
    return null;
  }
}

function nameOf(value: unknown): string | null {
  const { type, key } = (value ?? {}) as { type?: unknown; key?: unknown };
  return typeof type === "string" && typeof key === "string" ? `${type}:${key}` : null;
}
