import {
  type ChatMessage,
  type Completion,
  emptyUsage,
  type GenerateRequest,
  type LanguageModel,
} from "#lse/model.js";
import type { Outcome, PromptParts, Task } from "#lse/task.js";

/** A model that answers by a function; one "token" is one character. */
export class ScriptedModel implements LanguageModel {
  readonly fingerprint = "scripted";
  readonly repeats: LanguageModel["repeats"] = "request";
  readonly usage = emptyUsage();
  readonly requests: GenerateRequest[] = [];

  constructor(
    private readonly answer: (request: GenerateRequest) => string | Partial<Completion>,
    readonly contextSize = 100_000,
  ) {}

  countTokens(messages: readonly ChatMessage[]): number {
    return messages.reduce((sum, { content }) => sum + content.length, 0);
  }

  async generate(
    requests: readonly GenerateRequest[],
    onCompletion?: (index: number, completion: Completion) => void,
    signal?: AbortSignal,
  ): Promise<Completion[]> {
    return requests.map((request, index) => {
      signal?.throwIfAborted();
      this.requests.push(request);
      const answer = this.answer(request);
      const completion: Completion = {
        text: "",
        tokens: [1],
        generatedTokens: 1,
        logprobs: [-0.5],
        finishReason: "stop",
        promptTokens: this.countTokens(request.messages),
        seconds: 0,
        ...(typeof answer === "string" ? { text: answer } : answer),
      };
      onCompletion?.(index, completion);
      return completion;
    });
  }

  async logprobs(_messages: readonly ChatMessage[], tokens: readonly number[]) {
    return new Float32Array(tokens.length);
  }

  async useAdapter() {}
  async [Symbol.asyncDispose]() {}
}

/** The model, which dies after so many requests, as a killed process does: what it has answered by then was heard. */
export function dyingAfter(alive: number, model: ScriptedModel): ScriptedModel {
  const generate = model.generate.bind(model);
  model.generate = async (requests, onCompletion, signal) => {
    const kept = requests.slice(0, Math.max(0, alive - model.requests.length));
    await generate(kept, onCompletion, signal);
    if (kept.length < requests.length) throw new Error("killed");
    return generate([], undefined, signal);
  };
  return model;
}

/**
 * Problems p0 … pN-1. Their instructions are a list of numbers: problem pI is answered correctly when the
 * list has I. A scripted model can play it, and an edit's effect on every problem is known.
 */
export class NumberTask implements Task {
  readonly id = "numbers";
  readonly fingerprint: string = "numbers-1";
  readonly seedInstructions: string;
  readonly problemIds: readonly string[];
  graded = 0;

  constructor(problems: number, seedInstructions = "known: none so far") {
    this.problemIds = Array.from({ length: problems }, (_, i) => `p${i}`);
    this.seedInstructions = seedInstructions;
  }

  systemPrompt(instructions: string) {
    return `SYSTEM ${instructions}`;
  }

  prompt(problemId: string, instructions: string) {
    return [
      { role: "system" as const, content: this.systemPrompt(instructions) },
      { role: "user" as const, content: problemId },
    ];
  }

  async grade(_problemId: string, response: string): Promise<Outcome> {
    this.graded++;
    const correct = response === "right";
    return { score: correct ? 1 : 0, correct, answer: response, error: correct ? null : "wrong" };
  }

  report(problemId: string, { answer }: Outcome) {
    return `${problemId} answered ${answer}`;
  }

  async validate() {
    return { total: 0, passed: 0, failures: [] };
  }

  async [Symbol.asyncDispose]() {}
}

/** Problems of which each is a twin of the one 37 numbers on. */
export const TWINS = 37;

/** The same with parts that prompts are put together from; there is no solution to the first ten problems. */
export class SolvedTask extends NumberTask {
  readonly parts: PromptParts = {
    seedInstructions: () => "",
    question: (id) => `what is ${id}?`,
    request: () => "",
    solution: (id) => (Number(id.slice(1)) < 10 ? null : `it is ${id}`),
    twinKeys: (id) => [`twin ${Number(id.slice(1)) % TWINS}`],
    repair: () => "",
  };
}

/** Answers NumberTask by its instructions. */
export function answersByInstructions({ messages }: GenerateRequest): string {
  const [system, user] = messages;
  return numbersIn(system?.content).includes(user?.content.slice(1) ?? "") ? "right" : "wrong";
}

/** Whether a request asks for an edit rather than for an answer. */
export const isEdit = ({ messages }: GenerateRequest) => messages.length === 1;

export const numbersIn = (text = ""): string[] => [...text.matchAll(/\d+/g)].map(([number]) => number);
