/** Edits of single rules: the evolver adds, replaces or deletes a few of them, in place of rewriting the whole manual. */
import type { Completion } from "../model.js";
import { repeatsPrompt } from "./delta-prompt.js";
import { type EditRules, type JudgedEdit, judgeInstructions } from "./judge-edit.js";
import { normalForm, parseManual, printManual } from "./manual.js";

/** Changes of one edit; what comes after them is left out. */
const MOST_CHANGES = 3;
export const RULE_CHARS = { least: 10, most: 400 };

/**
 * What a constrained edit keeps to, as GBNF: a few words of thought, then one to three changes. A rule is one line, in
 * which `<` compares or does not stand.
 */
export const DELTA_GRAMMAR = `root ::= thoughts change (space change)? (space change)?
thoughts ::= [^<]{0,600}
space ::= [ \\n]{0,2}
change ::= "<add>" rule "</add>" | "<replace rule=\\"" number "\\">" rule "</replace>" | "<delete rule=\\"" number "\\"/>"
number ::= [1-9] [0-9]?
rule ::= ([^<\\n] | "<" [ =>0-9]){${RULE_CHARS.least},${RULE_CHARS.most}}`;

/** What a rule may be between its tags, as a regular expression: it ends at the next tag, whichever that is. */
export const RULE = String.raw`((?:(?!</?(?:add|replace|delete|helpful|harmful)\b)[\s\S])*?)`;
const CHANGE = new RegExp(
  String.raw`<add>${RULE}</add>|<replace rule="(\d+)">${RULE}</replace>|<delete rule="(\d+)"\s*/>`,
  "g",
);

/** A change that was written. `rule` counts from 1. */
interface Change {
  readonly rule: number | null;
  /** Null: the rule is deleted. */
  readonly text: string | null;
}

/**
 * Makes the changes that an evolver's answer has. One that cannot be made, or whose rule cannot be in a manual, is left out;
 * an edit of which nothing is left cannot be used.
 */
export function judgeDelta(
  { text, finishReason, generatedTokens }: Pick<Completion, "text" | "finishReason" | "generatedTokens">,
  rules: EditRules,
): JudgedEdit {
  const changes = changesIn(text);
  const invalid = (reason: string): JudgedEdit => ({ instructions: "", verdict: "invalid", reason });
  if (changes.length === 0)
    return invalid(
      finishReason === "length"
        ? `cut off after ${generatedTokens} tokens, before any change`
        : "no <add>, <replace> or <delete> in the answer",
    );
  const manual = parseManual(rules.parent);
  const { changed, flaws } = withChanges(
    manual.rules,
    changes,
    (rule) =>
      flawIn(rule, rules) ?? (repeatsPrompt(rule, rules.worked) ? "a rule repeats what is asked for" : null),
  );
  if (flaws.length === changes.length) return invalid(flaws[0] as string);
  const instructions = printManual({ ...manual, rules: changed });
  const inOrder = (all: readonly string[]) => all.map(normalForm).sort().join("\n");
  if (inOrder(changed) === inOrder(manual.rules))
    return { instructions, verdict: "same", reason: "the same rules as before" };
  return judgeInstructions(instructions, rules);
}

/** Why a rule cannot be in a manual; null if it can. */
export function flawIn(rule: string, { quoted }: Pick<EditRules, "quoted">): string | null {
  if (rule.length < RULE_CHARS.least || rule.length > RULE_CHARS.most)
    return `a rule of ${rule.length} characters`;
  const quotes = quoted?.(rule) ?? null;
  return quotes === null ? null : `a rule quotes ${quotes}`;
}

/** The first changes of an answer; one that is cut off in the middle is none. */
const changesIn = (text: string): Change[] =>
  [...text.matchAll(CHANGE)].slice(0, MOST_CHANGES).map(([, added, replaced, replacement, deleted]) => ({
    rule: replaced !== undefined || deleted !== undefined ? Number(replaced ?? deleted) : null,
    text: deleted === undefined ? oneRule(added ?? replacement ?? "") : null,
  }));

/** In one line, without the number, the bullet or the quotes around it that models like to write. */
export const oneRule = (text: string) =>
  text
    .replace(/\s+/g, " ")
    .trim()
    .replace(/^(?:\d+[.)]|[-*•]) /, "")
    .replace(/^"([^"]*)"$/, "$1");

/**
 * The rules after the changes that can be made, and why others cannot. Numbers are those of before.
 * @param flawOf why a new rule cannot be one
 * @param touched the rules that changes take away, so that another may have their words
 */
function withChanges(
  before: readonly string[],
  changes: readonly Change[],
  flawOf: (rule: string) => string | null,
  touched: ReadonlySet<number | null> = new Set(changes.map(({ rule }) => rule)),
): { changed: string[]; flaws: string[] } {
  const isThere = (number: number) => number >= 1 && number <= before.length;
  const made = new Set<number | null>();
  const forms = new Set(before.filter((_, i) => !touched.has(i + 1)).map(normalForm));
  const kept: (string | null)[] = [...before];
  const added: string[] = [];
  const flaws: string[] = [];
  for (const { rule, text } of changes) {
    const flaw =
      rule !== null && !isThere(rule)
        ? `there is no rule ${rule}`
        : text === null
          ? null
          : forms.has(normalForm(text))
            ? `"${text.replace(/\.$/, "")}" is there already`
            : flawOf(text);
    if (flaw !== null) {
      flaws.push(flaw);
      continue;
    }
    made.add(rule);
    if (text !== null) forms.add(normalForm(text));
    if (rule !== null) kept[rule - 1] = text;
    else if (text !== null) added.push(text);
  }
  // A rule stays where none of its changes can be made: then no other may have its words.
  if ([...touched].some((rule) => !made.has(rule))) return withChanges(before, changes, flawOf, made);
  return { changed: [...kept.filter((rule) => rule !== null), ...added], flaws };
}
