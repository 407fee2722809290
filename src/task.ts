/** The contract of a domain: its problems, how they are asked, and how answers are graded. */
import type { ChatMessage } from "./model.js";

/** What came of one answer. Plain data: it is written to the run folder as it is. */
export interface Outcome {
  /** From 0 to 1; what the reward averages. */
  readonly score: number;
  readonly correct: boolean;
  /** The answer that was graded, taken out of the response; empty when there was none. */
  readonly answer: string;
  /** What the evolver may read about a wrong answer; null for a correct one. */
  readonly error: string | null;
}

/** One problem for people to read. */
export interface ProblemText {
  readonly question: string;
  /** The gold answer. */
  readonly gold: string;
}

/** Whether the gold answers of a task score 1 through its own grader. */
export interface ValidationReport {
  readonly total: number;
  readonly passed: number;
  readonly failures: readonly { readonly problem: string; readonly error: string }[];
  /** Problems whose gold answer depends on the date or on chance, and the parts of it that do; none if left out. */
  readonly changing?: readonly { readonly problem: string; readonly parts: readonly string[] }[];
}

/**
 * A domain: one database, one subject. It knows its problems, how to ask them and how to grade an answer;
 * it knows nothing of models and trees. Only the instructions evolve: everything else in a prompt is fixed
 * (paper §3.2).
 */
export interface Task extends AsyncDisposable {
  /** Such as "bird/superhero". */
  readonly id: string;
  /** Changes when a question, a gold answer or the data behind them changes. */
  readonly fingerprint: string;
  readonly problemIds: readonly string[];
  /** Those of them that may score nodes, if the task says which: the others are for batches. */
  readonly holdoutIds?: readonly string[];
  /** Problems beside these that the task keeps for the test at the end. */
  readonly testIds?: readonly string[];
  readonly seedInstructions: string;
  /** The part of the prompt that all problems share; the evolver is shown it whole. */
  systemPrompt(instructions: string): string;
  /** The whole prompt; what problems share comes first, so that engines evaluate it once. */
  prompt(problemId: string, instructions: string): ChatMessage[];
  /** Never rejects because of what a model wrote. */
  grade(problemId: string, response: string): Promise<Outcome>;
  /** One problem as the evolver sees it: question, answer, gold answer, verdict, error. */
  report(problemId: string, outcome: Outcome): string;
  /** One problem as a report shows it to people. */
  describe?(problemId: string): ProblemText;
  /**
   * Words the evolver's whole prompt, for a task whose models the general one (evolve/evolver-prompt.ts) does not
   * suit. It must shrink when reports are left out from the end, and ask for the new instructions between
   * <prompt> and </prompt>.
   * @param reports what `report` says of the problems of a batch, in their order
   */
  evolverPrompt?(instructions: string, reports: readonly string[]): string;
  /** @param onProblem is called with the id of each problem that is done; a task may leave the id out */
  validate(onProblem?: (problem?: string) => void): Promise<ValidationReport>;
}
