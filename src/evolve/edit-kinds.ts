/** What an evolver writes as an edit: new instructions as a whole (the paper's), or changes of numbered rules. */
import type { ChatMessage, Completion } from "../model.js";
import type { DeltaForm, Task } from "../task.js";
import { EDIT_KIND_NAMES, type EditKindName, type Edits } from "./config.js";
import { DELTA_GRAMMAR, judgeDelta } from "./delta.js";
import { deltaMessages, deltaRetry } from "./delta-prompt.js";
import type { EditRequest } from "./edit-request.js";
import { evolverMessages, ownMessages } from "./evolver-prompt.js";
import { type EditRules, type JudgedEdit, judgeEdit } from "./judge-edit.js";
import { judgeOwnDelta } from "./own-delta.js";

/** How an edit is asked for, and what its answer means. */
export interface EditKind {
  /** What a constrained answer keeps to, as GBNF. */
  readonly grammar: string;
  messages(request: EditRequest): ChatMessage[];
  /** Asks for another edit after one that could not be used; left out: the first prompt is asked again. */
  retry?(reason: string): string;
  /** Whether there is nothing to write where all answers of a batch were right. */
  readonly needsFailures: boolean;
  judge(
    completion: Pick<Completion, "text" | "finishReason" | "generatedTokens">,
    rules: EditRules,
  ): JudgedEdit;
}

/**
 * Any text, the instructions between the tags, and nothing more: small models forget the tags or write them twice. Text
 * before them may not have `<p`, nor the instructions `</p`.
 */
const REWRITE_GRAMMAR = `root ::= thoughts "<prompt>" instructions "</prompt>"
thoughts ::= ([^<] | "<" [^p])*
instructions ::= ([^<] | "<" [^/p] | "</" [^p])+`;

/** The paper's. */
export const REWRITE: EditKind = {
  needsFailures: false,
  grammar: REWRITE_GRAMMAR,
  messages: evolverMessages,
  judge: (completion, rules) => judgeEdit(completion, { tag: "prompt", ...rules }),
};

/** Null where no evolver is asked. */
export const EDIT_KINDS: { readonly [Name in EditKindName]: EditKind | null } = {
  rewrite: REWRITE,
  delta: {
    needsFailures: true,
    grammar: DELTA_GRAMMAR,
    messages: deltaMessages,
    retry: deltaRetry,
    judge: judgeDelta,
  },
  example: null,
};

/** The kinds of edits that rounds may have, none where the task knows no such edits; of `mixed`, those that it knows. */
export function editKindsOf(
  edits: Edits,
  { parts, evolverPrompt, deltas }: Pick<Task, "parts" | "evolverPrompt" | "deltas">,
): EditKindName[] {
  const known: Readonly<Record<EditKindName, boolean>> = {
    rewrite: true,
    // An evolver with a prompt of the task's own knows the task's prompts alone.
    delta: evolverPrompt === undefined || deltas !== undefined,
    example: parts !== undefined,
  };
  return EDIT_KIND_NAMES.filter((kind) => known[kind] && (edits === "mixed" || edits === kind));
}

/** The kind of that name, in the task's own words where it has some; null where no evolver is asked. */
export const editKindFor = (name: EditKindName, { deltas }: Pick<Task, "deltas">): EditKind | null =>
  name === "delta" && deltas !== undefined ? ownDelta(deltas) : EDIT_KINDS[name];

/** Changes of rules as a task words them. As rewrites in a task's own words, they are asked for again with the first prompt. */
const ownDelta = (form: DeltaForm): EditKind => ({
  needsFailures: true,
  grammar: form.grammar,
  messages: (request) => ownMessages((reports) => form.prompt(request.instructions, reports), request),
  judge: (completion, rules) => judgeOwnDelta(form, completion, rules),
});
