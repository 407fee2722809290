/** Instructions as a manual: a text, and below it numbered rules and solved problems, which edits change one by one. */

/** A manual. */
export interface Manual {
  /** What comes before the rules; all of a text that has none in this layout. */
  readonly head: string;
  /** Each in one line. */
  readonly rules: readonly string[];
  /** Problems with their answers, in any number of lines. */
  readonly examples: readonly string[];
}

const RULES = "Rules:";
const EXAMPLES = "Examples:";

/** Printing it again gives the same text. */
export function parseManual(text: string): Manual {
  const [above, examples] = splitAt(text, EXAMPLES, /\n(?=- )/);
  const [head, rules] = splitAt(above, RULES, "\n");
  const manual = {
    head,
    rules: rules.map((line) => line.replace(/^\d+\. /, "")),
    examples: examples.map((item) => item.slice(2).replaceAll("\n  ", "\n")),
  };
  return printManual(manual) === text ? manual : { head: text, rules: [], examples: [] };
}

/** The head, "Rules:" with a number before each, and "Examples:" with a dash before each. */
export function printManual({ head, rules, examples }: Manual): string {
  const numbered = rules.map((rule, i) => `${i + 1}. ${rule}`);
  const items = examples.map((example) => `- ${example.replaceAll("\n", "\n  ")}`);
  return [
    ...(head === "" ? [] : [head]),
    ...(rules.length === 0 ? [] : [[RULES, ...numbered].join("\n")]),
    ...(examples.length === 0 ? [] : [[EXAMPLES, ...items].join("\n")]),
  ].join("\n\n");
}

/** What comes before the last part with a title, and the items of that part; all of the text where it has no such part. */
function splitAt(text: string, title: string, between: string | RegExp): [string, string[]] {
  const start = text.startsWith(`${title}\n`) ? 0 : text.lastIndexOf(`\n\n${title}\n`);
  if (start < 0) return [text, []];
  const items = text.slice(text.indexOf(`${title}\n`, start) + title.length + 1);
  return [text.slice(0, start), items.split(between)];
}

/** Equal for rules of the same words, whatever their order, case and punctuation. */
export const normalForm = (rule: string): string =>
  [...new Set(rule.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? [])].sort().join(" ");
