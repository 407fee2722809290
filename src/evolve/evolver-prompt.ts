/** The prompt that asks an evolver for new instructions. */

import type { ChatMessage } from "../model.js";
import { contextText, type EditRequest } from "./edit-request.js";
import { summarise } from "./summary.js";

/**
 * The messages that ask for an edit: in the task's own words where it has some, else in the general ones. What
 * does not fit is left out as `summarise` does it; of a task's own prompt, whole problems from the end.
 */
export function evolverMessages(request: EditRequest): ChatMessage[] {
  const { task, instructions, batch, reports, fits } = request;
  const { evolverPrompt: ownPrompt } = task;
  if (ownPrompt === undefined) {
    const context = contextText(request, "prompt");
    const isWhole = (request.context ?? "prompt") === "prompt";
    const compose = (summary: string) =>
      userMessage(evolverPrompt({ context, isWhole, instructions, summary }));
    return compose(summarise(batch.slice(0, reports), task, (summary) => fits(compose(summary))));
  }
  return ownMessages((reports) => ownPrompt.call(task, instructions, reports), request);
}

/**
 * A message in a task's own words, about as many problems of a batch as there is room for.
 * @param compose words the prompt from the reports of problems
 */
export function ownMessages(
  compose: (reports: readonly string[]) => string,
  { task, batch, reports: most, fits }: Pick<EditRequest, "task" | "batch" | "reports" | "fits">,
): ChatMessage[] {
  const reports = batch.slice(0, most).map(({ problem, outcome }) => task.report(problem, outcome));
  for (;;) {
    const messages = userMessage(compose(reports));
    if (reports.length === 0 || fits(messages)) return messages;
    reports.pop();
  }
}

const userMessage = (content: string): ChatMessage[] => [{ role: "user", content }];

interface PromptTexts {
  /** What is shown of the task. */
  readonly context: string;
  /** Whether that is the model's whole prompt. */
  readonly isWhole: boolean;
  readonly instructions: string;
  /** How a batch went. */
  readonly summary: string;
}

/**
 * The evolver's one message: its job, the whole prompt the model works under, how a batch went, and how to
 * write. Contents after the published code's evolve prompt; the words are ours.
 */
function evolverPrompt({ context, isWhole, instructions, summary }: PromptTexts): string {
  return `You improve the instructions of a language model. The model answers problems under ${isWhole ? "the prompt below" : "a prompt with these instructions in it"}. You will see how it did on some of them, and you will rewrite its instructions so that it does better on new problems of the same kind.

Only the instructions can change. The description of the task, the data and the form of the answer are fixed and will be put around your instructions exactly as they are now.

${context}# The instructions${isWhole ? " in it" : ""}, which you will replace
${instructions}

# How the model did
${summary}

# How to write the new instructions
- Look for what the failures have in common: a wrong reading of the question, of the data, of the form of the answer. Keep what already works.
- Write rules that hold for any problem of this kind. Never mention a single problem or its answer.
- Facts about the data that a problem brought to light, and that others will need, are worth writing down.
- Be brief and concrete. Organise them as you like.
- The model must still give its final answer inside <answer> and </answer>.

First think step by step about what went wrong and why. Then write the complete new instructions once, between <prompt> and </prompt>. They replace the old ones as a whole.`;
}
