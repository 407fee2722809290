import { extractTag } from "../lib/extract.js";
import { deriveSeed } from "../lib/random.js";
import type { ChatMessage, Completion, LanguageModel, Sampling } from "../model.js";
import type { Task } from "../task.js";
import type { Answer } from "./answer.js";
import type { EvolveConfig } from "./config.js";
import type { evolverMessages } from "./evolver-prompt.js";
import { evolverPromptLimit } from "./room.js";
import type { TreeNode } from "./tree.js";

/** Shorter instructions are taken for an accident (the published reward function draws the line here too). */
export const MIN_INSTRUCTIONS_CHARS = 10;

/**
 * What a constrained edit keeps to, as GBNF: any text, the instructions between the tags, and nothing more. Small
 * models forget the tags or write them twice. Text before them may not have `<p`, nor the instructions `</p`.
 */
export const EDIT_GRAMMAR = `root ::= thoughts "<prompt>" instructions "</prompt>"
thoughts ::= ([^<] | "<" [^p])*
instructions ::= ([^<] | "<" [^/p] | "</" [^p])+`;

/** How edits are drawn. */
export function editSamplingOf({ sampling, editTemperature, constrainEdits }: EvolveConfig): Sampling {
  return {
    ...sampling,
    temperature: editTemperature ?? sampling.temperature,
    ...(constrainEdits ? { grammar: EDIT_GRAMMAR } : {}),
  };
}

/** One attempt at new instructions: these, or why there are none. */
export interface EditAttempt {
  /** The new instructions; not to be used when they are rejected. */
  readonly instructions: string;
  /** Why the edit must not be adopted; null when it may. */
  readonly rejected: string | null;
  /** What follows the messages in the chat that wrote it; ends with the evolver's last answer. */
  readonly replies: readonly ChatMessage[];
  /** Of all its calls: lengths of the prompts, and of what was generated. */
  readonly promptTokens: number;
  readonly tokens: number;
}

/** Proposes new instructions for a node, from how the model did under its old ones. */
export interface Evolver {
  /** The messages it answers; saved with the node, since they are what the evolver is trained on. */
  messages(parent: TreeNode, batch: readonly Answer[]): ChatMessage[];
  propose(
    parent: TreeNode,
    messages: readonly ChatMessage[],
    attempt: EditSeed,
    signal?: AbortSignal,
  ): Promise<EditAttempt>;
}

export interface EditSeed {
  readonly seed: number;
  readonly round: number;
  readonly attempt: number;
}

/** The evolver of the paper: one prompt, one answer, the new instructions between prompt tags. */
export class LseEvolver implements Evolver {
  constructor(
    private readonly model: LanguageModel,
    private readonly task: Task,
    private readonly sampling: Sampling,
    /** Why instructions cannot be used even though they are well-formed; null when they can. */
    private readonly unusable: (instructions: string) => string | null,
    private readonly messagesFor: typeof evolverMessages,
  ) {}

  messages(parent: TreeNode, batch: readonly Answer[]): ChatMessage[] {
    const limit = evolverPromptLimit(this.model.contextSize, this.sampling.maxTokens);
    const fits = (messages: readonly ChatMessage[]) => this.model.countTokens(messages) <= limit;
    return this.messagesFor(this.task, parent.instructions, batch, fits);
  }

  async propose(
    parent: TreeNode,
    messages: readonly ChatMessage[],
    at: EditSeed,
    signal?: AbortSignal,
  ): Promise<EditAttempt> {
    const seed = deriveSeed(at.seed, "edit", at.round, at.attempt);
    const completion = await complete(this.model, messages, this.sampling, seed, signal);
    const instructions = extractTag(completion.text, "prompt").trim();
    const rejected = whyRejected(instructions, completion, parent, "prompt") ?? this.unusable(instructions);
    const { text, promptTokens, generatedTokens: tokens } = completion;
    const replies = [{ role: "assistant" as const, content: text }];
    return { instructions, rejected, replies, promptTokens, tokens };
  }
}

/** One answer. */
export async function complete(
  model: LanguageModel,
  messages: readonly ChatMessage[],
  sampling: Sampling,
  seed: number,
  signal?: AbortSignal,
): Promise<Completion> {
  const request = { messages, sampling, seed, sample: 0 };
  const [completion] = await model.generate([request], undefined, signal);
  if (completion === undefined) throw new Error("the model returned no completion");
  return completion;
}

/** @param tag that the instructions were to stand between */
export function whyRejected(
  instructions: string,
  completion: Completion,
  parent: TreeNode,
  tag: string,
): string | null {
  if (completion.finishReason === "length") return `cut off after ${completion.generatedTokens} tokens`;
  if (instructions === "") return `no <${tag}>…</${tag}> in the answer`;
  if (instructions.length < MIN_INSTRUCTIONS_CHARS) {
    return `only ${instructions.length} characters long`;
  }
  return sameText(instructions, parent.instructions) ? "the same as its parent" : null;
}

const sameText = (a: string, b: string) => a.replace(/\s+/g, " ").trim() === b.replace(/\s+/g, " ").trim();
