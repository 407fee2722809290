/**
 * GEPA as a method on this loop (Agrawal et al. 2025; the vendored 0.0.27 of the published code, lse/gepa): the node to
 * edit is drawn from the Pareto frontier of the holdout's single problems, a reflection on a minibatch writes the edit,
 * and only an edit that does better on that same minibatch is scored on the holdout. Its merge is left out: it
 * recombines the modules of two candidates, and here there is one module, the instructions.
 */

import type { Answer } from "../answer/answer.js";
import type { ChatMessage } from "../model.js";
import type { Task } from "../task.js";
import type { EditRequest } from "./edit-request.js";
import { evolverMessages } from "./evolver-prompt.js";
import type { Run } from "./run.js";
import { cut } from "./summary.js";

/** Limits of what the reflection reads of a problem: of its report, and of the response (bird GEPA adapter). */
const MAX_REPORT_CHARS = 2200;
const MAX_RESPONSE_CHARS = 1200;

/** One iteration: at most two answers to each problem of the batch, and a holdout for an edit that passes. */
export async function gepaRound(run: Run, round: number): Promise<void> {
  const parent = run.select(round);
  const batch = await run.answerBatch(parent, round);
  const before = total(batch);
  // Nothing to reflect on (skip_perfect_score).
  if (batch.every(({ outcome }) => outcome.score >= 1)) {
    run.recordGate(round, before, null, false);
    return;
  }
  run.review(parent, batch, round);
  const edit = await run.edit(parent, round, run.config.tries);
  if (edit === null) return;
  const edited = total(await run.answerBatchUnder(edit.instructions, round));
  run.recordGate(round, before, edited, edited > before);
  if (edited > before) await run.scoreNode(run.adopt(parent, edit, round));
}

const total = (answers: readonly Answer[]) => answers.reduce((sum, { outcome }) => sum + outcome.score, 0);

/** The reflection's prompt; a task's own where it has one. What does not fit is left out from the end. */
export function reflectionMessages(request: EditRequest): ChatMessage[] {
  const { task, instructions, batch, fits } = request;
  if (task.evolverPrompt !== undefined) return evolverMessages(request);
  for (let count = batch.length; ; count--) {
    const messages = reflection(task, instructions, batch.slice(0, count));
    if (count === 0 || fits(messages)) return messages;
  }
}

function reflection(task: Task, instructions: string, batch: readonly Answer[]): ChatMessage[] {
  const examples = batch.map(({ problem, response, outcome }, i) => {
    const report = cut(task.report(problem, outcome), MAX_REPORT_CHARS);
    return `## Example ${i + 1}\n${report}\nThe assistant's response:\n${cut(response, MAX_RESPONSE_CHARS)}`;
  });
  return [
    {
      role: "user",
      content: `An assistant works under these instructions:
\`\`\`
${instructions}
\`\`\`

They stand in this prompt, the rest of which stays as it is:
\`\`\`
${task.systemPrompt(instructions)}
\`\`\`

Here are problems it was given, what it answered, and feedback:

${examples.join("\n\n")}

Write new instructions for the assistant. Read the examples closely: what does the task ask for, in what form, and which facts of its domain does the feedback show that the assistant did not know? Such facts belong into the instructions, since the assistant may not have them later. If it used a strategy that works for many problems, write that down too. The instructions must hold for problems that are not among these, and the assistant must still give its answer inside <answer> and </answer>.

Put the new instructions between <prompt> and </prompt>.`,
    },
  ];
}
