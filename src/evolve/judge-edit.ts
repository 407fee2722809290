/** Whether what an evolver wrote can be used as new instructions: the one rule for evolution, training and rewards. */
import { extractTag } from "../lib/extract.js";
import type { Completion } from "../model.js";
import type { Task, WorkedCase } from "../task.js";

/** Shorter instructions are taken for an accident (the published reward function draws the line here too). */
export const MIN_INSTRUCTIONS_CHARS = 10;

/** An edit, and whether it can be used. */
export interface JudgedEdit {
  /** What stood between the tags, without the blanks around it; empty when nothing did. */
  readonly instructions: string;
  /** "same": as its parent but for white space, so that adopting it changes nothing. */
  readonly verdict: "usable" | "same" | "invalid";
  /** Why it is not adopted; null for a usable one. */
  readonly reason: string | null;
}

/** What edits of a task are judged by, beside their own text. */
export const rulesOf = (task: Pick<Task, "quoted" | "brief">): Pick<EditRules, "quoted" | "worked"> => ({
  ...(task.quoted === undefined ? {} : { quoted: task.quoted.bind(task) }),
  worked: task.brief?.worked,
});

/** What an edit is judged by, beside its own text. */
export interface EditRules {
  /** The instructions that were to be edited. */
  readonly parent: string;
  /** Why well-formed instructions cannot be used all the same, such as their length; null when they can. */
  readonly unusable: (instructions: string) => string | null;
  /** As `Task` has it. */
  readonly quoted?: Task["quoted"];
  /** The case that the evolver was shown, if there is one: its rules are none of this task. */
  readonly worked?: WorkedCase | undefined;
}

/** Where new instructions stand in an answer. */
export interface RewriteForm {
  readonly tag: string;
  /** What is more than so many characters is dropped. */
  readonly maxChars?: number;
}

/** An edit that was tried before. */
export type Tried =
  | {
      readonly instructions: string;
      /** Of the score. */
      readonly gain: number;
      /** The instructions that it changed; left out where they are those of the node that is edited now. */
      readonly from?: string;
    }
  | { /** Why it could not be used. */ readonly rejected: string };

/** Takes the new instructions out of an evolver's answer and says whether they can be used. */
export function judgeEdit(
  { text, finishReason, generatedTokens }: Pick<Completion, "text" | "finishReason" | "generatedTokens">,
  { tag, maxChars, ...rules }: EditRules & RewriteForm,
): JudgedEdit {
  const instructions = extractTag(text, tag).trim().slice(0, maxChars);
  const invalid = (reason: string): JudgedEdit => ({ instructions, verdict: "invalid", reason });
  if (finishReason === "length") return invalid(`cut off after ${generatedTokens} tokens`);
  if (instructions === "") return invalid(`no <${tag}>…</${tag}> in the answer`);
  return judgeInstructions(instructions, rules);
}

/** Says whether new instructions can be used in place of their parent. */
export function judgeInstructions(instructions: string, { parent, unusable }: EditRules): JudgedEdit {
  const invalid = (reason: string): JudgedEdit => ({ instructions, verdict: "invalid", reason });
  if (instructions.length < MIN_INSTRUCTIONS_CHARS)
    return invalid(`only ${instructions.length} characters long`);
  if (inOneLine(instructions) === inOneLine(parent))
    return { instructions, verdict: "same", reason: "the same as its parent" };
  const reason = unusable(instructions);
  return reason === null ? { instructions, verdict: "usable", reason } : invalid(reason);
}

const inOneLine = (text: string) => text.replace(/\s+/g, " ").trim();
