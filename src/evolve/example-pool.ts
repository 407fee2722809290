/** Which problems may be examples in a manual, and what they look like there. */
import type { PromptParts } from "../task.js";
import type { EditAttempt, WriterParts } from "./edit-writer.js";

/** Neither problems that score nodes nor their twins are examples. */
export class ExamplePool {
  readonly #problems: PromptParts;
  /** Keys of the problems that score nodes. */
  readonly #scored: ReadonlySet<string>;

  constructor({ task, split }: Pick<WriterParts, "task" | "split">) {
    this.#problems = task.parts as PromptParts;
    this.#scored = new Set([...split.holdout, ...split.test].flatMap((id) => this.#keysOf(id)));
  }

  isAllowed(id: string): boolean {
    return !this.#keysOf(id).some((key) => this.#scored.has(key));
  }

  /** A problem with its right answer; null where that cannot be shown. */
  solved(id: string): string | null {
    const solution = this.#problems.solution(id);
    return solution === null ? null : this.answered(id, solution);
  }

  /** A problem with a response. */
  answered(id: string, response: string): string {
    return `${this.#problems.question(id)}\n${response}`;
  }

  #keysOf(id: string): string[] {
    return [...this.#problems.twinKeys(id), id];
  }
}

/** An edit for which no evolver was asked. */
export const unaskedAttempt = (instructions: string, rejected: string | null): EditAttempt => ({
  ...{ instructions, rejected, replies: [], promptTokens: 0, tokens: 0 },
});
