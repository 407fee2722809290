/** The texts of MMLU's prompts: seed instructions, system prompt, a question with its choices. */
import type { Reasoning } from "../task.js";
import type { MmluQuestion } from "./dataset.js";
import { lettersOf } from "./gold.js";

/** The instructions that evolution starts from: enough to answer, nothing learned yet. */
export const MMLU_SEED_INSTRUCTIONS = `Read the question and all of its choices. Reason step by step, rule out the choices that are wrong, and take the best of those that remain.`;

/** The same for a model that is to think so much. */
export const mmluSeedInstructions = (reasoning: Reasoning): string =>
  reasoning === "full"
    ? MMLU_SEED_INSTRUCTIONS
    : "Read the question and all of its choices, rule out the choices that are wrong, and take the best of those that remain.";

/** Asks for the letter. */
export const mmluRequest = (reasoning: Reasoning): string =>
  `Give the letter of your choice between <answer> and </answer>.${{ none: " Do not explain it.", brief: " First say in one or two sentences why it is right.", full: "" }[reasoning]}`;

/** What never changes comes before the instructions, so that engines evaluate it once for all of them. */
export function mmluSystemPrompt(instructions: string): string {
  return `You answer multiple-choice questions. You are given instructions, and a question with its choices, each after a letter. One choice is right.

# Form of the answer
Give the letter of your choice once, between <answer> and </answer>, with nothing but that letter in between.

# Instructions
${instructions}`;
}

/** The question, then a line for each choice: "A. …". */
export function mmluQuestionText({ question, choices }: MmluQuestion): string {
  const letters = lettersOf(choices.length);
  return [question, "", ...choices.map((choice, i) => `${letters[i]}. ${choice}`)].join("\n");
}
