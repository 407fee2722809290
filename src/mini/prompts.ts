/** The prompts and reports of the miniature world. */
/*
 * Both prompts are kept to some 100 to 300 words, because a model of a million parameters has to find its way in them;
 * what they mean it learns from demonstrations.
 */
import type { ChatMessage } from "../model.js";
import type { MiniDatabase } from "./database.js";
import { parseRules, rulesText } from "./rules.js";
import { differences } from "./sql.js";

/** `pets ( pet_id age ) treatments ( treatment_id pet_id fee )`: the first column is the key. */
export function schemaText({ tables }: MiniDatabase): string {
  const text = ({ name, columns }: (typeof tables)[number]) => tableText(name, columns.map(nameOf));
  return tables.map(text).join(" ");
}

const nameOf = ({ name }: { readonly name: string }) => name;

export const tableText = (name: string, columns: readonly string[]): string =>
  `${name} ( ${columns.join(" ")} )`;

/** Schema and instructions, these as far as they are rules, each term once. */
export function miniSystemPrompt(schema: string, instructions: string): string {
  return `${schema} rules ${rulesText(parseRules(instructions))}`;
}

export function actPrompt(schema: string, instructions: string, question: string): ChatMessage[] {
  return [
    { role: "system", content: miniSystemPrompt(schema, instructions) },
    { role: "user", content: question },
  ];
}

/** Bounds on what an answer can add to the evolver's prompt, whoever wrote it. */
const MAX_DIFFERENCES = 8;
const MAX_WORDS = 12;

/**
 * One problem as the evolver sees it: the question, the verdict, and for a wrong answer the parts in which it
 * differs: `asked how many old pets ? WRONG pred old = 1 gold age >= 12`. Whole queries said more than a model
 * of this size could read.
 * @param gold null where no query is known to be right
 */
export function miniReport(question: string, answer: string, gold: string | null, correct: boolean): string {
  const asked = `asked ${question}`;
  if (correct) return `${asked} RIGHT`;
  const words = (sql: string | null) => (sql ?? "none").split(" ").slice(0, MAX_WORDS).join(" ");
  const parts = (gold === null ? [] : differences(answer, gold))
    .slice(0, MAX_DIFFERENCES)
    .map((part) => `pred ${words(part.predicted)} gold ${words(part.gold)}`);
  return [asked, "WRONG", ...parts].join(" ");
}

/** The evolver's prompt: the rules it is to replace and what came of them. */
export function evolverPrompt(instructions: string, reports: readonly string[]): string {
  return [`rules ${rulesText(parseRules(instructions))}`, ...reports].join(" ");
}

/** The completion that makes these rules the new instructions. */
export const editText = (rules: string): string => `<prompt> ${rules} </prompt>`;
