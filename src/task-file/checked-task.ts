/** Checks a user's task against the contract while it is used, and names the member that breaks it. */

import { z } from "zod";
import { LseError } from "../errors.js";
import { within } from "../lib/time-limit.js";
import type { ChatMessage } from "../model.js";
import type {
  Brief,
  DeltaForm,
  Outcome,
  ProblemText,
  PromptParts,
  Reading,
  ReadOptions,
  Task,
  ValidationReport,
} from "../task.js";

/** A task as a user may write it; the members that are left out are filled in. */
export interface GivenTask extends Omit<Task, "id" | "fingerprint" | typeof Symbol.asyncDispose> {
  /** Defaults to the file's name. */
  readonly id?: string;
  /** What outcomes depend on beside the file and its options, such as the hash of a data file. */
  readonly fingerprint?: string;
  [Symbol.asyncDispose]?(): PromiseLike<void>;
}

/** Members of `parts`, if there are any. */
const PARTS = ["seedInstructions", "question", "request", "solution", "twinKeys", "repair"] as const;

const METHODS = ["systemPrompt", "prompt", "grade", "report", "validate"] as const;

/** What is wrong with an object that should be a task, in words; null if nothing can be seen before it is used. */
export function taskProblem(given: unknown): string | null {
  if (typeof given !== "object" || given === null)
    return `the task is ${given === null ? "null" : typeof given}`;
  const task = given as Partial<Record<keyof GivenTask, unknown>>;
  const missing = METHODS.find((name) => typeof task[name] !== "function");
  if (missing !== undefined) return `the task has no method ${missing}`;
  if (task.read !== undefined && typeof task.read !== "function") return "read is not a method";
  if (task.quoted !== undefined && typeof task.quoted !== "function") return "quoted is not a method";
  if (task.parts !== undefined) {
    const given = task.parts as Partial<Record<keyof PromptParts, unknown>> | null;
    const lacking = PARTS.find((name) => typeof given?.[name] !== "function");
    if (lacking !== undefined) return `parts has no method ${lacking}`;
  }
  if (task.deltas !== undefined) {
    const { prompt, apply, grammar } = (task.deltas ?? {}) as Partial<Record<keyof DeltaForm, unknown>>;
    if (typeof prompt !== "function" || typeof apply !== "function" || typeof grammar !== "string")
      return "deltas has not the methods prompt and apply and the text grammar";
  }
  if (task.brief !== undefined && !briefSchema.safeParse(task.brief).success)
    return "brief has not the text outline, the method lesson and perhaps worked";
  if (typeof task.seedInstructions !== "string") return "seedInstructions is not a text";
  if (task.id !== undefined && (typeof task.id !== "string" || task.id === "")) return "id is not a name";
  for (const member of ["problemIds", "testIds"] as const) {
    const ids = task[member];
    if (ids === undefined && member === "testIds") continue;
    if (!Array.isArray(ids) || ids.some((id) => typeof id !== "string" || id === ""))
      return `${member} is not a list of names`;
  }
  const ids = [...(task.problemIds as string[]), ...((task.testIds as string[] | undefined) ?? [])];
  if ((task.problemIds as string[]).length === 0) return "problemIds is empty";
  const twice = ids.find((id, i) => ids.indexOf(id) !== i);
  return twice === undefined ? null : `the problem "${twice}" is listed twice`;
}

const reportSchema = z.object({
  total: z.int().min(0),
  passed: z.int().min(0),
  failures: z.array(z.object({ problem: z.string(), error: z.string() })),
  changing: z.array(z.object({ problem: z.string(), parts: z.array(z.string()) })).optional(),
});

const readingSchema = z.object({
  answer: z.string(),
  result: z.string().nullable(),
  failure: z.string().nullable(),
  isEmpty: z.boolean(),
  mended: z.string().optional(),
});

const briefSchema = z.object({
  outline: z.string(),
  lesson: z.custom<Brief["lesson"]>((given) => typeof given === "function"),
  worked: z
    .object({
      outline: z.string(),
      lessons: z.array(z.string()),
      added: z.string(),
      replaced: z.object({ before: z.string(), after: z.string() }),
    })
    .optional(),
});

const changedSchema = z
  .union([z.object({ refused: z.string() }), z.object({ instructions: z.string() })])
  .nullable();

