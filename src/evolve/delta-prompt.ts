/** The prompt that asks for changes of single rules. */
import type { ChatMessage } from "../model.js";
import type { WorkedCase } from "../task.js";
import { contextText, type EditRequest, namesText } from "./edit-request.js";
import type { Tried } from "./judge-edit.js";
import { parseManual } from "./manual.js";

/** Earlier edits that the evolver is told of. */
const MOST_TRIED = 6;

const JOB =
  "A language model answers questions under instructions and rules. You see how it did on some questions, and you change the rules so that it does better on new questions of the same kind.";

/**
 * The messages that ask for changes. They show the rules, the names in the data and what went wrong, and by default no more
 * of the model's prompt: small models copy what they are shown. Where the task has a case that is worked out, it comes
 * first, as a turn of the chat, since small models go by what they see done. What does not fit is left out from the end.
 */
export function deltaMessages(request: EditRequest): ChatMessage[] {
  const { task, instructions, batch, tried, fits } = request;
  const { head, rules } = parseManual(instructions);
  const wrong = batch.filter(({ outcome }) => !outcome.correct);
  const reports = (wrong.length > 0 ? wrong : batch)
    .slice(0, request.reports)
    .map(({ problem, outcome }) => task.brief?.lesson(problem, outcome) ?? task.report(problem, outcome));
  const past = tried.slice(-MOST_TRIED).map((edit) => triedText(edit, instructions));
  const context = contextText(request, "names");
  const right = batch.length - wrong.length;
  const worked = task.brief?.worked;
  for (;;) {
    const content = caseText({ rules, context, reports, past, right, asked: batch.length });
    const messages: ChatMessage[] =
      worked === undefined
        ? [{ role: "user", content: `${JOB}\n\n# Its instructions\n${head}\n\n${content}` }]
        : [
            { role: "system", content: JOB },
            ...workedMessages(worked, context !== "", rules.length > 0),
            { role: "user", content },
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

/** Whether a rule only says what the prompt says. */
export function repeatsPrompt(rule: string, worked: WorkedCase | undefined): boolean {
  const said = [howToWrite(true), worked?.added, worked?.replaced.before, worked?.replaced.after];
  return said.some((text) => text?.toLowerCase().includes(rule.toLowerCase()));
}

/** The case as a question and its answer, with a rule to replace where there are rules. */
function workedMessages(worked: WorkedCase, hasContext: boolean, hasRules: boolean): ChatMessage[] {
  const { outline, lessons, added, replaced } = worked;
  const content = caseText({
    rules: hasRules ? [replaced.before] : [],
    context: hasContext ? namesText(outline) : "",
    reports: lessons,
    past: [],
    ...{ right: 1, asked: lessons.length + 1 },
  });
  const second = hasRules ? `<replace rule="1">${replaced.after}</replace>` : `<add>${replaced.after}</add>`;
  return [
    { role: "user", content },
    { role: "assistant", content: `<add>${added}</add>\n${second}` },
  ];
}

interface Case {
  readonly rules: readonly string[];
  readonly context: string;
  readonly reports: readonly string[];
  readonly past: readonly string[];
  readonly right: number;
  readonly asked: number;
}

function caseText({ rules, context, reports, past, right, asked }: Case): string {
  const numbered = rules.map((rule, i) => `${i + 1}. ${rule}`).join("\n");
  return `# Its rules
${rules.length === 0 ? "There are none yet." : numbered}

${context}# How it did
${right} of ${asked} were right.

${reports.join("\n\n")}
${past.length === 0 ? "" : `\n# What was tried before\n${past.join("\n")}\n`}
# What to write
${howToWrite(rules.length > 0)}`;
}

function howToWrite(hasRules: boolean): string {
  const forms = [
    "<add>a new rule</add>",
    ...(hasRules ? [`<replace rule="1">what rule 1 should say</replace>`, `<delete rule="1"/>`] : []),
  ];
  return `Compare each wrong answer with the right one: what did the model not know? Write one to three changes of its rules, in ${forms.length === 1 ? "this form" : "these forms"}:
${forms.join("\n")}
A rule is one sentence. It says where a fact is found, how two things belong together, or what a word in a question means, and it holds for many questions. It never repeats a question or its answer.`;
}

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
