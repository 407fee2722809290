/** Lets a model answer questions under a strategy: draws, looks at what each answer does, repairs, votes. */
import type { ChatMessage, Completion, LanguageModel, Sampling } from "../model.js";
import type { PromptParts, Reading, Task } from "../task.js";
import { answerSampling, needsReading, type Strategy } from "./strategy.js";
import { choose, type Group } from "./vote.js";

/** What answers are about: how one is looked at, and how a repair is asked for. */
export interface Subject {
  /** As `Task` has it; the answer of the outcome alone is used. */
  readonly grade?: Task["grade"];
  readonly read?: NonNullable<Task["read"]>;
  readonly parts?: Pick<PromptParts, "repair">;
}

/** One question, with all answers that belong to it. */
export interface Question {
  readonly problem: string;
  readonly messages: readonly ChatMessage[];
  readonly seed: number;
  /** Which of the answers under this strategy, from 0: another one has other draws. */
  readonly sample: number;
}

/** One of the answers to a question, after its repairs. */
export interface Draw {
  /** The model's last words. */
  readonly response: string;
  /** Null where nothing depends on it. */
  readonly reading: Reading | null;
  /** What was given back to the model before, with the reason; the first answer comes first. */
  readonly repaired: readonly { readonly response: string; readonly reading: Reading }[];
}

/** What came of a question. */
export interface Attempt {
  readonly draws: readonly Draw[];
  /** Index of the draw that is the answer. */
  readonly chosen: number;
  /** Share of the draws that agree with it, from 0 to 1. */
  readonly confidence: number;
  /** Results by how many draws have them; empty where answers are not looked at. */
  readonly groups: readonly Group[];
  /** Completions that it took. */
  readonly completions: number;
  /** Of all of them together: tokens of the prompts, and of what was generated. */
  readonly promptTokens: number;
  readonly tokens: number;
}

export interface AttemptOptions {
  readonly questions: readonly Question[];
  readonly strategy: Strategy;
  readonly sampling: Sampling;
  /** Looks at an answer; by default the task does. */
  readonly read?: (problem: string, response: string) => Promise<Reading>;
  /** Called as soon as nothing more is asked for a question; the attempt waits for the promise. */
  readonly onAttempt: (index: number, attempt: Attempt) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

/** Tokens that are kept free for a repaired answer; a conversation that leaves fewer is not gone on with. */
const ROOM_FOR_REPAIR = 64;

/**
 * Answers all questions: one call of the model for all first answers, and one for each round of repair. Rejects with
 * what the model, `read` or `onAttempt` reject with.
 */
export async function attempt(
  subject: Subject,
  model: LanguageModel,
  options: AttemptOptions,
): Promise<void> {
  const { questions, strategy, onAttempt, signal } = options;
  const sampling = answerSampling(options.sampling, strategy);
  const read = needsReading(strategy) ? (options.read ?? ((...asked) => readingOf(subject, ...asked))) : null;
  const ended: Promise<void>[] = [];
  const pending = questions.map((question, index) => {
    const whenDone = (attempt: Attempt) => watched(ended, onAttempt(index, attempt));
    return new Pending(question, strategy, whenDone);
  });
  let open = pending.flatMap((question) => question.draws);
  for (let repairs = strategy.repair; open.length > 0; repairs--) {
    const reads: Promise<void>[] = [];
    const again: OpenDraw[] = [];
    const requests = open.map(({ messages, owner: { question }, sample }) => ({
      messages,
      sampling,
      seed: question.seed,
      sample,
    }));
    const take = async (draw: OpenDraw, completion: Completion) => {
      draw.take(completion, read === null ? null : await read(draw.owner.question.problem, completion.text));
      if (repairs > 0 && draw.goOn(subject, strategy, model)) again.push(draw);
      else draw.end();
    };
    await model.generate(
      requests,
      (i, completion) => watched(reads, take(open[i] as OpenDraw, completion)),
      signal,
    );
    await Promise.all(reads);
    // In the order of the questions, whichever was looked at first: a call is the same each time.
    open = open.filter((draw) => again.includes(draw));
  }
  await Promise.all(ended);
}

/** Keeps a promise that is awaited later; a rejection in the meantime does not end the process. */
function watched(kept: Promise<void>[], promise: Promise<void>): void {
  promise.catch(() => undefined);
  kept.push(promise);
}

/** What a task says of an answer; of one that does not read, the text that it takes out to grade it. */
export async function readingOf(subject: Subject, problem: string, response: string): Promise<Reading> {
  if (subject.read !== undefined) return await subject.read(problem, response);
  const answer = (await subject.grade?.(problem, response))?.answer ?? "";
  if (answer !== "") return { answer, result: answer, failure: null, isEmpty: false };
  return { answer, result: null, failure: "no answer could be taken out of the response", isEmpty: false };
}

/** A question whose answers are still coming in. */
class Pending {
  readonly draws: readonly OpenDraw[];
  #open: number;
  completions = 0;
  promptTokens = 0;
  tokens = 0;

  constructor(
    readonly question: Question,
    private readonly strategy: Strategy,
    private readonly whenDone: (attempt: Attempt) => void,
  ) {
    const { samples } = strategy;
    this.#open = samples;
    this.draws = Array.from(
      { length: samples },
      (_, i) => new OpenDraw(this, question.messages, question.sample * samples + i),
    );
  }

  endDraw(): void {
    this.#open--;
    if (this.#open > 0) return;
    const { completions, promptTokens, tokens } = this;
    const ballots = this.draws.map(({ reading }) => reading ?? { answer: "", result: "" });
    const { chosen, confidence, groups } = choose(ballots, this.strategy.vote);
    const draws = this.draws.map(({ response, reading, repaired }) => ({ response, reading, repaired }));
    this.whenDone({ draws, chosen, confidence, groups, completions, promptTokens, tokens });
  }
}

/** One answer that may still be repaired. */
class OpenDraw implements Draw {
  response = "";
  reading: Reading | null = null;
  readonly repaired: { response: string; reading: Reading }[] = [];

  constructor(
    readonly owner: Pending,
    public messages: readonly ChatMessage[],
    /** Mixed into the seed. */
    readonly sample: number,
  ) {}

  take({ text, promptTokens, generatedTokens }: Completion, reading: Reading | null): void {
    this.response = text;
    this.reading = reading;
    this.owner.completions++;
    this.owner.promptTokens += promptTokens;
    this.owner.tokens += generatedTokens;
  }

  /** Makes the conversation one that asks for a repair. @returns false if nothing is to be repaired, or nothing fits */
  goOn({ parts }: Subject, { repairEmpty }: Strategy, model: LanguageModel): boolean {
    const { reading, response } = this;
    if (reading === null || parts === undefined) return false;
    if (reading.failure === null && !(repairEmpty && reading.isEmpty)) return false;
    const messages: ChatMessage[] = [
      ...this.messages,
      { role: "assistant", content: response },
      { role: "user", content: parts.repair(reading.failure) },
    ];
    if (model.countTokens(messages) + ROOM_FOR_REPAIR > model.contextSize) return false;
    this.messages = messages;
    this.repaired.push({ response, reading });
    return true;
  }

  /** Nothing more is asked. A repair that fails is worse than the empty result that it was asked for. */
  end(): void {
    const usable = this.repaired.findLast(({ reading }) => reading.result !== null);
    if (this.reading?.result === null && usable !== undefined) Object.assign(this, usable);
    this.owner.endDraw();
  }
}