function isMessage(message: unknown): boolean {
  const { role, content } = (message ?? {}) as Partial<ChatMessage>;
  return ["system", "user", "assistant"].includes(role ?? "") && typeof content === "string";
}

/** Passes all calls on to the given task, and checks what it returns. */
export class CheckedTask implements Task {
  readonly seedInstructions: string;
  readonly problemIds: readonly string[];
  readonly testIds?: readonly string[];
  readonly describe?: NonNullable<Task["describe"]>;
  readonly evolverPrompt?: NonNullable<Task["evolverPrompt"]>;
  readonly deltas?: DeltaForm;
  readonly brief?: Brief;
  readonly read?: NonNullable<Task["read"]>;
  readonly quoted?: NonNullable<Task["quoted"]>;
  readonly parts?: PromptParts;

  readonly id: string;
  readonly fingerprint: string;

  constructor(
    private readonly given: GivenTask,
    private readonly about: {
      readonly id: string;
      readonly fingerprint: string;
      /** The path of the file, for error messages. */
      readonly origin: string;
      /** Milliseconds that grading an answer may take. */
      readonly gradeMs: number;
    },
  ) {
    this.id = about.id;
    this.fingerprint = about.fingerprint;
    this.seedInstructions = given.seedInstructions;
    this.problemIds = given.problemIds;
    if (given.testIds !== undefined) this.testIds = given.testIds;
    if (given.describe !== undefined) this.describe = (problem) => this.#describe(problem);
    if (given.read !== undefined) this.read = (...asked) => this.#read(...asked);
    if (given.parts !== undefined) this.parts = this.#checkedParts(given.parts);
    if (given.deltas !== undefined) this.deltas = this.#checkedDeltas(given.deltas);
    if (given.brief !== undefined) this.brief = this.#checkedBrief(given.brief);
    const { evolverPrompt, quoted } = given;
    if (quoted !== undefined)
      this.quoted = (rule) => {
        const found = this.#result("quoted", () => quoted.call(given, rule));
        return found === null ? null : this.#text("quoted", () => found);
      };
    if (evolverPrompt !== undefined)
      this.evolverPrompt = (instructions, reports) =>
        this.#text("evolverPrompt", () => evolverPrompt.call(given, instructions, reports));
  }

  systemPrompt(instructions: string): string {
    return this.#text("systemPrompt", () => this.given.systemPrompt(instructions));
  }

  prompt(problemId: string, instructions: string): ChatMessage[] {
    const messages = this.#result("prompt", () => this.given.prompt(problemId, instructions));
    if (Array.isArray(messages) && messages.length > 0 && messages.every(isMessage)) return messages;
    return this.#fail("prompt", `returned no messages with role and content for "${problemId}"`);
  }

  async grade(problemId: string, response: string): Promise<Outcome> {
    let outcome: Outcome;
    try {
      const grading = Promise.resolve(this.given.grade(problemId, response));
      outcome = await within(grading, this.about.gradeMs, () => this.#lateOutcome(problemId));
    } catch (cause) {
      return this.#fail("grade", `failed on a response to "${problemId}": ${messageOf(cause)}`, { cause });
    }
    const { score, correct, answer, error } = outcome ?? {};
    if (!(typeof score === "number" && score >= 0 && score <= 1))
      return this.#fail("grade", `gave "${problemId}" the score ${score}, which is not from 0 to 1`);
    if (
      typeof correct !== "boolean" ||
      typeof answer !== "string" ||
      !(error === null || typeof error === "string")
    )
      return this.#fail(
        "grade",
        `has to return score, correct, answer and error (null or a text) for "${problemId}"`,
      );
    return { score, correct, answer, error };
  }

  report(problemId: string, outcome: Outcome): string {
    return this.#text("report", () => this.given.report(problemId, outcome));
  }

  async validate(onProblem?: (problem?: string) => void): Promise<ValidationReport> {
    let report: unknown;
    try {
      report = await this.given.validate(onProblem);
    } catch (cause) {
      return this.#fail("validate", `failed: ${messageOf(cause)}`, { cause });
    }
    if (reportSchema.safeParse(report).success) return report as ValidationReport;
    return this.#fail("validate", "has to return total, passed and failures of problem and error");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.given[Symbol.asyncDispose]?.();
  }

