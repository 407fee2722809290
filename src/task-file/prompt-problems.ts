/** Finds mistakes in the prompts of a user's task that would make evolution slow or useless. */
import type { Task } from "../task.js";

/** Instructions that occur in no task by chance. */
const MARK = "lse-validate: instructions go here";

/** Describes what in the prompts of a task would make evolution slow or useless. */
export function promptProblems(task: Task): string[] {
  const ids = [...task.problemIds, ...(task.testIds ?? [])];
  const prompts = ids.map((id) => task.prompt(id, MARK));
  const problems: string[] = [];
  const blind = ids.find((_, i) => !prompts[i]?.some(({ content }) => content.includes(MARK)));
  if (blind !== undefined)
    problems.push(
      `prompt: the instructions are not in the prompt of "${blind}", so no edit can change an answer`,
    );
  if (!task.systemPrompt(MARK).includes(MARK)) problems.push("systemPrompt: the instructions are not in it");
  const starts = new Set(prompts.map((messages) => messages[0]?.content));
  if (ids.length > 1 && starts.size === ids.length)
    problems.push(
      "prompt: no two problems share their first message, so engines have to evaluate each prompt from its beginning",
    );
  return problems;
}
