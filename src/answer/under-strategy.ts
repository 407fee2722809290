/** A task as a run asks it: with the prompts of a strategy, and from other instructions than the task's own. */
import { LseError } from "../errors.js";
import type { ChatMessage } from "../model.js";
import type { Brief, DeltaForm, Outcome, PromptParts, Task, ValidationReport } from "../task.js";
import { ExampleIndex, type SolvedProblem } from "./examples.js";
import { strategicPrompt } from "./prompt.js";
import { needsParts, type Strategy } from "./strategy.js";

/** How a run asks a task. */
export interface Asking {
  readonly strategy: Strategy;
  /** In place of the task's own seed instructions. */
  readonly instructions?: string | undefined;
}

/**
 * The same task, asked under a strategy. Examples come from the pool alone; neither a problem itself nor a twin of it is
 * ever its example.
 * @param pool problems that may be examples, in any order
 * @throws LseError for a strategy that the task has no prompts for
 */
export function underStrategy(
  task: Task,
  { strategy, instructions }: Asking,
  pool: readonly string[],
): StrategicTask {
  if (task.parts === undefined && (needsParts(strategy) || strategy.repair > 0)) {
    const field = strategy.examples > 0 ? "examples" : strategy.reasoning !== "full" ? "reasoning" : "repair";
    throw new LseError(
      `${task.id}: \`evolve.strategy.${field}\` does not work with this task, whose prompts cannot be put together anew`,
      "Leave it out; it works with tasks that have `parts` and are not tested on another database",
    );
  }
  return new StrategicTask(task, strategy, instructions, pool);
}

/** Passes everything on to another task but what a prompt is made of. */
export class StrategicTask implements Task {
  readonly id: string;
  readonly fingerprint: string;
  readonly problemIds: readonly string[];
  readonly holdoutIds?: readonly string[];
  readonly testIds?: readonly string[];
  readonly seedInstructions: string;
  readonly parts?: PromptParts;
  readonly read?: NonNullable<Task["read"]>;
  readonly quoted?: NonNullable<Task["quoted"]>;
  readonly describe?: NonNullable<Task["describe"]>;
  readonly evolverPrompt?: NonNullable<Task["evolverPrompt"]>;
  readonly deltas?: DeltaForm;
  readonly brief?: Brief;
  readonly #index: ExampleIndex;
  readonly #examples = new Map<string, readonly string[]>();

  constructor(
    private readonly task: Task,
    private readonly strategy: Strategy,
    instructions: string | undefined,
    pool: readonly string[],
  ) {
    this.id = task.id;
    this.fingerprint = task.fingerprint;
    this.problemIds = task.problemIds;
    const { parts, holdoutIds, testIds, read, quoted, describe, evolverPrompt, deltas, brief } = task;
    const own = strategy.reasoning === "full" ? undefined : parts?.seedInstructions(strategy.reasoning);
    this.seedInstructions = instructions ?? own ?? task.seedInstructions;
    if (parts !== undefined) this.parts = parts;
    if (holdoutIds !== undefined) this.holdoutIds = holdoutIds;
    if (testIds !== undefined) this.testIds = testIds;
    if (read !== undefined) this.read = read.bind(task);
    if (quoted !== undefined) this.quoted = quoted.bind(task);
    if (describe !== undefined) this.describe = describe.bind(task);
    if (evolverPrompt !== undefined) this.evolverPrompt = evolverPrompt.bind(task);
    if (deltas !== undefined) this.deltas = deltas;
    if (brief !== undefined) this.brief = brief;
    const searched = strategy.examples === 0 || parts === undefined ? [] : solvedProblems(parts, pool);
    this.#index = new ExampleIndex(searched);
  }

  systemPrompt(instructions: string): string {
    return this.task.systemPrompt(instructions);
  }

  prompt(problemId: string, instructions: string): ChatMessage[] {
    const { parts } = this;
    if (parts === undefined || !needsParts(this.strategy)) return this.task.prompt(problemId, instructions);
    const examples = this.examplesFor(problemId).map((id) => ({
      question: parts.question(id),
      solution: parts.solution(id) ?? "",
    }));
    return strategicPrompt({
      system: this.systemPrompt(instructions),
      examples,
      question: parts.question(problemId),
      request: parts.request(this.strategy.reasoning),
      reasoning: this.strategy.reasoning,
    });
  }

  examplesFor(problemId: string): readonly string[] {
    const { parts } = this;
    const { examples: count } = this.strategy;
    if (parts === undefined || count === 0) return [];
    let examples = this.#examples.get(problemId);
    if (examples === undefined) {
      const twinKeys = [...parts.twinKeys(problemId), problemId];
      examples = this.#index.similarTo({
        text: parts.question(problemId),
        twinKeys,
        count,
      });
      this.#examples.set(problemId, examples);
    }
    return examples;
  }

  grade(problemId: string, response: string): Promise<Outcome> {
    return this.task.grade(problemId, response);
  }

  report(problemId: string, outcome: Outcome): string {
    return this.task.report(problemId, outcome);
  }

  validate(onProblem?: (problem?: string) => void): Promise<ValidationReport> {
    return this.task.validate(onProblem);
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.task[Symbol.asyncDispose]();
  }
}

/** Problems that may be examples; a problem is a twin of itself. */
const solvedProblems = (parts: PromptParts, pool: readonly string[]): SolvedProblem[] =>
  pool
    .filter((id) => parts.solution(id) !== null)
    .map((id) => ({ id, text: parts.question(id), twinKeys: [...parts.twinKeys(id), id] }));
