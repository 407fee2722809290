/** A workspace as a task: prompts, grading and reports for its questions. */
import { statSync } from "node:fs";
import { briefOf } from "../bird/brief.js";
import type { BirdQuestion } from "../bird/dataset.js";
import { validateGold } from "../bird/evaluate.js";
import { ExecutionAccuracy } from "../bird/execution-accuracy.js";
import { type Names, namesOf } from "../bird/names.js";
import { fullQuestion, sqlSolution } from "../bird/prompts.js";
import { Quotes } from "../bird/quoted.js";
import { readQuery } from "../bird/reading.js";
import { twinKeysOf } from "../bird/twins.js";
import { LseError } from "../errors.js";
import { hashJson } from "../lib/hash.js";
import type {
  Brief,
  Outcome,
  ProblemText,
  PromptParts,
  Reading,
  ReadOptions,
  Task,
  ValidationReport,
} from "../task.js";
import { Workspace } from "./folder.js";
import { formOf, type PromptForm } from "./forms.js";
import { type Problems, problemsOf, readProblems } from "./problems.js";
import type { WorkspaceQuestion } from "./questions.js";

/** Which workspace, and the limits of its queries. */
export interface WorkspaceTaskOptions {
  /** A folder of `lse init`, or the problems of one of its runs. */
  readonly dataPath: string;
  /** Time limit of a query. */
  readonly timeoutMs: number;
  /** Folder for gold results. Defaults to the user's cache folder. */
  readonly cacheFolder?: string | undefined;
}

/** What is said of a response without a query. */
export const NO_QUERY = "the response has no query";

/** Text-to-SQL on the database of a workspace. */
export class WorkspaceTask implements Task {
  readonly id: string;
  readonly seedInstructions: string;
  readonly problemIds: readonly string[];
  readonly holdoutIds: readonly string[];
  readonly testIds: readonly string[];
  readonly evolverPrompt?: NonNullable<Task["evolverPrompt"]>;
  readonly parts?: PromptParts;
  readonly brief?: Brief;
  readonly #names: Names;
  readonly #quotes: Quotes;
  readonly #questions: ReadonlyMap<string, WorkspaceQuestion>;

  /** @throws LseError for files that cannot be used, the database among them */
  static async open({ dataPath, timeoutMs, cacheFolder }: WorkspaceTaskOptions): Promise<WorkspaceTask> {
    const isFolder = statSync(dataPath, { throwIfNoEntry: false })?.isDirectory() !== false;
    const problems = isFolder ? problemsOf(Workspace.open(dataPath)) : readProblems(dataPath);
    const accuracy = new ExecutionAccuracy(
      { databasePath: () => problems.database },
      timeoutMs,
      cacheFolder,
      problems.engine,
    );
    try {
      const databaseHash = await accuracy.databaseHash(problems.name);
      const { database, name, questions, ...rest } = problems;
      const asked = questions.map(({ line, ...question }) => question);
      return new WorkspaceTask(problems, hashJson([databaseHash, rest, asked, timeoutMs]), accuracy);
    } catch (error) {
      await accuracy[Symbol.asyncDispose]();
      throw error;
    }
  }

  private readonly form: PromptForm;

