/** Instructions as a manual: a text, and below it numbered rules that edits change one by one. */

/** A manual. */
export interface Manual {
  /** What comes before the rules; all of a text that has none in this layout. */
  readonly head: string;
  /** Each in one line. */
  readonly rules: readonly string[];
}

const TITLE = "Rules:";
const LAYOUT = new RegExp(String.raw`(?:^|\n\n)${TITLE}\n((?:\d+\. \S.*(?:\n|$))+)$`);

/** Printing it again gives the same text. */
export function parseManual(text: string): Manual {
  const found = LAYOUT.exec(text);
  const lines = found?.[1]?.split("\n") ?? [];
  const rules = lines.map((line) => line.replace(/^\d+\. /, ""));
  const manual = { head: text.slice(0, found?.index), rules };
  return found !== null && printManual(manual) === text ? manual : { head: text, rules: [] };
}

/** The head, and "Rules:" with a number before each. */
export function printManual({ head, rules }: Manual): string {
  if (rules.length === 0) return head;
  const numbered = rules.map((rule, i) => `${i + 1}. ${rule}`).join("\n");
  return `${head}${head === "" ? "" : "\n\n"}${TITLE}\n${numbered}`;
}

/** Equal for rules of the same words, whatever their order, case and punctuation. */
export const normalForm = (rule: string): string =>
  [...new Set(rule.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? [])].sort().join(" ");
