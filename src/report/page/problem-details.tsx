/** One problem on the page: its question, its gold answer, what nodes answered. */
import type { RunData } from "../types.js";
import { percent } from "./format.js";

interface Props {
  readonly run: RunData;
  /** Its place among the run's problems. */
  readonly problem: number;
  /** Whose answers are shown. */
  readonly nodes: readonly number[];
}

/** A problem with its gold answer, and what was answered under some nodes. */
export function ProblemDetails({ run, problem, nodes }: Props) {
  const text = run.problems[problem];
  if (text === undefined) return null;
  return (
    <div class="problem" data-problem={text.id}>
      <p class="question">{text.question || `Problem ${text.id}`}</p>
      {text.gold !== "" && (
        <dl>
          <dt>Gold</dt>
          <dd>
            <code>{text.gold}</code>
          </dd>
        </dl>
      )}
      {nodes.map((node) => {
        const score = run.scores[node]?.[problem] ?? null;
        const answer = run.answers[run.shown[node]?.[problem] ?? -1];
        return (
          <dl key={node}>
            <dt>
              Node {node}, {percent(score)}
            </dt>
            <dd>
              <code class={answer?.error == null ? "right" : "wrong"}>{answer?.answer || "(no answer)"}</code>
              {answer?.error != null && <p class="error">{answer.error}</p>}
            </dd>
          </dl>
        );
      })}
    </div>
  );
}
