/** A task that learns on one database and is tested on another. */
import { hashJson } from "../lib/hash.js";
import type { ChatMessage } from "../model.js";
import type { Brief, DeltaForm, Outcome, ProblemText, Reading, Task, ValidationReport } from "../task.js";

/** What the ids of the other task's problems begin with. */
const PREFIX = "transfer/";

/**
 * A task whose test is another one: whether instructions that were evolved on one database help on another (the
 * published code's test_ood). The test has the problems that the other task keeps for one, or all it has.
 */
export class TransferTask implements Task {
  readonly id: string;
  readonly fingerprint: string;
  readonly problemIds: readonly string[];
  readonly testIds: readonly string[];
  readonly seedInstructions: string;
  readonly evolverPrompt?: NonNullable<Task["evolverPrompt"]>;
  readonly deltas?: DeltaForm;
  readonly brief?: Brief;
  readonly read?: NonNullable<Task["read"]>;
  readonly quoted?: NonNullable<Task["quoted"]>;

  constructor(
    private readonly source: Task,
    private readonly target: Task,
  ) {
    this.id = `${source.id}, tested on ${target.id}`;
    this.fingerprint = hashJson([source.fingerprint, target.fingerprint]);
    this.problemIds = source.problemIds;
    this.testIds = (target.testIds ?? target.problemIds).map((id) => `${PREFIX}${id}`);
    this.seedInstructions = source.seedInstructions;
    const { evolverPrompt, deltas, brief, quoted } = source;
    if (source.read !== undefined && target.read !== undefined)
      this.read = (problemId, response, options): Promise<Reading> => {
        const [task, id] = this.#ownerOf(problemId);
        return (task as Required<Pick<Task, "read">>).read(id, response, options);
      };
    if (quoted !== undefined) this.quoted = quoted.bind(source);
    if (evolverPrompt !== undefined) this.evolverPrompt = evolverPrompt.bind(source);
    if (deltas !== undefined) this.deltas = deltas;
    if (brief !== undefined) this.brief = brief;
  }

  systemPrompt(instructions: string): string {
    return this.source.systemPrompt(instructions);
  }

  prompt(problemId: string, instructions: string): ChatMessage[] {
    const [task, id] = this.#ownerOf(problemId);
    return task.prompt(id, instructions);
  }

  grade(problemId: string, response: string): Promise<Outcome> {
    const [task, id] = this.#ownerOf(problemId);
    return task.grade(id, response);
  }

  report(problemId: string, outcome: Outcome): string {
    const [task, id] = this.#ownerOf(problemId);
    return task.report(id, outcome);
  }

  describe(problemId: string): ProblemText {
    const [task, id] = this.#ownerOf(problemId);
    return (
      task.describe?.(id) ?? {
        question: task.prompt(id, task.seedInstructions).at(-1)?.content ?? "",
        gold: "",
      }
    );
  }

  validate(onProblem?: (problem?: string) => void): Promise<ValidationReport> {
    return this.source.validate(onProblem);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source[Symbol.asyncDispose]();
    await this.target[Symbol.asyncDispose]();
  }

  #ownerOf(problemId: string): [Task, string] {
    return problemId.startsWith(PREFIX)
      ? [this.target, problemId.slice(PREFIX.length)]
      : [this.source, problemId];
  }
}
