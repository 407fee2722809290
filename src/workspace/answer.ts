/** Takes the query out of a response, with or without a Markdown fence around it. */
import { extractTag } from "../lib/extract.js";

/**
 * The query between the answer tags. If it is in a Markdown fence there (``` or ~~~, with or without the name of a
 * language), what is in the fence: of several, the last that says it is SQL, or else the last. A fence that is not closed
 * goes to the end. A response without tags has its query in its last closed fence of SQL.
 * @returns empty if there is no query
 */
export function queryOf(response: string): string {
  const tagged = extractTag(response, "answer").trim();
  const all = fencesOf(tagged === "" ? response : tagged);
  const fences = all.filter(({ content }) => content !== "");
  const sql = fences.filter(({ isSql }) => isSql);
  if (tagged === "") return sql.findLast(({ isClosed }) => isClosed)?.content ?? "";
  const found = sql.at(-1) ?? fences.at(-1) ?? all.at(-1);
  return found?.content ?? (/^`([^`]*)`$/.exec(tagged)?.[1]?.trim() || tagged);
}

interface Fence {
  readonly content: string;
  readonly isSql: boolean;
  readonly isClosed: boolean;
}

/** A fence at the beginning of a line, and the rest of that line if it is one word, or the name of a dialect. */
const OPENING = /^[ \t]*(`{3,}|~{3,})[ \t]*(?:([\w+-]*)[ \t]*\r?\n|(sql|sqlite3?|duckdb)[ \t]+)?/gim;
const SQL_LANGUAGE = /sql|duckdb/i;
/** Words that begin a query, and so are no language. */
const QUERY = /^(select|with|values|from)$/i;

function fencesOf(text: string): Fence[] {
  const fences: Fence[] = [];
  const opening = new RegExp(OPENING);
  for (let found = opening.exec(text); found !== null; found = opening.exec(text)) {
    const [, mark = "", word = "", inline = ""] = found;
    const start = QUERY.test(word) ? text.indexOf(mark, found.index) + mark.length : opening.lastIndex;
    const end = text.indexOf(mark, start);
    const content = text.slice(start, end < 0 ? text.length : end).trim();
    fences.push({ content, isSql: SQL_LANGUAGE.test(word || inline), isClosed: end >= 0 });
    if (end < 0) break;
    opening.lastIndex = end + mark.length;
  }
  return fences;
}
