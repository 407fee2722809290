import { describe, expect, test } from "vitest";
import {
  InvalidText,
  pythonRepr,
  RowPreview,
  RowSet,
  rowKey,
  type SqlValue,
  TextMark,
} from "#lse/bird/sql/rows.js";

const bytes = (...values: number[]) => new Uint8Array(values);

function digest(rows: SqlValue[][]): string {
  const set = new RowSet();
  for (const row of rows) set.add(row);
  return set.digest();
}

describe("equality of values is Python's", () => {
  const cases: [SqlValue, SqlValue, boolean][] = [
    [1n, 1, true],
    [0n, -0, true],
    [0, -0, true],
    [10n ** 20n, 1e20, true],
    [2n ** 53n, 2 ** 53, true],
    [2n ** 53n + 1n, 2 ** 53, false],
    [2n ** 53n + 1n, 2n ** 53n, false],
    [2n ** 63n - 1n, 2 ** 63, false],
    [-(2n ** 63n), -(2 ** 63), true],
    [0.1 + 0.2, 0.3, false],
    [1 / 3, 1 / 3, true],
    [1e300, BigInt(1e300), true],
    [5e-324, 0, false],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, true],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, false],
    [Number.POSITIVE_INFINITY, Number.MAX_VALUE, false],
    ["1", 1n, false],
    ["1.5", 1.5, false],
    ["a", bytes(97), false],
    [bytes(97), bytes(97), true],
    [bytes(), "", false],
    [null, null, true],
    [null, 0n, false],
    [null, "", false],
    [null, "None", false],
    ["a", "A", false],
    ["a", "a ", false],
    ["é", "e\u0301", false],
    ["\ufeffa", "a", false],
    ["a\0b", "a", false],
    ["x".repeat(5000), "x".repeat(5000), true],
    ["x".repeat(5000), `${"x".repeat(4999)}y`, false],
    ["x".repeat(5000), Buffer.from("x".repeat(5000)), false],
    [Buffer.alloc(5000), Buffer.alloc(5000), true],
    [Buffer.alloc(5000), Buffer.alloc(5001), false],
  ];
  for (const [a, b, equal] of cases) {
    const name = (value: SqlValue) => `${typeof value} ${pythonRepr(value, 20)}`;
    test(`${name(a)} and ${name(b)}: ${equal ? "equal" : "different"}`, () => {
      expect(rowKey([a]) === rowKey([b])).toBe(equal);
      expect(digest([[a]]) === digest([[b]])).toBe(equal);
    });
  }
});

test("a long text's hash does not depend on where it is sliced in reading", () => {
  const emoji = `x${"😀".repeat(40_000)}`;
  expect(rowKey([emoji])).toBe(rowKey([`x${"😀".repeat(40_000)}`]));
  expect(rowKey([emoji])).not.toBe(rowKey([`${emoji.slice(0, -2)}😁`]));
});

describe("rows", () => {
  test("order and repetition of rows do not matter", () => {
    const rows: SqlValue[][] = [
      [1n, "a"],
      [2n, null],
      [3n, "c"],
    ];
    expect(digest([...rows].reverse())).toBe(digest(rows));
    expect(digest([...rows, ...rows])).toBe(digest(rows));
    expect(digest(rows.slice(1))).not.toBe(digest(rows));
    expect(digest([])).toBe(digest([]));
    expect(digest([])).not.toBe(digest([[null]]));
  });

  test("the order and number of columns matter", () => {
    expect(digest([[1n, 2n]])).not.toBe(digest([[2n, 1n]]));
    expect(digest([[1n, 1n]])).not.toBe(digest([[1n]]));
    expect(digest([[null]])).not.toBe(digest([[null, null]]));
  });

  test("no content imitates the boundary of a value", () => {
    const rows: SqlValue[][] = [
      ["a", "b"],
      ["ab"],
      ["a,b"],
      ["a1:b"],
      ["at1:b"],
      ["a", "t1:b"],
      ["", "at1:b"],
      ["t1:a", "b"],
      ["i1;"],
      [1n],
      [1n, 1n],
      [11n],
      ["n;"],
      [null],
      [null, "n;"],
      ["n;", null],
      [bytes(0x62, 0x31, 0x3a)],
      [bytes(0x62), bytes(0x31, 0x3a)],
      ["a\0", "b"],
      ["a", "\0b"],
      [1.5],
      ["f1.5;"],
    ];
    expect(new Set(rows.map(rowKey)).size).toBe(rows.length);
    expect(new Set(rows.map((row) => digest([row]))).size).toBe(rows.length);
  });

  test("two columns are not told apart by moving text between them", () => {
    for (let at = 0; at <= 6; at++) {
      for (let other = 0; other < at; other++) {
        const split = (index: number): SqlValue[] => ["t2:t2:".slice(0, index), "t2:t2:".slice(index)];
        expect(rowKey(split(at))).not.toBe(rowKey(split(other)));
      }
    }
  });
});

