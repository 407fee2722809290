/** Puts a prompt together: what all questions share first, solved problems as earlier turns, then the question. */
import type { ChatMessage } from "../model.js";
import type { Reasoning } from "../task.js";

/** What a prompt is made of. */
export interface PromptPieces {
  /** The same for all questions: task, schema, instructions, the form of the answer. */
  readonly system: string;
  /** The most similar one last. */
  readonly examples: readonly { readonly question: string; readonly solution: string }[];
  readonly question: string;
  /** Asks for the answer, in its form. */
  readonly request: string;
  readonly reasoning: Reasoning;
}

/**
 * Each example is a question with its answer, as if the model had given it. After examples, a question without
 * reasoning stands alone: they show better than words what comes next.
 */
export function strategicPrompt(pieces: PromptPieces): ChatMessage[] {
  const { system, examples, question, request, reasoning } = pieces;
  const isShown = examples.length > 0 && reasoning === "none";
  return [
    { role: "system", content: system },
    ...examples.flatMap((example): ChatMessage[] => [
      { role: "user", content: example.question },
      { role: "assistant", content: example.solution },
    ]),
    { role: "user", content: isShown ? question : `${question}\n\n${request}` },
  ];
}
