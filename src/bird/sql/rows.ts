/** Result rows, compared as Python compares them and printed as Python prints them. */
import { createHash, hash, randomBytes } from "node:crypto";

/** A value of a result row: integers as bigint, reals as number, blobs as bytes. */
export type SqlValue = null | bigint | number | string | Uint8Array;

/** Longest text (UTF-16 units) or blob (bytes) that is a part of a key itself; a longer one is hashed. */
const LONG = 4096;

/** Rough length of a preview, in characters. */
const PREVIEW_LENGTH = 200;

/**
 * A text equal for two rows exactly when Python's tuples of them are equal: 1 and 1.0 are one value, compared
 * without rounding; text, blob and number never equal one another; NULL equals NULL. Each value ends by itself
 * (a length in front or a terminator), so no content can imitate a boundary.
 */
export function rowKey(row: readonly SqlValue[]): string {
  let key = "";
  for (const value of row) key += valueKey(value);
  return key;
}

/** A text equal for two values exactly when Python takes them for equal. */
export function valueKey(value: SqlValue): string {
  if (value === null) return "n;";
  if (typeof value === "bigint") return `i${value};`;
  if (typeof value === "number") {
    // BigInt is exact for every finite integral double, and turns -0 into 0.
    return Number.isInteger(value) ? `i${BigInt(value)};` : `f${value};`;
  }
  if (typeof value === "string") {
    return value.length <= LONG ? `t${value.length}:${value}` : `T${longTextHash(value)};`;
  }
  return value.length <= LONG
    ? `b${value.length}:${Buffer.from(value.buffer, value.byteOffset, value.length).toString("latin1")}`
    : `B${createHash("sha256").update(value).digest("hex")};`;
}

function longTextHash(text: string): string {
  const sha = createHash("sha256");
  // UTF-16 by slices: no copy of the whole text is made, and a slice may split a surrogate pair.
  for (let at = 0; at < text.length; at += 65_536) sha.update(text.slice(at, at + 65_536), "utf16le");
  return sha.digest("hex");
}

/**
 * The set of the rows of one result, as a hash of each: memory grows by about 100 bytes per distinct row,
 * whatever the row holds. Equal digests mean Python's `set(a) == set(b)` (BIRD's EX, evaluation_ex.py).
 */
export class RowSet {
  readonly #keys = new Set<string>();

  add(row: readonly SqlValue[]): void {
    this.#keys.add(hash("sha256", rowKey(row), "binary"));
  }

  /** sha256 in hex of the set; the same for any order and any repetition of the rows. */
  digest(): string {
    const sha = createHash("sha256");
    for (const key of [...this.#keys].sort()) sha.update(key, "latin1");
    return sha.digest("hex");
  }
}

/** A text of a result is not valid UTF-8, or UTF-16 of which SQLite makes no valid UTF-8. Python's sqlite3 raises there too. */
export class InvalidText extends Error {
  constructor(column: number) {
    super(`The text in result column ${column} is not valid UTF-8`);
  }
}

/** A mark for texts that are read as bytes; no statement or file can guess it. */
export const newMark = (): string => `lse:${randomBytes(16).toString("hex")}:`;

/** Takes texts that a statement returns as bytes, with a mark in front (`exactForm`), for what they are. */
export class TextMark {
  readonly #bytes: Buffer;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  /** @param mark in ASCII @param encoding of the bytes */
  constructor(
    private readonly mark: string,
    private readonly encoding: "utf-8" | "utf-16le" | "utf-16be",
  ) {
    const utf16 = Buffer.from(mark, "utf16le");
    this.#bytes = encoding === "utf-8" ? Buffer.from(mark) : encoding === "utf-16le" ? utf16 : utf16.swap16();
  }

  /** The row without marks, changed in place. @throws {InvalidText} */
  remove(row: SqlValue[]): SqlValue[] {
    for (const [column, value] of row.entries()) {
      if (!(value instanceof Uint8Array) || !this.#isMarked(value)) continue;
      try {
        row[column] = this.#decode(value).slice(this.mark.length);
      } catch {
        throw new InvalidText(column + 1);
      }
    }
    return row;
  }

  /** @throws for what is not valid */
  #decode(value: Uint8Array): string {
    if (this.encoding === "utf-8") return this.#decoder.decode(value);
    // Of an odd number of bytes, SQLite leaves out the last.
    const bytes = Buffer.from(value.subarray(0, value.length & ~1));
    return utf16AsInSqlite((this.encoding === "utf-16be" ? bytes.swap16() : bytes).toString("utf16le"));
  }

  #isMarked(value: Uint8Array): boolean {
    return value.length >= this.#bytes.length && this.#bytes.equals(value.subarray(0, this.#bytes.length));
  }
}

/** To SQLite, half of a surrogate pair takes the next unit for its other half, whatever it is. @throws if there is none */
function utf16AsInSqlite(text: string): string {
  if (text.isWellFormed()) return text;
  let read = "";
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0xd800 || unit > 0xdfff) read += text.charAt(at);
    else if (++at === text.length) throw new RangeError("half of a surrogate pair at the end");
    else read += String.fromCodePoint(0x10000 + ((unit & 0x3ff) << 10) + (text.charCodeAt(at) & 0x3ff));
  }
  return read;
}

