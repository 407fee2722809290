/** Splits a manual into its rules, so that each can be left out on its own. */
import { parseManual, printManual } from "../evolve/manual.js";

/** One rule of a manual. */
export interface RuleUnit {
  readonly text: string;
  /** The manual without it. */
  readonly without: string;
}

const BULLET = /^\s*(?:[-*+•]|\d+[.)])\s/;
const HEADING = /^#{1,6}\s/;

/** The rules of a manual's text, then its numbered rules, then its examples. */
export function ruleUnits(instructions: string): RuleUnit[] {
  const manual = parseManual(instructions);
  const { head, rules, examples } = manual;
  return [
    ...unitsOf(head).map(({ text, without }) => ({
      text,
      without: printManual({ ...manual, head: without }),
    })),
    ...rules.map((rule, i) => ({
      text: `${i + 1}. ${rule}`,
      without: printManual({ ...manual, rules: rules.toSpliced(i, 1) }),
    })),
    ...examples.map((example, i) => ({
      text: example,
      without: printManual({ ...manual, examples: examples.toSpliced(i, 1) }),
    })),
  ];
}

/**
 * The rules of instructions in plain text or Markdown: each item of a list with the lines that belong to it, and
 * each other paragraph. Headings are not rules; they stay.
 */
function unitsOf(instructions: string): RuleUnit[] {
  const lines = instructions.split("\n");
  const starts: number[] = [];
  const owner: (number | null)[] = [];
  let current: number | null = null;
  let wasBlank = true;
  for (const line of lines) {
    const isBlank = line.trim() === "";
    const isIndented = /^\s/.test(line);
    if (HEADING.test(line)) current = null;
    else if (
      !isBlank &&
      (BULLET.test(line) ? !isNested(line, current, lines, starts) : wasBlank && !isIndented)
    ) {
      current = starts.length;
      starts.push(owner.length);
    } else if (!isBlank && current === null) {
      current = starts.length;
      starts.push(owner.length);
    }
    owner.push(isBlank ? null : current);
    wasBlank = isBlank;
  }
  return starts.map((_, unit) => ({
    text: lines.filter((_, i) => owner[i] === unit).join("\n"),
    without: joined(lines.filter((_, i) => owner[i] !== unit)),
  }));
}

/** Whether a list item belongs to the item before it. */
function isNested(
  line: string,
  current: number | null,
  lines: readonly string[],
  starts: readonly number[],
): boolean {
  if (current === null) return false;
  const indent = (text: string) => text.length - text.trimStart().length;
  const first = lines[starts[current] as number] as string;
  return BULLET.test(first) && indent(line) > indent(first);
}

const joined = (lines: readonly string[]) =>
  lines
    .join("\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
