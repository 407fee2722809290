/** Logs of JSON objects, one a line, whose last line a killed process may have left half written. */
import { appendFileSync, existsSync, readFileSync, statSync, truncateSync } from "node:fs";
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

/**
 * The whole lines of a log; none where there is no file. Reading changes nothing. Lines before the last are not looked at.
 * @throws LseError when the last line is neither a record nor the beginning of one: then this is another file
 */
export function readLog(path: string, format: LogFormat): LogLines {
  const bytes = bytesOf(path);
  const lines: Buffer[] = [];
  let start = 0;
  for (let end = bytes.indexOf("\n"); end >= 0; end = bytes.indexOf("\n", start)) {
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  const last = bytes.subarray(start);
  if (last.length === 0) return { lines, wholeBytes: start, lacksBreak: false };
  const kind = kindOf(last.toString(), format);
  if (kind === "record") return { lines: [...lines, last], wholeBytes: bytes.length, lacksBreak: true };
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

function bytesOf(path: string): Buffer {
  if (!existsSync(path)) return Buffer.alloc(0);
  try {
    return readFileSync(path);
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
