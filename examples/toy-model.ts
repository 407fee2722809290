/**
 * Not a language model but a program of a few rules in the place of one, so that the example runs anywhere in a second:
 * it sends a message to the desk that its instructions name for one of its words, and as an evolver adds such a rule
 * from a problem that went wrong. What it shows is the loop, not how well a model learns.
 */
import type { ChatMessage, Completion, GenerateRequest, LanguageModel } from "lse";

const WORDS_OF_ALL = /^(hello|about|my|what|now|again|it|is|i|need|help|today)$/;

export class ToyModel implements LanguageModel {
  readonly fingerprint = "toy-1";
  readonly contextSize = 100_000;
  readonly repeats = "request";
  readonly usage = {
    completions: 0,
    promptTokensAsked: 0,
    promptTokensEvaluated: 0,
    tokensGenerated: 0,
    seconds: 0,
  };

  countTokens(messages: readonly ChatMessage[]): number {
    return messages.reduce((sum, { content }) => sum + content.split(/\s+/).length, 0);
  }

  async generate(
    requests: readonly GenerateRequest[],
    onCompletion?: (index: number, completion: Completion) => void,
    signal?: AbortSignal,
  ): Promise<Completion[]> {
    return requests.map(({ messages }, index) => {
      signal?.throwIfAborted();
      const text = reply(messages);
      const completion: Completion = {
        text,
        tokens: [],
        generatedTokens: text.split(/\s+/).length,
        logprobs: [],
        finishReason: "stop",
        promptTokens: this.countTokens(messages),
        seconds: 0,
      };
      this.usage.completions++;
      onCompletion?.(index, completion);
      return completion;
    });
  }

  async logprobs(_messages: readonly ChatMessage[], tokens: readonly number[]): Promise<Float32Array> {
    return new Float32Array(tokens.length);
  }

  async useAdapter(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}
}

/** What it says to a prompt: an edit where there is one message, an answer otherwise. */
export function reply(messages: readonly ChatMessage[]): string {
  const prompt = messages.map(({ content }) => content).join("\n");
  return messages.length === 1 ? edit(prompt) : answer(prompt, messages.at(-1)?.content ?? "");
}

function answer(prompt: string, message: string): string {
  const rules = [...prompt.matchAll(/"(\w+)" goes to the desk (\w+)/g)];
  const rule = rules.find(([, word]) => message.toLowerCase().includes(word as string));
  const mark = /mark .*today.* as urgent/i.test(prompt) && message.includes("today") ? " urgent" : "";
  return `<answer>${rule?.[2] ?? "front"}${mark}</answer>`;
}

/** Adds a rule for the first problem that went wrong. */
function edit(prompt: string): string {
  const [, before = ""] =
    /# The instructions in it[^\n]*\n([\s\S]*?)\n\n# How the model did/.exec(prompt) ?? [];
  const wrong = [...prompt.matchAll(/Message: (.*)\nAnswer: (.*)\nRight: (\w+)( urgent)?\nError: (?!none)/g)];
  const [, message = "", given = "", desk = "", urgent] = wrong[0] ?? [];
  const isMarkMissing = urgent !== undefined && !given.includes("urgent");
  const subject = /[:,] (?:it is about )?(\w+)[.!]/.exec(message)?.[1] ?? "";
  const rule =
    given.startsWith(desk) || WORDS_OF_ALL.test(subject)
      ? isMarkMissing
        ? "Mark what is wanted today as urgent."
        : ""
      : `"${subject}" goes to the desk ${desk}.`;
  return `<prompt>${before}\n${rule}</prompt>`;
}
