/** Lets a model answer questions under a strategy: draws, looks at what each answer does, votes, repairs. */
import type { ChatMessage, Completion, LanguageModel, Sampling } from "../model.js";
import type { PromptParts, Reading, Task } from "../task.js";
import { answerSampling, needsReading, type Strategy } from "./strategy.js";
import { type Choice, choose } from "./vote.js";

/** What answers are about: how one is looked at, and how a repair is asked for. */
export interface Subject {
  /** As `Task` has it; the answer of the outcome alone is used. */
  readonly grade?: Task["grade"];
  readonly read?: NonNullable<Task["read"]>;
  readonly parts?: Pick<PromptParts, "repair">;
}

/** One question, with the seed of its draws. */
export interface Question {
  readonly problem: string;
  readonly messages: readonly ChatMessage[];
  readonly seed: number;
  /** Which of the answers under this strategy, from 0: another one has other draws. */
  readonly sample: number;
}

/** One of the answers to a question, after its repairs. */
export interface Draw {
  /** The model's last words, or what the task made of them where it mended them. */
  readonly response: string;
  /** Null where nothing depends on it. */
  readonly reading: Reading | null;
  /** What the model said before it was given back or mended, with the reason; the first answer comes first. */
  readonly repaired: readonly { readonly response: string; readonly reading: Reading }[];
}

/** What came of a question. */
export interface Attempt extends Choice {
  /** `chosen` is the index of one of them. */
  readonly draws: readonly Draw[];
  /** Completions that it took. */
  readonly completions: number;
  /** Of all of them together: tokens of the prompts, and of what was generated. */
  readonly promptTokens: number;
  readonly tokens: number;
}

/** What is asked, how, and who is told. */
export interface AttemptOptions {
  readonly questions: readonly Question[];
  readonly strategy: Strategy;
  readonly sampling: Sampling;
  /** Looks at an answer; by default the subject does. */
  readonly read?: (problem: string, response: string) => Promise<Reading>;
  /** Called as soon as nothing more is asked for a question; the attempt waits for the promise. */
  readonly onAttempt: (index: number, attempt: Attempt) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

/** Tokens that are kept free for a repaired answer; a conversation that leaves fewer is not gone on with. */
const ROOM_FOR_REPAIR = 64;

/**
 * Answers all questions: one call of the model for all draws, and one for each round of repair. A question is repaired
 * if none of its draws can be used: each is given back with what is wrong with it, and the vote is taken again.
 * Rejects with what the model, `read` or `onAttempt` reject with.
 */
export async function attempt(
  subject: Subject,
  model: LanguageModel,
  { questions, strategy, onAttempt, signal, ...options }: AttemptOptions,
): Promise<void> {
  const sampling = answerSampling(options.sampling, strategy);
  const look = options.read ?? ((...asked) => readingOf(subject, ...asked, strategy));
  const ended: Promise<void>[] = [];
  let open = questions.map((question, index) => new Pending(index, question, strategy));
  for (let repairs = strategy.repair; open.length > 0; repairs--) {
    const draws = open.flatMap((pending) => pending.open.map((draw) => ({ pending, draw })));
    const arrived: Promise<void>[] = [];
    const faulty = new Set<Pending>();
    const take = async (i: number, completion: Completion) => {
      const { pending, draw } = draws[i] as (typeof draws)[number];
      const { problem } = pending.question;
      const reading = needsReading(strategy) ? await look(problem, completion.text) : null;
      const mended = strategy.mend ? reading?.mended : undefined;
      const again =
        mended === undefined ? undefined : { response: mended, reading: await look(problem, mended) };
      if (!pending.take(draw, completion, reading, again)) return;
      if (repairs > 0 && pending.repair(subject, model)) faulty.add(pending);
      else watched(ended, onAttempt(pending.index, pending.result()));
    };
    await model.generate(
      draws.map(({ pending: { question }, draw }) => ({
        messages: draw.messages,
        sampling,
        seed: question.seed,
        sample: draw.sample,
      })),
      (i, completion) => watched(arrived, take(i, completion)),
      signal,
    );
    await Promise.all(arrived);
    // In the order of the questions, whichever was looked at first: a call is the same each time.
    open = open.filter((pending) => faulty.has(pending));
  }
  await Promise.all(ended);
}

/** Keeps a promise that is awaited later; a rejection in the meantime does not end the process. */
function watched(kept: Promise<void>[], promise: Promise<void>): void {
  promise.catch(() => undefined);
  kept.push(promise);
}

/** What a task says of an answer; of one that does not read, the text that it takes out to grade it. */
export async function readingOf(
  subject: Subject,
  problem: string,
  response: string,
  { mend }: Pick<Strategy, "mend">,
): Promise<Reading> {
  if (subject.read !== undefined) return await subject.read(problem, response, { mend });
  const answer = (await subject.grade?.(problem, response))?.answer ?? "";
  if (answer !== "") return { answer, result: answer, failure: null, isEmpty: false };
  return { answer, result: null, failure: "no answer could be taken out of the response", isEmpty: false };
}

/** A draw whose conversation may still go on. */
interface OpenDraw extends Draw {
  messages: readonly ChatMessage[];
  /** Mixed into the seed. */
  readonly sample: number;
  response: string;
  reading: Reading | null;
  readonly repaired: { response: string; reading: Reading }[];
}

/** A question whose answer is not settled yet. */
class Pending {
  /** Draws that the next call asks for. */
  open: readonly OpenDraw[];
  readonly #draws: readonly OpenDraw[];
  #missing: number;
  #completions = 0;
  #promptTokens = 0;
  #tokens = 0;

