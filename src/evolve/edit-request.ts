/** What the messages that ask for an edit are made from. */
import type { Answer } from "../answer/answer.js";
import type { ChatMessage } from "../model.js";
import type { Task } from "../task.js";
import type { EditContext } from "./config.js";
import type { Tried } from "./judge-edit.js";

/** A node to edit, and what may be said of it. */
export interface EditRequest {
  readonly task: Task;
  /** Of the node. */
  readonly instructions: string;
  /** The answers of its latest batch. */
  readonly batch: readonly Answer[];
  /** Earlier edits, the oldest first. */
  readonly tried: readonly Tried[];
  /** What is shown of the task beside the answers; left out: what the kind of edit usually shows. */
  readonly context?: EditContext | undefined;
  /** Most answers that are reported on; left out: as many as fit. */
  readonly reports?: number | undefined;
  /** Whether messages leave room enough in the context; what does not fit is left out. */
  fits(messages: readonly ChatMessage[]): boolean;
}

/** What is shown of a task, under a heading; empty for nothing. It ends with a blank line. */
export function contextText(
  { task, instructions, context }: Pick<EditRequest, "task" | "instructions" | "context">,
  usual: EditContext,
): string {
  switch (context ?? usual) {
    case "prompt":
      return `# The model's whole prompt\n${task.systemPrompt(instructions)}\n\n`;
    case "names":
      return task.brief === undefined || task.brief.outline === "" ? "" : namesText(task.brief.outline);
    case "none":
      return "";
  }
}

export const namesText = (outline: string): string => `# The names in its data\n${outline}\n\n`;
