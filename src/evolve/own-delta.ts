/** Whether changes of rules in a task's own words can be used. */
import type { Completion } from "../model.js";
import type { DeltaForm } from "../task.js";
import { type EditRules, type JudgedEdit, judgeInstructions } from "./judge-edit.js";

/** Lets the task make the changes that an evolver's answer has, and judges what comes of them. */
export function judgeOwnDelta(
  form: DeltaForm,
  { text, finishReason, generatedTokens }: Pick<Completion, "text" | "finishReason" | "generatedTokens">,
  rules: EditRules,
): JudgedEdit {
  const invalid = (reason: string): JudgedEdit => ({ instructions: "", verdict: "invalid", reason });
  const changed = form.apply(rules.parent, text);
  if (changed === null)
    return invalid(
      finishReason === "length"
        ? `cut off after ${generatedTokens} tokens, before any change`
        : "no change in the answer",
    );
  return "refused" in changed ? invalid(changed.refused) : judgeInstructions(changed.instructions, rules);
}
