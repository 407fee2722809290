/** Prompts and answers as rows to train on. */
import type { ChatMessage } from "../model.js";
import type { Row } from "./batch.js";

/** A prompt and what to answer to it. */
export interface Lesson {
  readonly messages: readonly ChatMessage[];
  readonly completion: string;
}

/** How the model's own tokenizer and chat template put them into tokens. */
export interface LessonTokenizer {
  /** The whole prompt, the opening of the answer's turn included. */
  encodePrompt(messages: readonly ChatMessage[]): number[];
  /** The answer with the token that ends it. */
  encodeCompletion(completion: string): number[];
}

/**
 * Lessons whose prompts begin alike, such as questions about one database, as one row: what they share is read
 * once. Only the answers count.
 */
export function rowOf(lessons: readonly Lesson[], tokenizer: LessonTokenizer): Row {
  const prompts = lessons.map(({ messages }) => tokenizer.encodePrompt(messages));
  const first = prompts[0] ?? [];
  let shared = 0;
  while (shared < first.length && prompts.every((prompt) => prompt[shared] === first[shared])) shared++;
  return {
    prefix: first.slice(0, shared),
    continuations: lessons.map(({ completion }, i) => {
      const given = (prompts[i] ?? []).slice(shared);
      const answer = tokenizer.encodeCompletion(completion);
      return { tokens: [...given, ...answer], weights: [...given.map(() => 0), ...answer.map(() => 1)] };
    }),
  };
}