  private constructor(
    readonly problems: Problems,
    readonly fingerprint: string,
    private readonly accuracy: ExecutionAccuracy,
  ) {
    const { name, start, questions, prompts, engine } = problems;
    this.id = `own/${name}`;
    this.seedInstructions = start;
    this.form = formOf(prompts, engine);
    const having = (...roles: string[]) =>
      questions.filter(({ role }) => roles.includes(role)).map(({ id }) => id);
    this.problemIds = having("holdout", "pool");
    this.holdoutIds = having("holdout");
    this.testIds = having("test");
    this.#questions = new Map(questions.map((question) => [question.id, question]));
    this.#names = namesOf(problems.schema);
    this.#quotes = new Quotes(questions);
    if (this.form.parts !== undefined)
      this.parts = {
        ...this.form.parts,
        // A manual stays as it is.
        seedInstructions: (reasoning) =>
          start === this.form.seedInstructions
            ? (this.form.parts?.seedInstructions(reasoning) ?? start)
            : start,
        question: (problemId) => fullQuestion(this.#question(problemId)),
        solution: (problemId) => {
          const { sql, isRows } = this.#question(problemId);
          return isRows ? null : sqlSolution(sql);
        },
        twinKeys: (problemId) => {
          const { question, sql } = this.#question(problemId);
          return twinKeysOf(question, sql);
        },
      };
    if (this.form.evolverPrompt !== undefined) this.evolverPrompt = this.form.evolverPrompt;
    else {
      const { outline, lesson } = briefOf(this.#names, (problemId) => this.#question(problemId));
      this.brief = {
        outline,
        // Where rows are given, there is no right query to show.
        lesson: (id, outcome) => (this.#question(id).isRows ? this.report(id, outcome) : lesson(id, outcome)),
      };
    }
  }

  systemPrompt(instructions: string): string {
    return this.form.systemPrompt(this.problems.schema, instructions);
  }

  prompt(problemId: string, instructions: string) {
    return this.form.prompt(this.problems.schema, this.#question(problemId), instructions);
  }

  async grade(problemId: string, response: string): Promise<Outcome> {
    const answer = this.form.answerOf(response);
    if (answer === "") return { score: 0, correct: false, answer, error: NO_QUERY };
    const { ex, error } = await this.accuracy.grade(this.#asBird(this.#question(problemId)), answer);
    return { score: ex, correct: ex === 1, answer, error };
  }

  async read(_: string, response: string, options: ReadOptions = {}): Promise<Reading> {
    const answer = this.form.answerOf(response);
    const run = (sql: string) => this.accuracy.run(this.problems.name, sql);
    return await readQuery(answer, { run, names: this.#names, noAnswer: NO_QUERY, ...options });
  }

  quoted(rule: string): string | null {
    return this.#quotes.in(rule);
  }

  report(problemId: string, outcome: Outcome): string {
    return this.form.report(this.#question(problemId), outcome);
  }

  describe(problemId: string): ProblemText {
    const { sql, ...question } = this.#question(problemId);
    return { question: fullQuestion(question), gold: sql };
  }

  validate(onProblem?: (problem?: string) => void): Promise<ValidationReport> {
    return validateGold(
      [...this.#questions.values()].map((question) => this.#asBird(question)),
      this.accuracy,
      onProblem,
    );
  }

  /**
   * Runs every gold query.
   * @param questionsPath named in the error
   * @throws LseError naming the lines of the questions that no answer could match
   */
  async requireGold(questionsPath: string, onProblem?: (problem?: string) => void): Promise<void> {
    const { failures } = await this.validate(onProblem);
    const [first, ...others] = failures;
    if (first === undefined) return;
    const lineOf = (id: string) => this.#question(id).line;
    const { isRows, line } = this.#question(first.problem);
    const more =
      others.length === 0 ? "" : `; also line ${others.map(({ problem }) => lineOf(problem)).join(", ")}`;
    throw new LseError(
      `${questionsPath}: line ${line}: the ${isRows ? "rows" : "SQL"} of this question cannot be right: ${first.error.replace(/^the gold SQL fails: /, "")}${more}`,
      isRows ? "Correct the rows" : "Correct the SQL, or give the expected rows instead",
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.accuracy[Symbol.asyncDispose]();
  }

  #asBird({ id, question, evidence, sql }: WorkspaceQuestion): BirdQuestion {
    return { id, questionId: 0, dbId: this.problems.name, question, evidence, sql, difficulty: "" };
  }

  #question(id: string): WorkspaceQuestion {
    const question = this.#questions.get(id);
    if (question === undefined) throw new RangeError(`${this.id} has no problem ${id}`);
    return question;
  }
}
