/** Logs of JSON objects, one a line, whose last line a killed process may have left half written. */
import {
  appendFileSync,
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readSync,
  statSync,
  truncateSync,
} from "node:fs";
import { LseError } from "../errors.js";

/** How to tell the lines of a log from those of another file. */
export interface LogFormat {
  /** What the file is, as in "a run's journal". */
  readonly what: string;
  /** What its lines can begin with. */
  readonly begins: readonly string[];
  isRecord(value: unknown): boolean;
}

/** The lines of a log, as bytes without their ends. */
export interface LogLines {
  readonly lines: readonly Buffer[];
  /** Bytes up to the end of the last whole line, or of a last record that only lacks its line break. */
  readonly wholeBytes: number;
  /** Whether the last of `lines` has no line break. */
  readonly lacksBreak: boolean;
}

/** Bytes read at once. */
const CHUNK_BYTES = 1 << 24;
const SMALL_CHUNK_BYTES = 1 << 12;

/**
 * The whole lines of a log; none where there is no file. Reading changes nothing. Lines before the last are not looked at.
 * @param chunkBytes how much is read at once: a log may be larger than one buffer can be
 * @throws LseError when the last line is neither a record nor the beginning of one: then this is another file
 */
export function readLog(path: string, format: LogFormat, chunkBytes = CHUNK_BYTES): LogLines {
  const { lines, last } = linesOf(path, chunkBytes);
  const start = lines.reduce((sum, line) => sum + line.length + 1, 0);
  if (last.length === 0) return { lines, wholeBytes: start, lacksBreak: false };
  const kind = kindOf(last.toString(), format);
  if (kind === "record")
    return { lines: [...lines, last], wholeBytes: start + last.length, lacksBreak: true };
  // After records of the log, half a character may be all that there is of the next.
  if (
    kind === "half" ||
    (kind === "unknown" && lines.some((line) => kindOf(line.toString(), format) === "record"))
  )
    return { lines, wholeBytes: start, lacksBreak: false };
  throw new LseError(
    `${path}: this is not ${format.what}, and is left as it is`,
    "Give the path of another file",
  );
}

/** Drops the half line at the end of a log, and ends a record that lacks its line break. */
export function mendLog(path: string, { wholeBytes, lacksBreak }: LogLines): void {
  if (existsSync(path) && statSync(path).size > wholeBytes) truncateSync(path, wholeBytes);
  if (lacksBreak) appendFileSync(path, "\n");
}

/** Lines without their ends, and what follows the last end. */
function linesOf(path: string, chunkBytes: number): { lines: Buffer[]; last: Buffer } {
  if (!existsSync(path)) return { lines: [], last: Buffer.alloc(0) };
  // To open one waits for somebody who writes.
  if (statSync(path).isFIFO())
    throw new LseError(`${path}: this is a pipe, and no log can be kept in it`, "Give the path of a file");
  const lines: Buffer[] = [];
  /** Parts of the line that the chunks so far have not ended. */
  let begun: Buffer[] = [];
  try {
    const file = openSync(path, "r");
    try {
      for (let read = 0; ; ) {
        // Lines keep the chunk that they are in: one that is hardly filled would be a waste.
        const left = Math.max(SMALL_CHUNK_BYTES, fstatSync(file).size - read);
        const chunk = Buffer.allocUnsafeSlow(Math.min(chunkBytes, left));
        const length = readSync(file, chunk, 0, chunk.length, null);
        if (length === 0) return { lines, last: Buffer.concat(begun) };
        read += length;
        let start = 0;
        for (let end = chunk.indexOf("\n"); end >= 0 && end < length; end = chunk.indexOf("\n", start)) {
          const rest = chunk.subarray(start, end);
          lines.push(begun.length === 0 ? rest : Buffer.concat([...begun, rest]));
          begun = [];
          start = end + 1;
        }
        if (start < length) begun.push(chunk.subarray(start, length));
      }
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LseError(`${path}: cannot read it (${why})`, "Check the path and its permissions", { cause });
  }
}

function kindOf(line: string, { begins, isRecord }: LogFormat): "record" | "half" | "unknown" | "foreign" {
  try {
    return isRecord(JSON.parse(line)) ? "record" : "foreign";
  } catch {
    const isHalf = begins.some((begin) => begin.startsWith(line) || line.startsWith(begin));
    return isHalf ? "half" : "unknown";
  }
}