/** The first rows of a result as Python would print the list, cut near 200 characters. */
export class RowPreview {
  #text = "";
  #shown = 0;
  #full = false;

  add(row: readonly SqlValue[]): void {
    if (this.#full) return;
    const text = pythonTuple(row, PREVIEW_LENGTH);
    if (this.#shown > 0 && this.#text.length + text.length > PREVIEW_LENGTH) {
      this.#full = true;
      return;
    }
    this.#text += this.#shown > 0 ? `, ${text}` : text;
    this.#shown++;
  }

  /** @param rows number of rows of the whole result */
  toString(rows: number): string {
    const more = rows - this.#shown;
    if (more === 0) return `[${this.#text}]`;
    return `[${this.#text}, ...] (${more} more ${more === 1 ? "row" : "rows"}, ${rows} in all)`;
  }
}

function pythonTuple(row: readonly SqlValue[], limit: number): string {
  let text = "(";
  for (const [column, value] of row.entries()) {
    text += `${column > 0 ? ", " : ""}${pythonRepr(value, limit)}`;
    if (text.length > limit) return `${cut(text, limit)}…`;
  }
  return row.length === 1 ? `${text},)` : `${text})`;
}

/**
 * Python's `repr` of a value. A text or blob longer than `limit` is cut there and ends with "…", which
 * Python's would not.
 */
export function pythonRepr(value: SqlValue, limit = Number.POSITIVE_INFINITY): string {
  if (value === null) return "None";
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") return pythonFloat(value);
  if (typeof value === "string") {
    const shown = cut(value, limit);
    return quote(shown, (part) => part.replace(UNPRINTABLE, escapeCharacter), shown.length < value.length);
  }
  const shown = Buffer.from(value.subarray(0, limit)).toString("latin1");
  const bytes = (part: string) => part.replace(/[^ -~]/g, escapeCharacter);
  return `b${quote(shown, bytes, shown.length < value.length)}`;
}

/** The first `limit` UTF-16 units, one less rather than half a surrogate pair. */
function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const shown = text.slice(0, limit);
  return shown.isWellFormed() ? shown : shown.slice(0, -1);
}

function quote(text: string, escapeRest: (part: string) => string, isCut: boolean): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = escapeRest(text.replaceAll("\\", "\\\\").replaceAll(mark, `\\${mark}`));
  return `${mark}${escaped}${isCut ? "…" : ""}${mark}`;
}

// str.isprintable: categories "Other" and "Separator" are not, except the space.
const UNPRINTABLE = /(?! )[\p{C}\p{Z}]/gu;
const SHORT_ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function escapeCharacter(character: string): string {
  const short = SHORT_ESCAPES[character];
  if (short !== undefined) return short;
  const hex = (character.codePointAt(0) ?? 0).toString(16);
  if (hex.length <= 2) return `\\x${hex.padStart(2, "0")}`;
  return hex.length <= 4 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}

/** Both languages print the shortest digits that read back; only the layout differs. */
function pythonFloat(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  const [digits = "", power = "0"] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) {
    return `${digits}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  const text = Object.is(value, -0) ? "-0" : String(value);
  return text.includes(".") ? text : `${text}.0`;
}
