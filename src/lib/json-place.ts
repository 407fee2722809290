/** Finds where a text stops being JSON; V8 does not say for every error. */

const PLAIN = '[^"\\\\\\u0000-\\u001f]*';
const ESCAPE = '\\\\(?:["\\\\/bfnrt]|u[\\da-fA-F]{4})';
const STRING = `"${PLAIN}(?:${ESCAPE}${PLAIN})*"`;
const NUMBER = "-?(?:0|[1-9]\\d*)(?:\\.\\d+)?(?:[eE][+-]?\\d+)?(?![\\w.])";
const TOKEN = `[ \\t\\r\\n]*(${STRING}|${NUMBER}|true|false|null|NaN|-?Infinity|[{}[\\]:,])`;
const OPENERS = new Set(["", "[", "{", ":", ","]);
const VALUE_MISSING = new Set([",", "]", "}", ":"]);

/** "line 3, column 17" of the first token that is wrong; "column 17" in a text of one line. */
export function placeOfError(text: string): string {
  const at = indexOfError(text);
  const before = text.slice(0, at).split("\n");
  const column = `column ${(before.at(-1) as string).length + 1}`;
  return text.trimEnd().includes("\n") ? `line ${before.length}, ${column}` : column;
}

function indexOfError(text: string): number {
  const token = new RegExp(TOKEN, "y");
  const open: string[] = [];
  let before = "";
  for (;;) {
    const from = token.lastIndex;
    const found = token.exec(text);
    if (found === null) return from + (/^[ \t\r\n]*/.exec(text.slice(from))?.[0].length ?? 0);
    const own = found[1] as string;
    const start = token.lastIndex - own.length;
    if (isWrong(own, before, open)) return start;
    if (own === "[" || own === "{") open.push(own);
    if (own === "]" || own === "}") open.pop();
    before = own;
  }
}

/** @param before the token before, empty at the beginning @param open the brackets that are open */
function isWrong(own: string, before: string, open: readonly string[]): boolean {
  const inside = open.at(-1);
  if (VALUE_MISSING.has(own)) {
    const isEmptyPair = (before === "[" && own === "]") || (before === "{" && own === "}");
    if (OPENERS.has(before) && !isEmptyPair) return true;
    if (own === "]") return inside !== "[";
    return own === "," ? inside === undefined : inside !== "{";
  }
  // A value or a name may only follow an opening bracket, a comma or a colon, and names are strings.
  if (!OPENERS.has(before)) return true;
  return inside === "{" && before !== ":" && !own.startsWith('"');
}
