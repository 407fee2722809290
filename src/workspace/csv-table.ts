/** Reads a CSV file into a table of texts: its encoding, its delimiter, its header, then its rows. */
import { LseError } from "../errors.js";
import { CsvParser, type CsvRecord, delimiterOf, shown } from "./csv.js";
import { encodingOfFile, NotUtf8, type TextEncodingName, textOf } from "./decoded-text.js";
import type { TextTable } from "./text-table.js";

/**
 * Reads a CSV or TSV file, packed with gzip or not. The first record is the header, unless all of its fields are numbers.
 * A field without characters is null; "" in quotes is an empty text. Files that are not UTF-8 are read as Windows-1252.
 * @throws LseError naming the file, and line and column of what does not fit
 */
export async function readCsv(path: string, table: TextTable): Promise<void> {
  const encoding = await encodingOfFile(path);
  try {
    await readAs(path, encoding, table);
  } catch (error) {
    if (!(error instanceof NotUtf8)) throw error;
    await readAs(path, "windows-1252", table);
  }
}

async function readAs(path: string, encoding: TextEncodingName, table: TextTable): Promise<void> {
  let parser: CsvParser | null = null;
  const rows = new Rows(path, table);
  for await (const piece of textOf(path, encoding)) {
    let text = piece;
    if (parser === null) {
      if (text === "") continue;
      // Excel's way to say which delimiter a file has.
      const said = /^sep=(.)(\r\n|\n|\r)/.exec(text);
      text = text.slice(said?.[0].length ?? 0);
      const delimiter = said?.[1] ?? (/\.tsv(\.gz)?$/i.test(path) ? "\t" : delimiterOf(text));
      parser = new CsvParser(path, delimiter, said === null ? 1 : 2);
    }
    for (const record of parser.push(text, false)) if (rows.add(record)) await rows.begin(record);
  }
  for (const record of parser?.push("", true) ?? []) if (rows.add(record)) await rows.begin(record);
  if (!rows.hasHeader) throw new LseError(`${path}: it is empty`, "Give a file with a header and rows");
}

/** The rows under a header. */
class Rows {
  #names: readonly string[] | null = null;
  /** Blank lines that count if a row follows. */
  #blank = 0;

  constructor(
    private readonly path: string,
    private readonly table: TextTable,
  ) {}

  get hasHeader(): boolean {
    return this.#names !== null;
  }

  /** @returns whether this is the first record, with which the table is to begin */
  add(record: CsvRecord): boolean {
    const { fields, line } = record;
    const isBlank = fields.length === 1 && fields[0] === null;
    if (this.#names === null) return !isBlank;
    if (isBlank) {
      this.#blank++;
      return false;
    }
    const names = this.#names;
    if (fields.length !== names.length)
      throw new LseError(
        `${this.path}: line ${line}: ${fields.length} fields, but ${names.length} in the header; the last is ${shown(fields.at(-1) ?? null)}`,
        "Put texts that contain the delimiter in quotes, and give each row a field for each column",
      );
    const bad = fields.findIndex((field) => field?.includes("\0"));
    if (bad >= 0)
      throw new LseError(
        `${this.path}: line ${line}, column ${bad + 1} (${names[bad]}): the value has a NUL byte: ${shown(fields[bad] ?? null)}`,
        "Remove these bytes",
      );
    // In a table of one column a blank line is a row.
    if (names.length === 1) for (let i = 0; i < this.#blank; i++) this.table.append([null]);
    this.#blank = 0;
    this.table.append(fields);
    return false;
  }

  /** Takes the first record for the header, or else for the first row. */
  async begin(first: CsvRecord): Promise<void> {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: no text has them.
    const odd = first.fields.find((field) => /[\0-\x08\x0e-\x1f]/.test(field ?? ""));
    if (odd !== undefined)
      throw new LseError(
        `${this.path}: line ${first.line}: the header has characters that are no text: ${shown(odd)}`,
        "Check that this is a CSV file, in UTF-8",
      );
    const isRow = first.fields.every((field) => field !== null && /^-?\d+(\.\d+)?$/.test(field));
    this.#names = namesOf(isRow ? first.fields.map(() => null) : first.fields);
    await this.table.begin(this.#names.map((name) => ({ name, isText: false })));
    if (isRow) this.add(first);
  }
}

/** Names that are all there and all different, whatever their case: `column1` for the second without one, `a_1` for the second a. */
export function namesOf(fields: readonly (string | null)[]): string[] {
  const used = new Set<string>();
  return fields.map((field, index) => {
    const own = (field ?? "").replace(/\s+/g, " ").trim() || `column${index}`;
    let name = own;
    for (let n = 1; used.has(name.toLowerCase()); n++) name = `${own}_${n}`;
    used.add(name.toLowerCase());
    return name;
  });
}