describe("preview", () => {
  // Printed by Python 3's repr.
  const reprs: [SqlValue, string][] = [
    [null, "None"],
    [-7n, "-7"],
    [9007199254740993n, "9007199254740993"],
    [1, "1.0"],
    [-0, "-0.0"],
    [0.1, "0.1"],
    [1e16, "1e+16"],
    [1e15, "1000000000000000.0"],
    [123456789012345680, "1.2345678901234568e+17"],
    [0.0001, "0.0001"],
    [0.00001, "1e-05"],
    [1.5e-7, "1.5e-07"],
    [5e-324, "5e-324"],
    [1.7976931348623157e308, "1.7976931348623157e+308"],
    [Number.POSITIVE_INFINITY, "inf"],
    [Number.NEGATIVE_INFINITY, "-inf"],
    ["a", "'a'"],
    ["it's", `"it's"`],
    ['"', `'"'`],
    [`it's "x"`, `'it\\'s "x"'`],
    ["a\\b", "'a\\\\b'"],
    ["\n\r\t\0\x7f", "'\\n\\r\\t\\x00\\x7f'"],
    ["é😀 \u00a0\u200b\ufeff\u2028", "'é😀 \\xa0\\u200b\\ufeff\\u2028'"],
    ["\u{e0001}", "'\\U000e0001'"],
    [bytes(97, 0, 255, 39, 92, 10), `b"a\\x00\\xff'\\\\\\n"`],
    [bytes(), "b''"],
  ];
  for (const [value, text] of reprs) test(text, () => expect(pythonRepr(value)).toBe(text));

  const preview = (rows: SqlValue[][]) => {
    const shown = new RowPreview();
    for (const row of rows) shown.add(row);
    return shown.toString(rows.length);
  };

  test("a short result is shown whole", () => {
    expect(preview([])).toBe("[]");
    expect(preview([[1n], [null]])).toBe("[(1,), (None,)]");
    expect(preview([[1n, "a"]])).toBe("[(1, 'a')]");
  });

  test("a long result says how many rows are left out", () => {
    const text = preview(Array.from({ length: 1000 }, (_, index) => [BigInt(index), "name"]));
    expect(text).toMatch(/^\[\(0, 'name'\), .*, \.\.\.\] \(\d+ more rows, 1000 in all\)$/);
    const shown = text.match(/'name'/g)?.length ?? 0;
    expect(text).toContain(`(${1000 - shown} more rows`);
    expect(text.length).toBeLessThan(700);
  });

  test("one huge value is cut", () => {
    const text = preview([["😀".repeat(100_000)], ["x"]]);
    expect(text.length).toBeLessThan(700);
    expect(text.isWellFormed()).toBe(true);
    expect(text).toContain("1 more row, 2 in all");
    expect(preview([[new Uint8Array(1_000_000)]]).length).toBeLessThan(3000);
  });
});

describe("a text of UTF-16 is what SQLite makes of it", () => {
  const read = (text: string, encoding: "utf-16le" | "utf-16be") => {
    const bytes = Buffer.from(`mark:${text}`, "utf16le");
    return new TextMark("mark:", encoding).remove([encoding === "utf-16be" ? bytes.swap16() : bytes]);
  };
  for (const encoding of ["utf-16le", "utf-16be"] as const) {
    test(`${encoding}: pairs, and halves that take the next unit for their other half`, () => {
      expect(read("\ufeffé\0😀", encoding)).toEqual(["\ufeffé\0😀"]);
      expect(read("\ud83d\0z", encoding)).toEqual(["\u{1f400}z"]);
    });
    test(`${encoding}: half a pair at the end makes no valid UTF-8`, () => {
      expect(() => read("a\ude00", encoding)).toThrow(InvalidText);
    });
  }
});
