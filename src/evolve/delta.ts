/** Edits of single rules: the evolver adds, replaces or deletes a few of them, in place of rewriting the whole manual. */
import type { ChatMessage, Completion } from "../model.js";
import { contextText, type EditRequest } from "./edit-request.js";
import { type EditRules, type JudgedEdit, judgeInstructions, type Tried } from "./judge-edit.js";
import { normalForm, parseManual, printManual } from "./manual.js";

/** Changes of one edit; what comes after them is left out. */
const MOST_CHANGES = 3;
/** Earlier edits that the evolver is told of. */
const MOST_TRIED = 6;
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

/**
 * The message that asks for changes. It shows the rules, the names in the data and what went wrong, and by default no more
 * of the model's prompt: small models copy what they are shown. What does not fit is left out from the end.
 */
export function deltaMessages(request: EditRequest): ChatMessage[] {
  const { task, instructions, batch, tried, fits } = request;
  const wrong = batch.filter(({ outcome }) => !outcome.correct);
  const reports = (wrong.length > 0 ? wrong : batch)
    .slice(0, request.reports)
    .map(({ problem, outcome }) => task.brief?.lesson(problem, outcome) ?? task.report(problem, outcome));
  const context = contextText(request, "names");
  const done = `${batch.length - wrong.length} of ${batch.length} were right.`;
  const past = tried.slice(-MOST_TRIED).map((edit) => triedText(edit, instructions));
  for (;;) {
    const messages = [
      { role: "user" as const, content: deltaPrompt(instructions, context, reports, done, past) },
    ];
    if (fits(messages) || (reports.length === 0 && past.length === 0)) return messages;
    // One report teaches more than what was tried long ago.
    if (reports.length > 1 || past.length === 0) reports.pop();
    else past.shift();
  }
}

/** Asks again after changes that could not be used. */
export const deltaRetry = (reason: string): string =>
  `That cannot be used: ${reason}. Write other changes, in the forms above.`;

/** One line on an edit that was tried before. */
function triedText(edit: Tried, instructions: string): string {
  if ("rejected" in edit) return `- Not usable: ${edit.rejected}.`;
  const before = parseManual(edit.from ?? instructions).rules;
  const after = parseManual(edit.instructions).rules;
  const others = (rules: readonly string[], than: readonly string[]) =>
    rules.filter((rule) => !than.includes(rule)).map((rule) => `"${rule}"`);
  const added = others(after, before);
  const left = others(before, after);
  const points = Math.round(100 * edit.gain);
  return `- ${[
    ...(added.length > 0 ? [`With ${added.join(" and ")}`] : []),
    ...(left.length > 0 ? [`without ${left.join(" and ")}`] : []),
  ].join(
    ", ",
  )}: ${points === 0 ? "no change" : `${Math.abs(points)} points ${points > 0 ? "better" : "worse"}`}.`;
}

function deltaPrompt(
  instructions: string,
  context: string,
  reports: readonly string[],
  done: string,
  tried: readonly string[],
): string {
  const { head, rules } = parseManual(instructions);
  const numbered = rules.map((rule, i) => `${i + 1}. ${rule}`).join("\n");
  return `A language model answers questions under the instructions and rules below. You see how it did on some questions, and you change the rules so that it does better on new questions of the same kind.

# Its instructions
${head}

# Its rules
${rules.length === 0 ? "There are none yet." : numbered}

${context}# How it did
${done}

${reports.join("\n\n")}
${tried.length === 0 ? "" : `\n# What was tried before\n${tried.join("\n")}\n`}
# What to write
${howToWrite(rules.length > 0)}`;
}

function howToWrite(hasRules: boolean): string {
  const forms = [
    "<add>a new rule</add>",
    ...(hasRules ? [`<replace rule="1">what rule 1 should say</replace>`, `<delete rule="1"/>`] : []),
  ];
  return `Say in one or two sentences what the wrong answers have in common. Then write one to three changes of the rules, in ${forms.length === 1 ? "this form" : "these forms"}:
${forms.join("\n")}
A rule is one sentence. It says where a fact is found, how two things belong together, or what a word in a question means, and it holds for many questions. It never repeats a question or its answer.`;
}

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

/** Makes the changes that an evolver's answer has, and says whether what comes of them can be used. */
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
  const written = changes.flatMap(({ text }) => text ?? []);
  const flaw = flawIn(written, howToWrite(true), rules);
  if (flaw !== null) return invalid(flaw);
  const changed = changedRules(parseManual(rules.parent).rules, changes);
  if (typeof changed === "string") return invalid(changed);
  const instructions = printManual({ ...parseManual(rules.parent), rules: changed });
  const inOrder = (manual: string) => parseManual(manual).rules.map(normalForm).sort().join("\n");
  if (inOrder(instructions) === inOrder(rules.parent))
    return { instructions, verdict: "same", reason: "the same rules as before" };
  return judgeInstructions(instructions, rules);
}

/**
 * Why one of these rules cannot be in a manual; null if all can.
 * @param request the words that ask for rules
 */
export function flawIn(
  written: readonly string[],
  request: string,
  { quoted }: Pick<EditRules, "quoted">,
): string | null {
  for (const rule of written) {
    if (rule.length < RULE_CHARS.least || rule.length > RULE_CHARS.most)
      return `a rule of ${rule.length} characters`;
    if (request.toLowerCase().includes(rule.toLowerCase())) return "a rule repeats what is asked for";
    const quotes = quoted?.(rule) ?? null;
    if (quotes !== null) return `a rule quotes ${quotes}`;
  }
  return null;
}

/** The first changes of an answer; one that is cut off in the middle is none. */
const changesIn = (text: string): Change[] =>
  [...text.matchAll(CHANGE)].slice(0, MOST_CHANGES).map(([, added, replaced, replacement, deleted]) => ({
    rule: replaced !== undefined || deleted !== undefined ? Number(replaced ?? deleted) : null,
    text: deleted === undefined ? oneRule(added ?? replacement ?? "") : null,
  }));

/** In one line, without the number or bullet that models like to write. */
export const oneRule = (text: string) =>
  text
    .replace(/\s+/g, " ")
    .trim()
    .replace(/^(?:\d+[.)]|[-*•]) /, "");

/** The rules after the changes, or why there are none. Numbers are those of before. */
function changedRules(before: readonly string[], changes: readonly Change[]): string[] | string {
  const kept: (string | null)[] = [...before];
  const added: string[] = [];
  for (const { rule, text } of changes) {
    if (rule !== null && (rule < 1 || rule > before.length)) return `there is no rule ${rule}`;
    if (rule !== null) kept[rule - 1] = text;
    else if (text !== null) added.push(text);
  }
  const rules = [...kept.filter((rule) => rule !== null), ...added];
  const forms = rules.map(normalForm);
  const isTwice = (rule: string) => forms.filter((form) => form === normalForm(rule)).length > 1;
  const twice = changes.find(({ text }) => text !== null && isTwice(text))?.text;
  return twice == null ? rules : `"${twice.replace(/\.$/, "")}" is there already`;
}
