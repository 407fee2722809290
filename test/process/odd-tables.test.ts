import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, describe, expect, it } from "vitest";
import { LseError } from "#lse/errors.js";
import { uniformStream } from "#lse/lib/random.js";
import { importTables } from "#lse/workspace/import-tables.js";
import { scratch } from "../workspace-folder.js";

const folder = scratch();
const { path } = folder;
afterAll(folder.remove);

let files = 0;

/** Writes a file, imports it and returns names, types and texts of its columns. */
async function imported(name: string, content: string | Uint8Array) {
  const file = path(name);
  writeFileSync(file, content);
  const target = path(`imported-${files++}.duckdb`);
  await importTables([file], target);
  const instance = await DuckDBInstance.create(target, { access_mode: "READ_ONLY" });
  const connection = await instance.connect();
  try {
    const table = `"${String((await connection.runAndReadAll("SHOW TABLES")).getRowsJS()[0]?.[0]).replaceAll('"', '""')}"`;
    const about = (await connection.runAndReadAll(`DESCRIBE ${table}`)).getRowsJS();
    const texts = await connection.runAndReadAll(`SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ${table}`);
    return {
      table,
      names: about.map(([column]) => String(column)),
      types: about.map(([, type]) => String(type)),
      rows: texts.getRowsJS() as (string | null)[][],
    };
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

async function refusal(name: string, content: string | Uint8Array): Promise<string> {
  const error: unknown = await imported(name, content).then(
    () => new Error("it was imported"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(LseError);
  const { message } = error as LseError;
  expect(message).not.toContain("\n");
  expect(message).toContain(path(name));
  return message;
}

describe("odd CSV files", () => {
  const count = 100 * Number(process.env.LSE_ATTACKS ?? 1);
  const VALUES = [
    "1",
    "20",
    "-3",
    "0.5",
    "2.50",
    "12.75",
    "01234",
    "+49 30 1",
    "1e5",
    "00:01",
    "00:01:02",
    "24:00:00",
    "2024-01-02",
    "2024-1-2",
    "2024-02-30",
    "2024-01-02 03:04:05",
    "true",
    "True",
    "NaN",
    "inf",
    "NULL",
    "null",
    "-0",
    "3.0",
    " 7",
    "7 ",
    "9223372036854775807",
    "9223372036854775808",
    "12345678901234567890.5",
    "0.1234567890123456789",
    "0x1F",
    "1_000",
    "é€",
    "日本",
    "'; DROP TABLE x; --",
    "a*.csv",
    "#",
    "\\N",
    "it's",
    "x,y",
    "x;y",
    "x\ty",
    'say "hi"',
    "two\nlines",
    "two\r\nlines",
    "",
    "",
  ]; // prettier-ignore
  const HEADERS = ["id", "Id", "a b", "", "größe", 'q"q', "select", "x'y", "1st", "a,b"];

  it(`are read as they are, or refused in one line (${count} of them)`, async () => {
    let read = 0;
    for (let seed = 0; seed < count; seed++) {
      const next = uniformStream(seed);
      const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
      const delimiter = pick([",", ",", ";", "\t", "|"]);
      const end = pick(["\n", "\r\n", "\r"]);
      const columns = 2 + Math.floor(next() * 4);
      // One kind of value in a column, mostly.
      const kinds = Array.from({ length: columns }, () => [
        pick(VALUES),
        pick(VALUES),
        ...(next() < 0.3 ? VALUES : []),
      ]);
      const rows = Array.from({ length: 1 + Math.floor(next() * 30) }, () =>
        kinds.map((kind) => (next() < 0.01 ? "long ".repeat(60_000) : pick(kind))),
      );
      const mustQuote = (text: string) => /[\r\n"]/.test(text) || text.includes(delimiter);
      const field = (text: string) =>
        mustQuote(text) || next() < 0.1 ? `"${text.replaceAll('"', '""')}"` : text;
      const header = Array.from({ length: columns }, () => pick(HEADERS));
      const lines = [header, ...rows].map((row) => row.map(field).join(delimiter));
      // A third of the files have one wrong line.
      const wrong = pick(["", "", "", "", "missing", "more", "open", "behind"]);
      const at = 1 + Math.floor(next() * rows.length);
      if (wrong === "missing") lines[at] = "only one";
      if (wrong === "more") lines[at] += `${delimiter}more`;
      if (wrong === "open") lines[at] += `${delimiter}"open`;
      if (wrong === "behind") lines[at] = `"quoted" text${delimiter}${lines[at]}`;
      const text = lines.join(end) + pick(["", end]);
      const utf16 = Buffer.from(`\ufeff${text}`, "utf16le");
      const content = pick<() => Uint8Array>([
        () => Buffer.from(text),
        () => Buffer.from(`\ufeff${text}`),
        () => utf16,
        () => Buffer.from(utf16).swap16(),
      ])();
      const name = `odd ${seed} [a-z]*'.csv`;
      const isPacked = next() < 0.2;
      const file = isPacked ? `${name}.gz` : name;
      const bytes = isPacked ? gzipSync(content) : content;
      if (wrong !== "") {
        expect(await refusal(file, bytes), `seed ${seed}`).toMatch(/line \d+/);
        continue;
      }
      const found = await imported(file, bytes);
      read++;
      expect(found.table).toBe(`"odd ${seed} [a-z]*'"`);
      expect(new Set(found.names.map((own) => own.toLowerCase())).size, `seed ${seed}`).toBe(columns);
      expect(
        found.rows.map((row) => row.map(plainly)),
        `seed ${seed}`,
      ).toEqual(plainRows(text, delimiter).slice(1));
    }
    expect(read).toBeGreaterThan(count / 3);
  }, 600_000);

  /** A whole number among decimals is printed as one. */
  const plainly = (text: string | null) => (text ?? "").replace(/^(-?\d+)\.0$/, "$1");

  /** RFC 4180, for well-formed texts. */
  function plainRows(text: string, delimiter: string): string[][] {
    const rows: string[][] = [[]];
    const one = delimiter === "|" ? "\\|" : delimiter;
    const token = new RegExp(`(?:"((?:[^"]|"")*)"|([^${one}\\r\\n]*))(${one}|\\r\\n|\\r|\\n|$)`, "gy");
    for (const [, inQuotes, bare = "", end] of text.matchAll(token)) {
      rows.at(-1)?.push(plainly(inQuotes?.replaceAll('""', '"') ?? bare));
      if (end === "") break;
      if (end !== delimiter) rows.push([]);
    }
    return rows.filter((row) => row.length > 1);
  }

  it("have types by all of their values, and only those that print them back", async () => {
    const column = (...values: string[]) =>
      `n,v\n${values.map((value, i) => `${i},"${value}"`).join("\n")}\n`;
    const many = Array.from({ length: 30_000 }, (_, i) => String(10_000 + i));
    for (const [type, ...values] of [
      ["BIGINT", "1", "", "-5"],
      ["DECIMAL(18,2)", "1.50", "-10.00"],
      ["DOUBLE", "1.5", "2", "3.0", "0.25"],
      ["DATE", "2024-01-02"],
      ["TIMESTAMP", "2024-01-02 03:04:05"],
      ["TIME", "00:01:02"],
      ["BOOLEAN", "true", "false"],
      ["VARCHAR", "1.1", "1.10", "1.100"],
      ["VARCHAR", ...many, "01234"],
      ["DOUBLE", ...many, "12.75"],
      ["VARCHAR", "12345678901234567890"],
      ["VARCHAR", "0.12345678901234567890"],
      ["VARCHAR", "+49301234"],
      ["VARCHAR", "1e5"],
      ["VARCHAR", "00:01"],
      ["VARCHAR", "2024-01-02", "2024-02-30"],
    ] as [string, ...string[]][]) {
      // An empty text in quotes is a text, so the empty value of a column of numbers has none.
      const found = await imported("typed.csv", column(...values).replaceAll('""', ""));
      expect([found.types[1], values.slice(-3)]).toEqual([type, values.slice(-3)]);
      expect(found.rows.map(([, value]) => plainly(value ?? null))).toEqual(values.map(plainly));
    }
  });

  it("keep empty texts apart from values that are missing, and name columns without a name", async () => {
    const found = await imported("names.csv", 'a,,A,"two\nlines"\n"",,x,y\n');
    expect(found.names).toEqual(["a", "column1", "A_1", "two lines"]);
    expect(found.rows).toEqual([["", null, "x", "y"]]);
  });

  it.each([
    ["only a header", "a,b\n", [["a", "b"]], []],
    ["only a header, without a line end", "a,b", [["a", "b"]], []],
    [
      "no header, but numbers",
      "1,2\n3,4\n",
      [["column0", "column1"]],
      [
        ["1", "2"],
        ["3", "4"],
      ],
    ],
    ["blank lines", "\n\na,b\n\n1,2\n\n\n", [["a", "b"]], [["1", "2"]]],
    ["one column with a blank line", "a\nx\n\ny\n\n", [["a"]], [["x"], [null], ["y"]]],
    ["quotes in the middle of a field", 'a,b\nx"y"z,"p""q"\n', [["a", "b"]], [['x"y"z', 'p"q']]],
    ["Excel's line about the delimiter", "sep=;\r\na;b\r\n1,5;x\r\n", [["a", "b"]], [["1,5", "x"]]],
    [
      "commas within fields of another delimiter",
      "a;b\n1,5;x\n2,5;y\n",
      [["a", "b"]],
      [
        ["1,5", "x"],
        ["2,5", "y"],
      ],
    ],
  ])("%s", async (_name, text, [names], rows) => {
    expect(await imported("plain.csv", text)).toMatchObject({ names, rows });
  });

  it.each([
    ["four odd bytes", Buffer.of(0, 1, 0xc3, 0xbf), /line 1: the header has characters that are no text/],
    ["nothing", "", /it is empty/],
    ["only blank lines", "\n \n".replace(" ", ""), /it is empty/],
    ["a field too few", "a,b\n1,2\n3\n", /line 3: 1 fields, but 2 in the header; the last is "3"/],
    [
      "a field too many, after a field of two lines",
      'a,b\n"x\ny",2\n3,4,5\n',
      /line 4: 3 fields, but 2 .* "5"/,
    ],
    ["a quote that is not closed", 'a,b\n1,"x\n2,y\n', /line 2, column 2: a quote is not closed: "\\"x\\n/],
    ["text after a quote", 'a,b\n1,"x"y\n', /line 2, column 2: a quoted field goes on behind its quote/],
    ["a NUL byte", "a,b\n1,x\0y\n", /line 2, column 2 \(b\): the value has a NUL byte: "x\\u0000y"/],
    [
      "no text at all",
      Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13]),
      /not a text in UTF-8/,
    ],
    [
      "damaged UTF-8",
      Buffer.from("a,b\nÄ,é\nx,\xff\n".replace("\xff", "")).subarray(0, -3),
      /not a text in UTF-8/,
    ],
    [
      "another script than the Latin one",
      Buffer.from("a,b\n\xcf\xf0\xe8\xe2\xe5\xf2,1\n", "latin1"),
      /line 2: not a text in UTF-8, and not one in Windows-1252 either/,
    ],
  ])("%s is refused", async (_name, content, message) => {
    const bytes =
      _name === "damaged UTF-8" ? Buffer.concat([Buffer.from("a,b\nÄ,é\nx,"), Buffer.of(0xff)]) : content;
    expect(await refusal("bad.csv", bytes)).toMatch(message);
  });

  it("in Windows-1252, UTF-16 without a mark, and cut in the middle of a character or a line end", async () => {
    const old = await imported("old.csv", Buffer.from("name,price\nJos\xe9,5 \x80\nM\xfcller,6\n", "latin1"));
    expect(old.rows).toEqual([
      ["José", "5 €"],
      ["Müller", "6"],
    ]);
    expect((await imported("wide.csv", Buffer.from("a,b\nx,é\n", "utf16le"))).rows).toEqual([["x", "é"]]);
    const filler = `${"x".repeat(2 ** 20 - 8)}`;
    for (const before of ["", "y", "yy", "yyy"]) {
      const found = await imported("cut.csv", `a,b\r\n${before}${filler},é"€\r\n"p""q","r\r\ns"\r\n`);
      expect(found.rows).toEqual([
        [before + filler, 'é"€'],
        ['p"q', "r\r\ns"],
      ]);
    }
  });
});

describe("other files", () => {
  it("JSON lines have a column for each key, and numbers as they are written", async () => {
    const found = await imported(
      "events.jsonl",
      '\ufeff{"id": 12345678901234567890, "n": 1, "zip": "01234", "x": {"y": [1.50, "1"]}}\r\n\n{"n": 2.5, "zip": "5", "late": "2024-01-02", "x": NaN}\n',
    );
    expect(found.names).toEqual(["id", "n", "zip", "x", "late"]);
    expect(found.types).toEqual(["VARCHAR", "DOUBLE", "VARCHAR", "VARCHAR", "DATE"]);
    expect(found.rows).toEqual([
      ["12345678901234567890", "1.0", "01234", '{"y":[1.50,"1"]}', null],
      [null, "2.5", "5", null, "2024-01-02"],
    ]);
  });

  it.each([
    ['{"a": 1}\n{"a": \n', /line 2: not valid JSON at column 7/],
    ['{"a": 1}\n[1]\n', /line 2: not an object/],
    ["", /it has no rows/],
    ["{1: 2}\n", /line 1: not valid JSON at column 2/],
  ])("%j is refused", async (text, message) => {
    expect(await refusal("bad.ndjson", text)).toMatch(message);
  });

  it("a Parquet file with the characters of a pattern in its name is that file; what is none is refused", async () => {
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    for (const [name, value] of [
      ["a*", "right"],
      ["ab", "wrong"],
    ])
      await connection.run(`COPY (SELECT '${value}' AS v) TO '${path(`${name}.parquet`)}'`);
    connection.closeSync();
    instance.closeSync();
    const target = path("literal.duckdb");
    await importTables([path("a*.parquet")], target);
    const opened = await DuckDBInstance.create(target);
    const reader = await (await opened.connect()).runAndReadAll('SELECT v FROM "a*"');
    expect(reader.getRowsJS()).toEqual([["right"]]);
    opened.closeSync();
    expect(await refusal("broken.parquet", "x\n1\n")).toMatch(/cannot be imported/);
  });

  it("what is packed and cut off is refused", async () => {
    const packed = gzipSync("a,b\n1,2\n");
    expect((await imported("packed.tsv.gz", gzipSync("a\tb\n1\t2\n"))).rows).toEqual([["1", "2"]]);
    expect(await refusal("cut.csv.gz", packed.subarray(0, -6))).toMatch(/cannot read it/);
  });
});
