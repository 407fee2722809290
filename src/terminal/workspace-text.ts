/** Texts about a workspace: answers, feedback, its manual, and what runs brought. */
import { styleText } from "node:util";
import type { ReliabilityRow } from "../answer/reliability.js";
import type { SqlValue } from "../bird/sql/rows.js";
import { printable, printableLine } from "../lib/printable.js";
import type { Answered, FeedbackGiven } from "../workspace/ask.js";
import type { Workspace } from "../workspace/folder.js";
import type { PromptForm } from "../workspace/forms.js";
import type { Version } from "../workspace/history.js";
import type { Settled } from "../workspace/settle.js";
import type { Worth } from "../workspace/worth.js";
import { intervalText, signed } from "./numbers.js";
import { diffText } from "./render-tree.js";
import { textTable } from "./text-table.js";

/** What came of a run for the manual, in one line. */
export function settledText(folder: Workspace, run: string, settled: Settled): string {
  const { outcome, holdout, start, best, test, gain } = settled;
  const scores = `${start.toFixed(3)} → ${best.toFixed(3)} on the ${holdout} selection questions`;
  const onTest =
    test === null
      ? "; there is no test"
      : `; on the ${test.problems} test questions ${intervalText(test)}${gain === null ? "" : `, a gain of ${intervalText(gain)}`}`;
  const whyKept =
    start === 1
      ? `it answers all ${holdout} selection questions, and only new questions can show a better one`
      : `nothing scored above ${start.toFixed(3)} on the ${holdout} selection questions`;
  const what = {
    taken: `${folder.manualPath} was replaced by a better one: ${scores}${onTest}.`,
    kept: `${folder.manualPath} stays as it was: ${whyKept}${onTest}.`,
    edited: `${folder.manualPath} was edited while the run went on and stays: ${scores}${onTest}; the run's best is ${folder.runPath(run)}/best.md.`,
  };
  return what[outcome];
}

/** Below this share of equal results an answer is shown as unsure, beside the next most frequent one. */
const SURE = 0.5;

/**
 * An answer with its rows, how sure it is, and what was repaired on the way.
 * @param most rows that are shown
 * @param record how often answers with so much agreement were right in the last run; null where that is not known
 */
export function answerText(
  { path }: Workspace,
  { asked, result, other }: Answered,
  most: number,
  record: ReliabilityRow | null,
): string {
  const lines = [printable(asked.sql), "", ...rowsText(result, most)];
  const { draws, confidence, repaired = [], response = "" } = asked;
  for (const { sql, error } of repaired)
    lines.push(`Repaired: ${printableLine(sql)} (${printableLine(error)})`);
  const words = printable(response.replace(/<answer>[\s\S]*<\/answer>|```[\s\S]*?```/g, "").trim());
  if (words !== "" && words !== printable(asked.sql)) lines.push(`The model says: ${words}`);
  if (draws !== undefined && confidence !== undefined) {
    const agreeing = `${Math.round(confidence * draws)} of ${draws} answers agree`;
    const known =
      record === null
        ? ""
        : ` In the last run ${record.right} of ${record.answers} answers with such agreement were right.`;
    const doubt =
      confidence === 0 ? `None of the ${draws} queries works.` : `Not sure: only ${agreeing}.${known}`;
    lines.push(confidence < SURE ? doubt : `${agreeing}.${known}`);
    if (confidence < SURE && other !== null)
      lines.push(
        "",
        `${Math.round(other.share * draws)} of ${draws} read the question in another way:`,
        printable(other.sql),
        "",
        ...rowsText(other.result, most),
        "",
      );
  }
  lines.push(
    `Question ${asked.id}. Right or wrong? lse ask ${path} --feedback right, or --feedback wrong --sql "SELECT …"`,
  );
  return lines.join("\n");
}

function rowsText(result: Answered["result"], most: number): string[] {
  if (!result.ok) return [`No rows: ${printable(result.error)}.`];
  const { columns, rows } = result.table;
  const shown = rows.slice(0, most);
  const total = result.rows === 1 ? "1 row" : `${result.rows} rows`;
  return [
    textTable([columns, ...shown.map((row) => row.map(cell))].map((row) => row.map(printable))),
    "",
    shown.length < result.rows ? `${total}, of which the first ${shown.length} are shown.` : `${total}.`,
  ];
}

/** What became of feedback. */
export function feedbackText(
  { path, questionsPath }: Workspace,
  { asked, done, sameRows }: FeedbackGiven,
): string {
  const what = {
    added: `${questionsPath}: added to your questions.`,
    replaced: `${questionsPath}: the question was there already and has this SQL now.`,
    known: `${questionsPath}: the question is there already, with the same SQL.`,
    nothing: `Recorded. The right SQL is not known yet; to give it: lse ask ${path} --feedback wrong --id ${asked.id} --sql "SELECT …"`,
  }[done];
  return [
    what,
    ...(sameRows ? ["Today both queries return the same rows."] : []),
    ...(done === "added" || done === "replaced"
      ? [`The manual learns from it with: lse evolve ${path}`]
      : []),
  ].join("\n");
}

/** One change of a manual. */
export function versionText({ title, before, after, settled }: Version, form: PromptForm): string {
  const lines = [styleText("bold", title)];
  if (settled !== null) {
    const { questions, holdout, start, best, test, gain, outcome } = settled;
    const what = {
      taken: "taken",
      kept: "nothing scored higher",
      edited: "not taken: the manual was edited meanwhile",
    };
    lines.push(
      `${questions} questions; ${start.toFixed(3)} → ${best.toFixed(3)} on the ${holdout} selection questions: ${what[outcome]}`,
    );
    if (test !== null)
      lines.push(
        `${intervalText(test)} on the ${test.problems} test questions${gain === null ? "" : `, a gain of ${intervalText(gain)}`}`,
      );
  }
  const inLines = (text: string) => {
    const rules = form.isOneLine ? form.rules(text).map((rule) => rule.text) : [];
    return rules.length === 0 ? text : rules.join("\n");
  };
  if (before !== after) lines.push(diffText(inLines(before), inLines(after)));
  return lines.join("\n");
}

/** What each rule is worth, as a table. */
export function worthText({ score, problems, rules }: Worth): string {
  const rows = rules.map(({ rule, mean, low, high }) => [
    signed(mean),
    `[${signed(low)}, ${signed(high)}]`,
    printable(rule.replace(/\s+/g, " ")),
  ]);
  return [
    textTable([["worth", "95 %", "rule"], ...rows]),
    "",
    `How much the score of ${intervalText(score)} on ${problems} questions falls without the rule. Of two rules that do the same, neither seems to matter.`,
  ].join("\n");
}

function cell(value: SqlValue): string {
  if (value === null) return "NULL";
  return value instanceof Uint8Array
    ? `x'${Buffer.from(value).toString("hex").slice(0, 32)}'`
    : String(value);
}
