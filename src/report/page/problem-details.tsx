/** One problem on the page: its question, its gold answer, its examples, what nodes answered. */
import type { AnswerData, RunData } from "../types.js";
import { agreement, percent } from "./format.js";

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
      {text.examples !== undefined && <Examples run={run} shown={text.examples} />}
      {nodes.map((node) => {
        const score = run.scores[node]?.[problem] ?? null;
        const answer = run.answers[run.shown[node]?.[problem] ?? -1];
        return (
          <dl key={node}>
            <dt>
              Node {node}, {percent(score)}
              {answer !== undefined && origin(answer, run.draws)}
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

/** The solved problems of a prompt, in its order. */
function Examples({ run, shown }: { run: RunData; shown: readonly number[] }) {
  const examples = shown.flatMap((index) => run.examples[index] ?? []);
  return (
    <details class="examples" data-examples>
      <summary>
        {examples.length === 1 ? "1 solved problem" : `${examples.length} solved problems`} in its prompt
      </summary>
      <ol>
        {examples.map(({ id, question }) => (
          <li key={id} data-example={id}>
            {question === "" ? id : `${id}: ${question}`}
          </li>
        ))}
      </ol>
    </details>
  );
}

/** How an answer came about, where that took more than one completion. */
const origin = ({ confidence, repaired }: AnswerData, draws: number): string =>
  (confidence === undefined ? "" : ` · ${agreement(confidence, draws)}`) +
  (repaired === undefined ? "" : " · repaired");
