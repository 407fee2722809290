/** What in a task's prompts would keep it from being evolved. */
import type { Task } from "../task.js";

/** Instructions that no task has in its own words. */
const MARK = "lse-validate: instructions go here";

/** What in its prompts would make evolution of someone's own task slow or useless, in words. */
export function promptProblems(task: Task): string[] {
  const ids = [...task.problemIds, ...(task.testIds ?? [])];
  const prompts = ids.map((id) => task.prompt(id, MARK));
  const problems: string[] = [];
  const blind = ids.find((_, i) => !prompts[i]?.some(({ content }) => content.includes(MARK)));
  if (blind !== undefined)
    problems.push(
      `prompt: the instructions are not in the prompt of "${blind}", so that no edit can change an answer`,
    );
  if (!task.systemPrompt(MARK).includes(MARK)) problems.push("systemPrompt: the instructions are not in it");
  const starts = new Set(prompts.map((messages) => messages[0]?.content));
  if (ids.length > 1 && starts.size === ids.length)
    problems.push(
      "prompt: no two problems share their first message, so that engines evaluate each prompt whole",
    );
  return problems;
}
