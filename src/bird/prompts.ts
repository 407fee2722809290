/** The texts of BIRD's prompts: seed instructions, system and user prompt, the report for the evolver. */
import type { Outcome, PromptParts, Reasoning } from "../task.js";
import type { BirdQuestion } from "./dataset.js";

/** What a model is shown of a question. */
export type QuestionText = Pick<BirdQuestion, "question" | "evidence">;

/** The SQL dialect of a database. */
export type Dialect = "SQLite" | "DuckDB";

/** The instructions that evolution starts from: enough to answer, nothing learned yet. */
export const seedInstructions = (dialect: Dialect, reasoning: Reasoning = "full"): string =>
  `Read the question and the hints, find the tables and columns they are about, and write one ${dialect} query that answers the question. Return exactly the columns that are asked for.${reasoning === "full" ? " Reason step by step first." : ""}`;

export const BIRD_SEED_INSTRUCTIONS = seedInstructions("SQLite");

/** Task, schema and instructions: the same for all questions of a database. */
export function birdSystemPrompt(schema: string, instructions: string, dialect: Dialect = "SQLite"): string {
  return `You translate questions about a database into SQL. You are given the schema of a ${dialect} database, instructions, and a question, with hints where there are any. Your query is executed, and its rows are compared with those of the correct query.

# Schema
${schema}

# Instructions
${instructions}

# Form of the answer
Give the final query once, between <answer> and </answer>, with nothing but SQL in between.`;
}

/**
 * The instructions once more, close to the question, as in the published prompts. They come first, so that all
 * questions share them.
 */
export function userPrompt(
  question: QuestionText,
  instructions: string,
  dialect: Dialect = "SQLite",
): string {
  return `Keep to these instructions:
${instructions}

${fullQuestion(question)}

Write the ${dialect} query that answers this. Put it between <answer> and </answer>.`;
}

/** Hints first, then the question. */
export function fullQuestion({ evidence, question }: QuestionText): string {
  return evidence === "" ? `Question: ${question}` : `Hints: ${evidence}\nQuestion: ${question}`;
}

/** How much thought is asked for, in words, before the query. */
const THOUGHT: { readonly [name in Reasoning]: string } = {
  none: " Do not explain it.",
  brief: " First say in one or two sentences which tables and columns it needs.",
  full: "",
};

/** What strategies put prompts of text-to-SQL together from, but for the problems themselves. */
export type SqlPromptParts = Pick<PromptParts, "seedInstructions" | "request" | "repair">;

export const sqlPromptParts = (dialect: Dialect): SqlPromptParts => ({
  seedInstructions: (reasoning) => seedInstructions(dialect, reasoning),
  request: (reasoning) =>
    `Write the ${dialect} query that answers this, between <answer> and </answer>.${THOUGHT[reasoning]}`,
  repair: (failure) =>
    failure === null
      ? "Your query returns no rows. Check the values and the conditions, and write the corrected query between <answer> and </answer>."
      : `Your query fails: ${failure} Write the corrected query between <answer> and </answer>.`,
});

/** A response that is right. */
export const sqlSolution = (sql: string): string => `<answer>${sql}</answer>`;

/** Longest error text the evolver reads (lse_reference §9: cut at 500 characters). */
const MAX_ERROR_CHARS = 500;

/**
 * One answered question as the evolver sees it.
 * @param gold the right answer, in one line
 */
export function birdReport(
  question: QuestionText,
  gold: string,
  { answer, correct, error }: Outcome,
): string {
  const lines = [
    fullQuestion(question),
    `Answer taken from the response: ${answer === "" ? "(none)" : answer}`,
    gold,
    `Correct: ${correct ? "True" : "False"}`,
  ];
  if (error !== null) lines.push(`Error: ${truncated(error)}`);
  return lines.join("\n");
}

const truncated = (text: string) =>
  text.length <= MAX_ERROR_CHARS ? text : `${text.slice(0, MAX_ERROR_CHARS)}... (truncated)`;
