/**
 * ACE's edits on this loop (Agentic Context Engineering, Zhang et al. 2025, arXiv 2510.04618; the published code
 * ace-agent/ace): the evolver says which rules helped and which did harm, and adds others. Counts stand behind the
 * rules, for the model that answers to see, too. docs/protocol.md says what differs.
 */
import type { ChatMessage, Completion } from "../model.js";
import { flawIn, oneRule, RULE, RULE_CHARS } from "./delta.js";
import { deltaRetry } from "./delta-prompt.js";
import type { EditKind } from "./edit-kinds.js";
import type { EditRequest } from "./edit-request.js";
import { type EditRules, type JudgedEdit, judgeInstructions } from "./judge-edit.js";
import { normalForm, parseManual, printManual } from "./manual.js";

/** Rules of a manual at most, even where more have room in the context. */
const MOST_RULES = 32;
/** Rules that one edit adds; what comes after them is left out. */
const MOST_ADDED = 3;
/** Rules that share so many of all their words say the same (the published code's similarity of embeddings). */
const SAME = 0.9;

/** A rule, and how often the evolver said of it that it had helped, or done harm. */
export interface CountedRule {
  readonly text: string;
  readonly helpful: number;
  readonly harmful: number;
}

const COUNTS = / \(helpful (\d+), harmful (\d+)\)$/;

/** A rule without counts has been judged by nobody. */
export function parseCounted(rule: string): CountedRule {
  const [, helpful = 0, harmful = 0] = COUNTS.exec(rule) ?? [];
  return { text: rule.replace(COUNTS, ""), helpful: Number(helpful), harmful: Number(harmful) };
}

export const printCounted = ({ text, helpful, harmful }: CountedRule): string =>
  helpful + harmful === 0 ? text : `${text} (helpful ${helpful}, harmful ${harmful})`;

/** Counts and additions. */
export const ACE: EditKind = {
  needsFailures: false,
  grammar: `root ::= thoughts change (space change){0,7}
thoughts ::= [^<]{0,600}
space ::= [ \\n]{0,2}
change ::= ("<helpful" | "<harmful") " rule=\\"" [1-9] [0-9]? "\\"/>" | "<add>" rule "</add>"
rule ::= ([^<\\n] | "<" [ =>0-9]){${RULE_CHARS.least},${RULE_CHARS.most}}`,
  messages: aceMessages,
  retry: deltaRetry,
  judge: judgeAce,
};

/** Reports of right answers come after those of wrong ones; what does not fit is left out from the end. */
function aceMessages({ task, instructions, batch, fits }: EditRequest): ChatMessage[] {
  const [wrong, right] = [false, true].map((is) => batch.filter(({ outcome }) => outcome.correct === is));
  const answers = [...(wrong ?? []), ...(right ?? [])];
  const reports = answers.map(({ problem, outcome }) => task.report(problem, outcome));
  const done = `${right?.length ?? 0} of ${batch.length} were right.`;
  for (;;) {
    const messages = [{ role: "user" as const, content: acePrompt(instructions, done, reports) }];
    if (reports.length === 0 || fits(messages)) return messages;
    reports.pop();
  }
}

function acePrompt(instructions: string, done: string, reports: readonly string[]): string {
  const { head, rules } = parseManual(instructions);
  const numbered = rules.map((rule, i) => `${i + 1}. ${rule}`).join("\n");
  return `A language model answers questions under the instructions and rules below. You see how it did on some questions. You say which rules helped it and which did harm, and you add rules that it lacks.

# Its instructions
${head}

# Its rules
${rules.length === 0 ? "There are none yet." : numbered}

# How it did
${done}

${reports.join("\n\n")}

# What to write
${howToCount(rules.length > 0)}`;
}

function howToCount(hasRules: boolean): string {
  const counting = `For each rule that had a part in these answers, say whether it led to a right answer or to a wrong one, in these forms:
<helpful rule="1"/>
<harmful rule="2"/>
`;
  return `Say in one or two sentences what the wrong answers have in common, and what led to the right ones. ${hasRules ? counting : ""}Then write up to ${MOST_ADDED} new rules, in this form:
<add>a new rule</add>
A rule is one sentence. It says where a fact is found, how two things belong together, or what a word in a question means, and it holds for many questions. It never repeats a question or its answer, nor a rule that is there already.`;
}

const TAG = /<(helpful|harmful) rule="(\d+)"\s*\/>/g;
const ADDED = new RegExp(`<add>${RULE}</add>`, "g");

/** Counts what an answer says of rules, adds its new ones, and keeps as many as there is room for. */
function judgeAce(
  { text, finishReason, generatedTokens }: Pick<Completion, "text" | "finishReason" | "generatedTokens">,
  rules: EditRules,
): JudgedEdit {
  const invalid = (reason: string): JudgedEdit => ({ instructions: "", verdict: "invalid", reason });
  const added = [...text.matchAll(ADDED)]
    .slice(0, MOST_ADDED)
    .map(([, rule = ""]) => parseCounted(oneRule(rule)).text);
  const tags = new Map([...text.matchAll(TAG)].map(([, tag, rule]) => [Number(rule), tag]));
  if (added.length === 0 && tags.size === 0)
    return invalid(
      finishReason === "length"
        ? `cut off after ${generatedTokens} tokens, before any rule`
        : "no <helpful>, <harmful> or <add> in the answer",
    );
  const request = howToCount(true).toLowerCase();
  for (const rule of added) {
    const repeats = request.includes(rule.toLowerCase()) ? "a rule repeats what is asked for" : null;
    const flaw = flawIn(rule, rules) ?? repeats;
    if (flaw !== null) return invalid(flaw);
  }

  const manual = parseManual(rules.parent);
  const printed = (counted: readonly CountedRule[]) =>
    printManual({ ...manual, rules: counted.map(printCounted) });
  const counted = manual.rules.map(parseCounted).map((rule, i) => {
    const tag = tags.get(i + 1);
    return {
      text: rule.text,
      helpful: rule.helpful + (tag === "helpful" ? 1 : 0),
      harmful: rule.harmful + (tag === "harmful" ? 1 : 0),
    };
  });
  const kept = withinBudget(
    added.reduce(withRule, counted),
    (left) => left.length <= MOST_RULES && rules.unusable(printed(left)) === null,
  );
  const instructions = printed(kept);
  return instructions === rules.parent
    ? { instructions, verdict: "same", reason: "all of it is there already" }
    : judgeInstructions(instructions, rules);
}

/** Adds a rule at the end, unless one says the same: that one keeps its words and counts. */
function withRule(counted: readonly CountedRule[], text: string): CountedRule[] {
  const isThere = counted.some((other) => likeness(other.text, text) >= SAME);
  return isThere ? [...counted] : [...counted, { text, helpful: 0, harmful: 0 }];
}

/** Share of the words of two rules that both have. */
function likeness(one: string, other: string): number {
  const words = normalForm(one).split(" ");
  const others = new Set(normalForm(other).split(" "));
  const shared = words.filter((word) => others.has(word)).length;
  return shared / (words.length + others.size - shared);
}

/** Takes out rules until the others fit: those first that did more harm than good, of equal ones the oldest. */
function withinBudget(
  counted: readonly CountedRule[],
  fits: (left: readonly CountedRule[]) => boolean,
): CountedRule[] {
  const worth = ({ helpful, harmful }: CountedRule) => helpful - harmful;
  const left = [...counted];
  while (left.length > 0 && !fits(left)) {
    const least = left.reduce((worst, rule) => (worth(rule) < worth(worst) ? rule : worst));
    left.splice(left.indexOf(least), 1);
  }
  return left;
}
