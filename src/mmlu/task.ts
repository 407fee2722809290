/** MMLU as a task: the multiple-choice questions of one subject. */
import { extractTag } from "../lib/extract.js";
import { hashJson } from "../lib/hash.js";
import type { Outcome, ProblemText, PromptParts, Reading, Task, ValidationReport } from "../task.js";
import { type MmluQuestion, type MmluSubject, readSubject } from "./dataset.js";
import { type GoldRules, lettersOf } from "./gold.js";
import {
  MMLU_SEED_INSTRUCTIONS,
  mmluQuestionText,
  mmluRequest,
  mmluSeedInstructions,
  mmluSystemPrompt,
} from "./prompts.js";
import { publishedSplit } from "./subjects.js";

/** Which subject, and what counts as right. */
export interface MmluTaskOptions {
  /** A folder of subjects, the folder of one, or a file. */
  readonly dataPath: string;
  /** May be left out if there is only one subject. */
  readonly subject?: string | undefined;
  /** Whether odd rules of the published code are corrected or kept. */
  readonly goldRules: GoldRules;
}

/** Most characters of an answer that is not a letter that the evolver reads; the response has all of it. */
const MAX_ANSWER_CHARS = 100;

/** Multiple-choice questions on one subject of MMLU-Redux or of a set in its form. */
export class MmluTask implements Task {
  readonly id: string;
  readonly fingerprint: string;
  readonly seedInstructions = MMLU_SEED_INSTRUCTIONS;
  readonly problemIds: readonly string[];
  readonly publishedNames: readonly string[];
  readonly parts: PromptParts = {
    seedInstructions: mmluSeedInstructions,
    question: (problemId) => mmluQuestionText(this.#question(problemId)),
    request: mmluRequest,
    solution: (problemId) => `<answer>${this.#question(problemId).gold}</answer>`,
    twinKeys: (problemId) => [this.#question(problemId).question.toLowerCase().replace(/\s+/g, " ").trim()],
    repair: (failure) => `${failure} ${mmluRequest("none")}`,
  };
  readonly #questions: ReadonlyMap<string, MmluQuestion>;

  /** @throws LseError for missing or malformed files, or an unknown subject */
  static async open({ dataPath, subject, goldRules }: MmluTaskOptions): Promise<MmluTask> {
    return new MmluTask(await readSubject(dataPath, subject, goldRules));
  }

  constructor({ subject, questions }: Pick<MmluSubject, "subject" | "questions">) {
    this.id = `mmlu/${subject}`;
    this.fingerprint = hashJson(questions);
    this.problemIds = questions.map(({ id }) => id);
    this.publishedNames = ["mmlu", publishedSplit(subject), subject];
    this.#questions = new Map(questions.map((question) => [question.id, question]));
  }

  systemPrompt(instructions: string): string {
    return mmluSystemPrompt(instructions);
  }

  prompt(problemId: string, instructions: string) {
    return [
      { role: "system" as const, content: this.systemPrompt(instructions) },
      { role: "user" as const, content: mmluQuestionText(this.#question(problemId)) },
    ];
  }

  async grade(problemId: string, response: string): Promise<Outcome> {
    const { gold } = this.#question(problemId);
    const { text, letter } = this.#letterIn(problemId, response);
    const correct = letter === gold;
    return { score: correct ? 1 : 0, correct, answer: letter ?? text, error: errorOf(text, letter, gold) };
  }

  async read(problemId: string, response: string): Promise<Reading> {
    const { text, letter } = this.#letterIn(problemId, response);
    const failure = letter === undefined ? `${errorOf(text, letter, "")}.` : null;
    return { answer: letter ?? text, result: letter ?? null, failure, isEmpty: false };
  }

  report(problemId: string, { answer, correct, error }: Outcome): string {
    const question = this.#question(problemId);
    const isLetter = lettersOf(question.choices.length).includes(answer);
    return [
      `Question: ${mmluQuestionText(question)}`,
      `Answer taken from the response: ${answer === "" ? "(none)" : truncated(answer)}`,
      `Correct answer: ${question.gold}`,
      `Correct: ${correct ? "True" : "False"}`,
      // The correct letter is given above.
      ...(isLetter ? [] : [`Error: ${error}`]),
    ].join("\n");
  }

  describe(problemId: string): ProblemText {
    const question = this.#question(problemId);
    return { question: mmluQuestionText(question), gold: question.gold };
  }

  async validate(onProblem?: (problem?: string) => void): Promise<ValidationReport> {
    const failures: { problem: string; error: string }[] = [];
    for (const { id, gold } of this.#questions.values()) {
      const { error } = await this.grade(id, `<answer>${gold}</answer>`);
      if (error !== null) failures.push({ problem: id, error });
      onProblem?.(id);
    }
    const total = this.problemIds.length;
    return { total, passed: total - failures.length, failures };
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** What stands between the answer tags, and the letter that it is, if it is one. */
  #letterIn(problemId: string, response: string): { text: string; letter: string | undefined } {
    const text = extractTag(response, "answer").trim();
    const letters = lettersOf(this.#question(problemId).choices.length);
    return { text, letter: letters.find((letter) => letter === text.toUpperCase()) };
  }

  #question(id: string): MmluQuestion {
    const question = this.#questions.get(id);
    if (question === undefined) throw new RangeError(`${this.id} has no problem ${id}`);
    return question;
  }
}

function errorOf(text: string, letter: string | undefined, gold: string): string | null {
  if (text === "") return "the response has no letter between <answer> and </answer>";
  if (letter === undefined)
    return "what is between <answer> and </answer> is not the letter of a choice alone";
  return letter === gold ? null : `the correct answer is ${gold}`;
}

const truncated = (text: string) =>
  text.length <= MAX_ANSWER_CHARS ? text : `${text.slice(0, MAX_ANSWER_CHARS)}... (truncated)`;