  constructor(
    readonly index: number,
    readonly question: Question,
    private readonly strategy: Strategy,
  ) {
    const { messages, sample } = question;
    const { samples } = strategy;
    this.#draws = Array.from({ length: samples }, (_, i) => ({
      messages,
      sample: sample * samples + i,
      response: "",
      reading: null,
      repaired: [],
    }));
    this.open = this.#draws;
    this.#missing = samples;
  }

  /** @returns whether all draws that were asked for are there */
  take(
    draw: OpenDraw,
    completion: Completion,
    reading: Reading | null,
    mended: { readonly response: string; readonly reading: Reading } | undefined,
  ): boolean {
    const response = completion.text;
    if (mended !== undefined && reading !== null) draw.repaired.push({ response, reading });
    Object.assign(draw, mended ?? { response, reading });
    this.#completions++;
    this.#promptTokens += completion.promptTokens;
    this.#tokens += completion.generatedTokens;
    this.#missing--;
    return this.#missing === 0;
  }

  /** Makes conversations that ask for repairs. @returns false if none is needed, or none fits the context */
  repair({ parts }: Subject, model: LanguageModel): boolean {
    const faulty = this.#draws.filter(({ reading }) => reading !== null && this.#isFaulty(reading));
    if (parts === undefined || faulty.length < this.#draws.length) return false;
    this.open = faulty.filter((draw) => {
      const { messages, response, repaired } = draw;
      const reading = draw.reading as Reading;
      const longer: ChatMessage[] = [
        ...messages,
        { role: "assistant", content: response },
        { role: "user", content: parts.repair(reading.failure) },
      ];
      if (model.countTokens(longer) + ROOM_FOR_REPAIR > model.contextSize) return false;
      repaired.push({ response, reading });
      draw.messages = longer;
      return true;
    });
    this.#missing = this.open.length;
    return this.#missing > 0;
  }

  result(): Attempt {
    // A repair that fails is worse than the empty result that it was asked for.
    for (const draw of this.#draws) {
      const { reading, repaired } = draw;
      const usable = repaired.findLastIndex(({ reading }) => reading.result !== null);
      // What came after it counts no more, so that an answer is not called repaired that is the first one.
      if (reading?.result === null && usable >= 0) Object.assign(draw, repaired.splice(usable)[0]);
    }
    return {
      ...this.#choice(),
      draws: this.#draws.map(({ response, reading, repaired }) => ({ response, reading, repaired })),
      completions: this.#completions,
      promptTokens: this.#promptTokens,
      tokens: this.#tokens,
    };
  }

  #choice(): Choice {
    const ballots = this.#draws.map(({ reading }) => reading ?? { answer: "", result: "" });
    return choose(ballots, this.strategy.vote);
  }

  #isFaulty({ failure, isEmpty }: Reading): boolean {
    return failure !== null || (this.strategy.repairEmpty && isEmpty);
  }
}
