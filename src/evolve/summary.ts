/** What the evolver reads about a batch, cut to fit. */

import type { Answer } from "../answer/answer.js";
import type { Task } from "../task.js";

const SEPARATOR = `\n${"=".repeat(50)}\n`;

/**
 * What the evolver reads about a batch: per problem its accuracy, the task's report and the full response.
 * If that does not fit, the longest responses are cut first, evenly; if it still does not, problems are left
 * out from the end. A note says what is missing.
 *
 * @param fits whether a summary leaves room enough in the context; shorter ones fit when longer ones do
 */
export function summarise(
  answers: readonly Answer[],
  task: Task,
  fits: (summary: string) => boolean,
): string {
  const longest = answers.reduce((most, { response }) => Math.max(most, response.length), 0);
  const whole = render(answers, task, longest, answers.length);
  if (fits(whole)) return whole;
  const responseLimit = largest(0, longest, (limit) => fits(render(answers, task, limit, answers.length)));
  if (responseLimit !== null) return render(answers, task, responseLimit, answers.length);
  const kept = largest(1, answers.length, (count) => fits(render(answers, task, 0, count)));
  return render(answers, task, 0, kept ?? 0);
}

function render(answers: readonly Answer[], task: Task, responseLimit: number, kept: number): string {
  const blocks = answers.slice(0, kept).map(({ problem, response, outcome }, i) => {
    const head = `Problem ${i + 1}: accuracy=${outcome.score.toFixed(2)}`;
    const full = `Full response:\n${cut(response, responseLimit)}`;
    return [head, task.report(problem, outcome), full].join("\n");
  });
  if (kept < answers.length) {
    blocks.push(`(${answers.length - kept} of ${answers.length} problems are left out: no room)`);
  }
  return blocks.join(SEPARATOR);
}

/** The start and the end are kept: models reason first and answer last. */
export function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const head = Math.ceil(limit / 2);
  const tail = limit - head;
  const gap = `[… ${text.length - limit} characters left out …]`;
  return `${text.slice(0, head)}${gap}${tail === 0 ? "" : text.slice(-tail)}`;
}

/** The largest integer in [low, high] that passes a test which smaller ones pass too; null if none does. */
function largest(low: number, high: number, passes: (value: number) => boolean): number | null {
  let best: number | null = null;
  while (low <= high) {
    const middle = Math.floor((low + high) / 2);
    if (passes(middle)) {
      best = middle;
      low = middle + 1;
    } else {
      high = middle - 1;
    }
  }
  return best;
}
