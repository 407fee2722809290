/** The miniature world as a task: the problems of one database. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BirdQuestion } from "../bird/dataset.js";
import { validateGold } from "../bird/evaluate.js";
import { ExecutionAccuracy } from "../bird/execution-accuracy.js";
import { NO_NAMES } from "../bird/names.js";
import { readQuery } from "../bird/reading.js";
import { extractTag } from "../lib/extract.js";
import { hashJson } from "../lib/hash.js";
import type { Outcome, ProblemText, Reading, Task, ValidationReport } from "../task.js";
import { birdQuestion, databaseName } from "./bird-layout.js";
import type { MiniDatabase } from "./database.js";
import { MINI_DELTAS } from "./deltas.js";
import { makeDatabase } from "./generator.js";
import { type MiniProblem, makeProblems } from "./problems.js";
import { actPrompt, evolverPrompt, miniReport, miniSystemPrompt, schemaText } from "./prompts.js";
import { makeRows, writeDatabase } from "./rows.js";
import { NO_RULES } from "./rules.js";
import type { MiniAddress } from "./splits.js";

/** How many problems evolution may use, and how many are kept from it to report a result on. */
const PROBLEMS = { evolution: 80, test: 40 };

/** Runs the SQL of databases of the miniature world, which it keeps in a temporary folder. */
export class MiniGrader implements AsyncDisposable {
  readonly accuracy: ExecutionAccuracy;
  readonly #folder = mkdtempSync(join(tmpdir(), "lse-mini-"));

  /** @param timeoutMs time limit of a predicted query */
  constructor(readonly timeoutMs: number) {
    // Gold results are deleted with the databases: running the queries again costs less than keeping them.
    this.accuracy = new ExecutionAccuracy(
      { databasePath: (name) => this.#pathOf(name) },
      timeoutMs,
      this.#folder,
    );
  }

  /** Writes a database, unless it exists already. */
  add(database: MiniDatabase): void {
    const path = this.#pathOf(databaseName(database));
    if (!existsSync(path)) writeDatabase(database, path).close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.accuracy[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #pathOf(name: string): string {
    return join(this.#folder, `${name}.sqlite`);
  }
}

/** One database of the miniature world as a task. */
export class MiniTask implements Task {
  readonly id: string;
  readonly seedInstructions = NO_RULES;
  readonly deltas = MINI_DELTAS;
  readonly problemIds: readonly string[];
  /** Problems that no part of evolution sees, so that the choice of the best node cannot bias their score. */
  readonly testIds: readonly string[];
  readonly fingerprint: string;
  readonly #problems: ReadonlyMap<string, MiniProblem>;

  /**
   * @param grader runs the SQL and stays open. A number makes a grader for this task alone; it is the time limit of a
   * predicted query in milliseconds
   */
  static open(address: MiniAddress, grader: MiniGrader | number): MiniTask {
    const database = makeDatabase(address);
    const problems = makeProblems(database, PROBLEMS.evolution + PROBLEMS.test);
    if (typeof grader !== "number") return new MiniTask(database, problems, grader, null);
    const own = new MiniGrader(grader);
    return new MiniTask(database, problems, own, own);
  }

  private constructor(
    readonly database: MiniDatabase,
    problems: readonly MiniProblem[],
    private readonly grader: MiniGrader,
    private readonly own: MiniGrader | null,
  ) {
    grader.add(database);
    this.id = `mini/${database.id}`;
    this.#problems = new Map(problems.map((problem) => [problem.id, problem]));
    const ids = [...this.#problems.keys()];
    this.problemIds = ids.slice(0, PROBLEMS.evolution);
    this.testIds = ids.slice(PROBLEMS.evolution);
    const questions = problems.map(({ text, gold }) => [text, gold]);
    const rows = [...makeRows(database)];
    this.fingerprint = hashJson([schemaText(database), rows, questions, grader.timeoutMs]);
  }

  systemPrompt(instructions: string): string {
    return miniSystemPrompt(schemaText(this.database), instructions);
  }

  prompt(problemId: string, instructions: string) {
    return actPrompt(schemaText(this.database), instructions, this.problem(problemId).text);
  }

  async grade(problemId: string, response: string): Promise<Outcome> {
    const answer = queryIn(response);
    if (answer === "") return { score: 0, correct: false, answer, error: "the response is empty" };
    const { ex, error } = await this.grader.accuracy.grade(this.#asBird(this.problem(problemId)), answer);
    return { score: ex, correct: ex === 1, answer, error };
  }

  async read(problemId: string, response: string): Promise<Reading> {
    const answer = queryIn(response);
    const { dbId } = this.#asBird(this.problem(problemId));
    const run = () => this.grader.accuracy.run(dbId, answer);
    return await readQuery(answer, { run, names: NO_NAMES, noAnswer: "the response is empty" });
  }

  report(problemId: string, { answer, correct }: Outcome): string {
    const { text, gold } = this.problem(problemId);
    return miniReport(text, answer, gold, correct);
  }

  describe(problemId: string): ProblemText {
    const { text, gold } = this.problem(problemId);
    return { question: text, gold };
  }

  evolverPrompt(instructions: string, reports: readonly string[]): string {
    return evolverPrompt(instructions, reports);
  }

  validate(onProblem?: (problem?: string) => void): Promise<ValidationReport> {
    return validateGold(
      [...this.#problems.values()].map((problem) => this.#asBird(problem)),
      this.grader.accuracy,
      onProblem,
    );
  }

  /** A problem in its parts; test problems too. @throws RangeError for an unknown id */
  problem(id: string): MiniProblem {
    const problem = this.#problems.get(id);
    if (problem === undefined) throw new RangeError(`${this.id} has no problem ${id}`);
    return problem;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.own?.[Symbol.asyncDispose]();
  }

  #asBird(problem: MiniProblem): BirdQuestion {
    return birdQuestion(this.database, problem);
  }
}

/** The response itself, or what stands between the answer tags where a model writes more. */
const queryIn = (response: string): string => (extractTag(response, "answer") || response).trim();
