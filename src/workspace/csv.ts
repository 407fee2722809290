/** Splits CSV text into records: RFC 4180, with any of the usual delimiters and line ends. */
import { LseError } from "../errors.js";

/** Longest record that is read, in characters: a quote that is never closed would take the whole file for one. */
const LONGEST = 2 ** 26;

/** One record. A field without quotes and characters is null. */
export interface CsvRecord {
  readonly fields: readonly (string | null)[];
  /** The line that it begins on, from 1. */
  readonly line: number;
}

/** Takes the text of a file piece by piece, and gives the records that are complete. */
export class CsvParser {
  #text = "";
  #line: number;

  /** @param line the number of the first line */
  constructor(
    private readonly path: string,
    private readonly delimiter: string,
    line = 1,
  ) {
    this.#line = line;
  }

  /**
   * The records that end in the text so far. Blank lines are records of one field, which is null.
   * @param isLast whether the file ends with this piece
   * @throws LseError naming file, line and column of a quote that is not closed, or followed by more text
   */
  *push(piece: string, isLast: boolean): Generator<CsvRecord> {
    const text = this.#text + piece;
    let from = 0;
    while (from < text.length) {
      const record = this.#record(text, from, isLast);
      if (record === null) break;
      yield { fields: record.fields, line: this.#line };
      this.#line += record.lines;
      from = record.next;
    }
    this.#text = text.slice(from);
    if (this.#text.length > LONGEST)
      throw new LseError(
        `${this.path}: line ${this.#line}: a record of more than ${LONGEST} characters`,
        "A quote may be missing: close it, or double the quotes inside of a field",
      );
  }

  /** Null if the record does not end in this text. */
  #record(text: string, from: number, isLast: boolean) {
    const fields: (string | null)[] = [];
    let lines = 1;
    let at = from;
    for (;;) {
      const field = text[at] === '"' ? this.#quoted(text, at, isLast, fields.length) : this.#bare(text, at);
      if (field === null) return null;
      fields.push(field.value);
      lines += field.breaks;
      at = field.end;
      if (at === text.length) return isLast ? { fields, lines, next: at } : null;
      if (text[at] === this.delimiter) {
        at++;
        continue;
      }
      // A line end of two characters may be cut in two.
      if (text[at] === "\r" && at + 1 === text.length && !isLast) return null;
      return { fields, lines, next: at + (text[at] === "\r" && text[at + 1] === "\n" ? 2 : 1) };
    }
  }

  #bare(text: string, from: number) {
    let end = from;
    while (end < text.length) {
      const character = text[end];
      if (character === this.delimiter || character === "\n" || character === "\r") break;
      end++;
    }
    return { value: end === from ? null : text.slice(from, end), end, breaks: 0 };
  }

  #quoted(text: string, from: number, isLast: boolean, index: number) {
    let close = text.indexOf('"', from + 1);
    while (close >= 0 && text[close + 1] === '"') close = text.indexOf('"', close + 2);
    if (close < 0 && isLast) throw this.#wrong(index, "a quote is not closed", text.slice(from));
    // What follows decides whether the quote is doubled.
    if (close < 0 || (close + 1 === text.length && !isLast)) return null;
    const next = text[close + 1];
    const value = text.slice(from + 1, close).replaceAll('""', '"');
    if (next !== undefined && next !== this.delimiter && next !== "\n" && next !== "\r")
      throw this.#wrong(index, "a quoted field goes on behind its quote", text.slice(from, close + 20));
    return { value, end: close + 1, breaks: value.match(/\r\n|\n|\r/g)?.length ?? 0 };
  }

  #wrong(index: number, what: string, value: string): LseError {
    return new LseError(
      `${this.path}: line ${this.#line}, column ${index + 1}: ${what}: ${shown(value)}`,
      "Quotes inside of a quoted field are doubled",
    );
  }
}

/** A value in one line, cut. */
export function shown(value: string | null): string {
  if (value === null) return "(empty)";
  return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
}

const DELIMITERS = [",", ";", "\t", "|"] as const;

/**
 * The delimiter of a file: the one that gives all records the same number of fields, the most of them; or else the most
 * in the first record.
 * @param sample the beginning of the file, or the whole of it
 */
export function delimiterOf(sample: string): string {
  let best = { delimiter: ",", fields: 1, isEven: false };
  for (const delimiter of DELIMITERS) {
    const counts = countsOf(sample, delimiter);
    const [fields = 1] = counts;
    const isEven = fields > 1 && counts.every((count) => count === fields);
    if (fields > 1 && (isEven === best.isEven ? fields > best.fields : isEven))
      best = { delimiter, fields, isEven };
  }
  return best.delimiter;
}

/** Numbers of fields in the records of a sample, blank lines left out; a last one of 0 where it cannot be split further. */
function countsOf(sample: string, delimiter: string): number[] {
  const counts: number[] = [];
  try {
    for (const { fields } of new CsvParser("", delimiter).push(sample, false))
      if (fields.length > 1 || fields[0] !== null) counts.push(fields.length);
  } catch (error) {
    if (!(error instanceof LseError)) throw error;
    return [...counts, 0];
  }
  if (counts.length > 0) return counts;
  // The sample ends before the first line does.
  return [sample.split(/[\r\n]/)[0]?.split(delimiter).length ?? 1];
}
