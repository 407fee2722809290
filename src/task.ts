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

/** How much a model is asked to think before it gives its answer. */
export const REASONING = ["none", "brief", "full"] as const;
export type Reasoning = (typeof REASONING)[number];

/** What an answer is by itself, without the gold answer: repair and vote go by this alone. */
export interface Reading {
  /** The answer that was taken out of the response; empty when there was none. */
  readonly answer: string;
  /**
   * Equal for answers that mean the same, such as queries that return the same rows; null where the answer cannot be
   * used.
   */
  readonly result: string | null;
  /** Why it cannot be used, in words that help the model to repair it; null where it can. */
  readonly failure: string | null;
  /** Whether there is nothing in the result, such as a query's without rows. */
  readonly isEmpty: boolean;
  /** A response in its place that can be used, which the task found by itself, such as a query with a join that was missing. */
  readonly mended?: string | undefined;
}

/** What is to be found out about an answer. */
export interface ReadOptions {
  /** Whether to look for a response in its place, if it cannot be used (`Reading.mended`). */
  readonly mend?: boolean;
}

/** The parts of a task's prompts, for strategies that put them together in their own way. */
export interface PromptParts {
  /** The instructions that evolution starts from, for a model that is to think so much. */
  seedInstructions(reasoning: Reasoning): string;
  /** A question with what belongs to it, such as hints and choices. */
  question(problemId: string): string;
  /** Asks for the answer, and says where to put it. */
  request(reasoning: Reasoning): string;
  /** A response that is right, for examples; null for a problem that cannot be one. */
  solution(problemId: string): string | null;
  /**
   * What a problem has in common with those that differ from it in values alone: problems with an equal key are twins,
   * and a twin is no example for a problem that is scored.
   */
  twinKeys(problemId: string): readonly string[];
  /** Asks the model for another answer. @param failure as in `Reading`; null where the result was empty */
  repair(failure: string | null): string;
}

/** Changes of single rules in a task's own words, for models that do not know the general ones (evolve/delta.ts). */
export interface DeltaForm {
  /**
   * Words the whole prompt that asks for changes; like `Task.evolverPrompt`, it must shrink when reports are left out.
   * @param reports what `report` says of the problems of a batch, in their order
   */
  prompt(instructions: string, reports: readonly string[]): string;
  /**
   * Makes the changes that an answer has, whatever else it says. Of an answer that was cut off, those count that are
   * whole. Instructions in which nothing changes come back as they are. Which rules are refused is the task's matter
   * (`Task.quoted` is not asked).
   * @returns null for an answer without a change
   */
  apply(
    instructions: string,
    answer: string,
  ): { readonly instructions: string } | { /** Why not. */ readonly refused: string } | null;
  /** What a constrained answer keeps to, as GBNF. */
  readonly grammar: string;
}

/** A case of other data, worked out: what small models see done, they do. */
export interface WorkedCase {
  readonly outline: string;
  /** Of two wrong answers. */
  readonly lessons: readonly string[];
  /** The rule that the first teaches. */
  readonly added: string;
  /** The rule that the second teaches, and a wrong one in its place. */
  readonly replaced: { readonly before: string; readonly after: string };
}

/** What the evolver of small changes is shown in place of whole prompts and reports. */
export interface Brief {
  /** The names in the data, such as tables with their columns. */
  readonly outline: string;
  /** One wrong answer beside the right one, with what is known of the difference. */
  lesson(problemId: string, outcome: Outcome): string;
  readonly worked?: WorkedCase;
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
  /**
   * What an answer is by itself; never rejects because of what a model wrote. Left out: answers with the same text mean
   * the same, and only one that is empty cannot be used.
   */
  read?(problemId: string, response: string, options?: ReadOptions): Promise<Reading>;
  /** What strategies with examples, repair or less reasoning need; without it the task has `prompt` alone. */
  readonly parts?: PromptParts;
  /** The solved problems that the prompt of a problem shows, the most similar one last; none if left out. */
  examplesFor?(problemId: string): readonly string[];
  /**
   * What of a single problem a rule quotes, such as its question, its gold answer or a value that no other has; null for
   * a rule that may be in a manual. Left out: rules may say anything.
   */
  quoted?(rule: string): string | null;
  /** One problem as the evolver sees it: question, answer, gold answer, verdict, error. */
  report(problemId: string, outcome: Outcome): string;
  /** For evolvers that change single rules; without it they are shown reports alone. */
  readonly brief?: Brief;
  /** One problem as a report shows it to people. */
  describe?(problemId: string): ProblemText;
  /**
   * Words the evolver's whole prompt, for a task whose models the general one (evolve/evolver-prompt.ts) does not
   * suit. It must shrink when reports are left out from the end, and ask for the new instructions between
   * <prompt> and </prompt>.
   * @param reports what `report` says of the problems of a batch, in their order
   */
  evolverPrompt?(instructions: string, reports: readonly string[]): string;
  /** How such a task's evolvers are asked for changes of single rules; left out: they know no such edits. */
  readonly deltas?: DeltaForm;
  /** @param onProblem is called with the id of each problem that is done; a task may leave the id out */
  validate(onProblem?: (problem?: string) => void): Promise<ValidationReport>;
}