  async #read(problemId: string, response: string, options?: ReadOptions): Promise<Reading> {
    let reading: unknown;
    try {
      const looking = Promise.resolve(this.given.read?.(problemId, response, options));
      reading = await within(looking, this.about.gradeMs, () => {
        const failure = `it took longer than ${this.about.gradeMs / 1000} s.`;
        return { answer: "", result: null, failure, isEmpty: false };
      });
    } catch (cause) {
      return this.#fail("read", `failed on a response to "${problemId}": ${messageOf(cause)}`, { cause });
    }
    // Its fields alone, as data: it is kept in the journal.
    const { data } = readingSchema.safeParse(reading);
    if (data !== undefined) return data;
    return this.#fail(
      "read",
      `has to return answer, result and failure (null or a text), isEmpty and perhaps mended for "${problemId}"`,
    );
  }

  #checkedParts(given: PromptParts): PromptParts {
    const text =
      <Arg>(name: string, work: (arg: Arg) => string) =>
      (arg: Arg) =>
        this.#text(`parts.${name}`, () => work.call(given, arg));
    return {
      seedInstructions: text("seedInstructions", given.seedInstructions),
      question: text("question", given.question),
      request: text("request", given.request),
      repair: text("repair", given.repair),
      solution: (problem) => {
        const solution: unknown = this.#result("parts.solution", () => given.solution(problem));
        if (solution === null || typeof solution === "string") return solution;
        return this.#fail("parts.solution", `returned neither a text nor null for "${problem}"`);
      },
      twinKeys: (problem) => {
        const keys: unknown = this.#result("parts.twinKeys", () => given.twinKeys(problem));
        if (Array.isArray(keys) && keys.every((key) => typeof key === "string")) return keys;
        return this.#fail("parts.twinKeys", `returned no list of texts for "${problem}"`);
      },
    };
  }

  #checkedDeltas(given: DeltaForm): DeltaForm {
    return {
      prompt: (instructions, reports) =>
        this.#text("deltas.prompt", () => given.prompt(instructions, reports)),
      apply: (instructions, answer) => {
        const changed = changedSchema.safeParse(
          this.#result("deltas.apply", () => given.apply(instructions, answer)),
        );
        if (changed.success) return changed.data;
        return this.#fail("deltas.apply", "has to return instructions, or why they are refused, or null");
      },
      grammar: given.grammar,
    };
  }

  #checkedBrief(given: Brief): Brief {
    const { outline, worked } = given;
    return {
      outline,
      lesson: (problem, outcome) => this.#text("brief.lesson", () => given.lesson(problem, outcome)),
      ...(worked === undefined ? {} : { worked }),
    };
  }

  #describe(problemId: string): ProblemText {
    const text: unknown = this.#result("describe", () => this.given.describe?.(problemId));
    const { question, gold } = (text ?? {}) as Partial<ProblemText>;
    if (typeof question === "string" && typeof gold === "string") return { question, gold };
    return this.#fail("describe", `has to return the texts question and gold for "${problemId}"`);
  }

  /** @throws LseError naming the member when it throws */
  #result<T>(member: string, work: () => T): T {
    try {
      return work();
    } catch (cause) {
      return this.#fail(member, `failed: ${messageOf(cause)}`, { cause });
    }
  }

  /** @throws LseError naming the member when it throws, or returns something else */
  #text(member: string, work: () => string): string {
    const text: unknown = this.#result(member, work);
    return typeof text === "string" ? text : this.#fail(member, "returned no text");
  }

  /** Of an answer whose grade does not come: an error of the answer, said once for each. */
  #lateOutcome(problemId: string): Outcome {
    const error = `grading took longer than ${this.about.gradeMs / 1000} s`;
    console.error(
      `${this.about.origin}: grade of an answer to "${problemId}": ${error}, so it counts as wrong`,
    );
    return { score: 0, correct: false, answer: "", error };
  }

  #fail(member: string, what: string, options?: ErrorOptions): never {
    throw new LseError(
      `${this.about.origin}: ${member} ${what}`,
      "Correct the file and resume the run: it keeps its answers",
      options,
    );
  }
}

/** The first line of what was thrown, which may be anything. */
export const messageOf = (cause: unknown) =>
  (cause instanceof Error ? cause.message : String(cause)).split("\n")[0];
