/** What asks an evolver for new instructions: the contract of all methods, and the paper's way. */

import type { Answer } from "../answer/answer.js";
import { deriveSeed } from "../lib/random.js";
import type { ChatMessage, Completion, LanguageModel, Sampling } from "../model.js";
import type { Task } from "../task.js";
import { type EditKindName, type EvolveConfig, editTokensOf } from "./config.js";
import { type EditKind, editKindFor } from "./edit-kinds.js";
import type { EditRequest } from "./edit-request.js";
import { rulesOf, type Tried } from "./judge-edit.js";
import type { Split } from "./problem-parts.js";
import { evolverPromptLimit } from "./room.js";
import type { TreeNode } from "./tree.js";

/** How edits of a kind are drawn. */
export function editSamplingOf(config: EvolveConfig, kind: EditKindName, task: Task): Sampling {
  const { sampling, editTemperature, constrainEdits } = config;
  const grammar = constrainEdits ? editKindFor(kind, task)?.grammar : undefined;
  return {
    ...sampling,
    maxTokens: editTokensOf(config),
    temperature: editTemperature ?? sampling.temperature,
    ...(grammar === undefined ? {} : { grammar }),
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

/** Asks the evolver for new instructions of a node, from how the model did under its old ones. */
export interface EditWriter {
  /** The messages that the evolver answers, none where it is not asked; saved with the node, since it is trained on them. */
  messages(parent: TreeNode, batch: readonly Answer[], tried: readonly Tried[]): ChatMessage[];
  propose(parent: TreeNode, review: Review, attempt: EditSeed, signal?: AbortSignal): Promise<EditAttempt>;
}

/** How a node did on its latest batch, and what is asked about it. */
export interface Review {
  readonly batch: readonly Answer[];
  readonly messages: readonly ChatMessage[];
}

/** Names an attempt at an edit: its random numbers come from these. */
export interface EditSeed {
  readonly seed: number;
  readonly round: number;
  readonly attempt: number;
  /** The attempt before, which could not be used. */
  readonly failed?: EditAttempt | undefined;
}

/** What every way of writing edits works with. */
export interface WriterParts {
  readonly evolver: LanguageModel;
  readonly task: Task;
  readonly split: Split;
  /** How edits are drawn. */
  readonly sampling: Sampling;
  /** What its evolver is shown. */
  readonly shows: Pick<EditRequest, "context" | "reports">;
  /** As in `EditRules`. */
  readonly unusable: (instructions: string) => string | null;
  /** What an edit is, for methods that leave it open. */
  readonly kind: EditKindName;
}

/** The paper's way: one prompt, one answer that is the edit. */
export class LseWriter implements EditWriter {
  constructor(
    private readonly parts: WriterParts,
    private readonly kind: Pick<EditKind, "messages" | "retry" | "judge">,
  ) {}

  messages(parent: TreeNode, batch: readonly Answer[], tried: readonly Tried[]): ChatMessage[] {
    const { evolver, sampling, task, shows } = this.parts;
    const limit = evolverPromptLimit(evolver.contextSize, sampling.maxTokens);
    const fits = (messages: readonly ChatMessage[]) => evolver.countTokens(messages) <= limit;
    return this.kind.messages({ task, instructions: parent.instructions, batch, tried, fits, ...shows });
  }

  async propose(
    parent: TreeNode,
    { messages }: Review,
    at: EditSeed,
    signal?: AbortSignal,
  ): Promise<EditAttempt> {
    const { unusable, task } = this.parts;
    const again = at.failed === undefined ? [] : this.#again(messages, at.failed);
    const isHotter = at.failed !== undefined && this.kind.retry !== undefined;
    const sampling = isHotter ? hotter(this.parts.sampling, at.attempt) : this.parts.sampling;
    const asked = [...messages, ...again];
    const completion = await complete({ ...this.parts, sampling }, asked, editSeed(at, "edit"), signal);
    const { text, promptTokens, generatedTokens: tokens } = completion;
    const rules = { parent: parent.instructions, unusable, ...rulesOf(task) };
    const { instructions, reason: rejected } = this.kind.judge(completion, rules);
    const replies = [...again, { role: "assistant" as const, content: text }];
    return { instructions, rejected, replies, promptTokens, tokens };
  }

  /** What follows the messages when an attempt failed: it, and why; nothing where that does not fit. */
  #again(messages: readonly ChatMessage[], { replies, rejected }: EditAttempt): ChatMessage[] {
    const { evolver, sampling } = this.parts;
    const request = this.kind.retry?.(rejected ?? "");
    if (request === undefined) return [];
    const again: ChatMessage[] = [...replies.slice(-1), { role: "user", content: request }];
    const limit = evolverPromptLimit(evolver.contextSize, sampling.maxTokens);
    return evolver.countTokens([...messages, ...again]) > limit ? [] : again;
  }
}

/** Sampling of a later attempt: the likeliest answer was of no use. */
const hotter = (sampling: Sampling, attempt: number): Sampling => ({
  ...sampling,
  temperature: sampling.temperature + HOTTER * (attempt - 1),
});
const HOTTER = 0.2;

/** The seed of one call of an attempt. @param step tells the calls of an attempt apart */
export const editSeed = ({ seed, round, attempt }: EditSeed, step: string): number =>
  deriveSeed(seed, step, round, attempt);

/** One answer of the evolver. */
export async function complete(
  { evolver, sampling }: Pick<WriterParts, "evolver" | "sampling">,
  messages: readonly ChatMessage[],
  seed: number,
  signal?: AbortSignal,
): Promise<Completion> {
  const request = { messages, sampling, seed, sample: 0 };
  const [completion] = await evolver.generate([request], undefined, signal);
  if (completion === undefined) throw new Error("the model returned no completion");
  return completion;
}
