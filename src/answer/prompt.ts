/** Puts a prompt together: what all questions share first, the examples, the question, what is asked for. */
import type { ChatMessage } from "../model.js";

/** What a prompt is made of. */
export interface PromptPieces {
  /** The same for all questions: task, schema, instructions. */
  readonly system: string;
  /** The most similar one last. */
  readonly examples: readonly { readonly question: string; readonly solution: string }[];
  readonly question: string;
  /** Asks for the answer, in its form. */
  readonly request: string;
}

export function strategicPrompt({ system, examples, question, request }: PromptPieces): ChatMessage[] {
  const solved = examples.map((example) => `${example.question}\n${example.solution}`);
  const shown =
    solved.length === 0 ? [] : [`Solved questions:\n\n${solved.join("\n\n")}\n\nThe question to answer:`];
  return [
    { role: "system", content: system },
    { role: "user", content: [...shown, `${question}\n\n${request}`].join("\n") },
  ];
}
