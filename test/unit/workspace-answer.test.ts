import { describe, expect, it } from "vitest";
import { queryOf } from "#lse/workspace/answer.js";

const SQL = "SELECT a\nFROM t";
const F = "```";

describe("the query in a response", () => {
  it.each([
    ["plain", `<answer>${SQL}</answer>`],
    ["a fence", `<answer>\n${F}\n${SQL}\n${F}\n</answer>`],
    ["a fence of SQL", `<answer>${F}sql\n${SQL}\n${F}</answer>`],
    ["another case, and CRLF", `<answer>\r\n${F}SQL\r\n${SQL}\r\n${F}\r\n</answer>`],
    ["tildes", `<answer>\n~~~ sqlite\n${SQL}\n~~~\n</answer>`],
    ["four marks", `<answer>\n${F}\`sql\n${SQL}\n${F}\`\n</answer>`],
    ["in one line", `<answer>${F}sql ${SQL}${F}</answer>`],
    ["in one line, without a language", `<answer>${F}${SQL}${F}</answer>`],
    ["the query's first word where a language stands", `<answer>${F}SELECT\na\nFROM t${F}</answer>`],
    ["single marks", `<answer>\`${SQL}\`</answer>`],
    ["words around it", `<answer>This is it:\n${F}sql\n${SQL}\n${F}\nIt counts.</answer>`],
    ["not closed", `<answer>\n${F}sql\n${SQL}\n</answer>`],
    ["several: the last", `<answer>${F}sql\nSELECT 0\n${F}\nor rather\n${F}sql\n${SQL}\n${F}</answer>`],
    ["several: the one of SQL", `<answer>${F}duckdb\n${SQL}\n${F}\ngives\n${F}text\n1\n${F}</answer>`],
    ["indented", `<answer>\n  ${F}sql\n  ${SQL}\n  ${F}\n</answer>`],
    ["tags within the fence", `${F}sql\n<answer>\n${SQL}\n</answer>\n${F}`],
    ["no tags", `So:\n${F}sql\nSELECT 0\n${F}\nand better\n${F}sql\n${SQL}\n${F}\nDone.`],
  ])("%s", (_name, response) => {
    expect(queryOf(response).replace(/\s+/g, " ")).toBe(SQL.replace("\n", " "));
  });

  it.each([
    ["none", "I do not know"],
    ["empty tags", "<answer></answer>"],
    ["an empty fence", `<answer>${F}sql\n${F}</answer>`],
    ["a draft that was cut off", `Let me see:\n${F}sql\nSELECT 1`],
    ["a fence of something else, without tags", `${F}python\nprint(1)\n${F}`],
  ])("%s: no query", (_name, response) => {
    expect(queryOf(response)).toBe("");
  });

  it("keeps marks that belong to the query", () => {
    for (const query of ["SELECT '```sql x```' FROM t", "SELECT `a b` FROM `t`", "SELECT a -- ~~~\nFROM t;"])
      expect(queryOf(`<answer>${query}</answer>`)).toBe(query);
  });
});
