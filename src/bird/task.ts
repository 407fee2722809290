/** One BIRD database as a task. */
import { LseError } from "../errors.js";
import { extractTag } from "../lib/extract.js";
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
import { briefOf } from "./brief.js";
import { type BirdData, type BirdQuestion, databasesOf, openBird, questionsOf } from "./dataset.js";
import { validateGold } from "./evaluate.js";
import { ExecutionAccuracy } from "./execution-accuracy.js";
import { type Names, namesOf } from "./names.js";
import {
  BIRD_SEED_INSTRUCTIONS,
  birdReport,
  birdSystemPrompt,
  fullQuestion,
  sqlPromptParts,
  sqlSolution,
  userPrompt,
} from "./prompts.js";
import { Quotes } from "./quoted.js";
import { readQuery } from "./reading.js";
import { cutRepetition, extractFenced } from "./response.js";
import { readSchema } from "./schema.js";
import type { SqlEngine } from "./sql/executor.js";
import { twinKeysOf } from "./twins.js";

/** Which database of BIRD, and how its answers are read and graded. */
export interface BirdTaskOptions {
  /** BIRD's folder, or a question file in it. */
  readonly dataPath: string;
  /** May be left out when the questions are about one database. */
  readonly dbId?: string | undefined;
  /** Time limit of a predicted query. */
  readonly timeoutMs: number;
  /** Folder for gold results. Defaults to the user's cache folder. */
  readonly cacheFolder?: string | undefined;
  /** What runs the queries; with DuckDB, scores are not BIRD's. Defaults to SQLite. */
  readonly sqlEngine?: SqlEngine | undefined;
  /** Defaults to answer tags, without cutting off repetition. */
  readonly reading?: AnswerReading | undefined;
}

/** How a query is taken out of a response. */
export interface AnswerReading {
  /** "tags": between <answer> and </answer>. "fenced": in a fence, as some models write it; `extractFenced`. */
  readonly answers: "tags" | "fenced";
  /** Whether repetition at the end of a response is cut off first; `cutRepetition`. */
  readonly cutRepetition: boolean;
}

/** What a task is made of. */
interface BirdTaskParts {
  readonly id: string;
  readonly questions: readonly BirdQuestion[];
  readonly schema: string;
  readonly fingerprint: string;
  readonly accuracy: ExecutionAccuracy;
  readonly reading: AnswerReading;
}

/** Text-to-SQL on one database of BIRD. */
export class BirdTask implements Task {
  readonly id: string;
  readonly fingerprint: string;
  readonly seedInstructions = BIRD_SEED_INSTRUCTIONS;
  readonly problemIds: readonly string[];
  readonly parts: PromptParts;
  readonly brief: Brief;
  readonly #names: Names;
  readonly #quotes: Quotes;
  readonly #questions: ReadonlyMap<string, BirdQuestion>;

  /** @throws LseError for missing or malformed files, or an unknown database */
  static async open({
    dataPath,
    dbId,
    timeoutMs,
    cacheFolder,
    sqlEngine = "sqlite",
    reading = { answers: "tags", cutRepetition: false },
  }: BirdTaskOptions): Promise<BirdTask> {
    const data = openBird(dataPath);
    const database = dbId ?? onlyDatabase(data);
    const questions = questionsOf(data, database);
    const path = data.databasePath(database);
    const accuracy = new ExecutionAccuracy(data, timeoutMs, cacheFolder, sqlEngine);
    try {
      const databaseHash = await accuracy.databaseHash(database);
      const schema =
        data.schemas.get(database) ?? (await readSchema(path, data.columnNames.get(database) ?? new Map()));
      const fingerprint = hashJson([
        databaseHash,
        schema,
        questions,
        timeoutMs,
        reading,
        ...(sqlEngine === "sqlite" ? [] : [sqlEngine]),
      ]);
      const id = sqlEngine === "sqlite" ? `bird/${database}` : `bird/${database} (DuckDB)`;
      return new BirdTask({ id, questions, schema, fingerprint, accuracy, reading });
    } catch (error) {
      await accuracy[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(private readonly own: BirdTaskParts) {
    const { id, fingerprint, questions, schema } = own;
    this.id = id;
    this.fingerprint = fingerprint;
    this.problemIds = questions.map(({ id }) => id);
    this.#questions = new Map(questions.map((question) => [question.id, question]));
    this.#names = namesOf(schema);
    this.#quotes = new Quotes(questions);
    this.brief = briefOf(this.#names, (problemId) => this.#question(problemId));
    this.parts = {
      ...sqlPromptParts("SQLite"),
      question: (problemId) => fullQuestion(this.#question(problemId)),
      solution: (problemId) => sqlSolution(this.#question(problemId).sql),
      twinKeys: (problemId) => {
        const { question, sql } = this.#question(problemId);
        return twinKeysOf(question, sql);
      },
    };
  }

  systemPrompt(instructions: string): string {
    return birdSystemPrompt(this.own.schema, instructions);
  }

  prompt(problemId: string, instructions: string) {
    return [
      { role: "system" as const, content: this.systemPrompt(instructions) },
      { role: "user" as const, content: userPrompt(this.#question(problemId), instructions) },
    ];
  }

  async grade(problemId: string, response: string): Promise<Outcome> {
    const answer = this.#answerIn(response);
    if (answer === "") return { score: 0, correct: false, answer, error: this.#noAnswer };
    const { ex, error } = await this.own.accuracy.grade(this.#question(problemId), answer);
    return { score: ex, correct: ex === 1, answer, error };
  }

  async read(problemId: string, response: string, options: ReadOptions = {}): Promise<Reading> {
    const answer = this.#answerIn(response);
    const { dbId } = this.#question(problemId);
    const run = (sql: string) => this.own.accuracy.run(dbId, sql);
    return await readQuery(answer, { run, names: this.#names, noAnswer: this.#noAnswer, ...options });
  }

  quoted(rule: string): string | null {
    return this.#quotes.in(rule);
  }

  report(problemId: string, outcome: Outcome): string {
    const question = this.#question(problemId);
    return birdReport(question, `Correct SQL: ${question.sql}`, outcome);
  }

  describe(problemId: string): ProblemText {
    const question = this.#question(problemId);
    return { question: fullQuestion(question), gold: question.sql };
  }

  validate(onProblem?: (problem?: string) => void): Promise<ValidationReport> {
    return validateGold([...this.#questions.values()], this.own.accuracy, onProblem);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.own.accuracy[Symbol.asyncDispose]();
  }

  get #noAnswer(): string {
    const isFenced = this.own.reading.answers === "fenced";
    return `the response has no query ${isFenced ? "in a closed ```sql fence" : "between <answer> and </answer>"}`;
  }

  #answerIn(response: string): string {
    const { answers, cutRepetition: isCut } = this.own.reading;
    const read = isCut ? cutRepetition(response) : response;
    return (answers === "fenced" ? extractFenced(read) : extractTag(read, "answer")).trim();
  }

  #question(id: string): BirdQuestion {
    const question = this.#questions.get(id);
    if (question === undefined) throw new RangeError(`${this.id} has no problem ${id}`);
    return question;
  }
}

function onlyDatabase(data: BirdData): string {
  const [first, ...others] = databasesOf(data);
  if (first !== undefined && others.length === 0) return first;
  throw new LseError(
    `${data.questionsPath}: the questions are about ${others.length + 1} databases`,
    `Choose one with \`task.db\`: ${databasesOf(data).join(", ")}`,
  );
}
