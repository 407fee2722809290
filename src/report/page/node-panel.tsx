/** One node: its instructions, what its edit changed, and the problems it gained and lost by it. */
import { diffLines, diffWordsWithSpace } from "diff";
import type { NodeData, RunData } from "../types.js";
import { pathTo, points, scored } from "./format.js";
import { ProblemDetails } from "./problem-details.js";

interface Props {
  readonly run: RunData;
  readonly node: NodeData;
  readonly onSelect: (id: number) => void;
}

export function NodePanel({ run, node, onSelect }: Props) {
  const parent = node.parent === null ? undefined : run.nodes[node.parent];
  const change =
    parent === undefined || parent.score === null || node.score === null ? null : node.score - parent.score;
  return (
    <article class="panel" aria-live="polite" data-shown-node={node.id}>
      <h3>
        Node {node.id}
        {node.id === run.best && <span class="badge">best</span>}
      </h3>
      <p>
        {scored(node)} on the holdout
        {change === null ? "" : `, ${points(change)} points against node ${parent?.id}`}. Made in round{" "}
        {node.round}
        {node.editKind === undefined ? "" : ` (${node.editKind})`}, chosen {node.visits}{" "}
        {node.visits === 1 ? "time" : "times"}.
      </p>
      <nav aria-label="The way from the seed" class="way">
        {pathTo(run, node.id).map(({ id }, i) => (
          <span key={id}>
            {i > 0 && " → "}
            <button type="button" class="plain" disabled={id === node.id} onClick={() => onSelect(id)}>
              {id}
            </button>
          </span>
        ))}
      </nav>
      <details open={parent === undefined}>
        <summary>Instructions</summary>
        <pre class="instructions">{node.instructions || "(not written yet)"}</pre>
      </details>
      {parent !== undefined && (
        <>
          <details open>
            <summary>What the edit of node {parent.id} changed</summary>
            <Difference before={parent.instructions} after={node.instructions} />
          </details>
          <Flips run={run} parent={parent} node={node} />
        </>
      )}
    </article>
  );
}

/** By lines; where all is one line, by words. */
function Difference({ before, after }: { before: string; after: string }) {
  const byWords = !before.includes("\n") && !after.includes("\n");
  const parts = byWords ? diffWordsWithSpace(before, after) : diffLines(`${before}\n`, `${after}\n`);
  return (
    <pre class="diff">
      {parts.map(({ value, added, removed }, i) => {
        if (added) return <ins key={i}>{value}</ins>;
        return removed ? <del key={i}>{value}</del> : <span key={i}>{value}</span>;
      })}
    </pre>
  );
}

function Flips({ run, parent, node }: { run: RunData; parent: NodeData; node: NodeData }) {
  const changes = run.problems.flatMap((_, problem) => {
    const [before, after] = [run.scores[parent.id]?.[problem], run.scores[node.id]?.[problem]];
    return before == null || after == null || before === after ? [] : [{ problem, change: after - before }];
  });
  const gained = changes.filter(({ change }) => change > 0);
  const lost = changes.filter(({ change }) => change < 0);
  const list = (title: string, kind: string, some: typeof changes) => (
    <details data-flips={kind}>
      <summary>
        {title}: {some.length}
      </summary>
      {some.map(({ problem }) => (
        <ProblemDetails key={problem} run={run} problem={problem} nodes={[parent.id, node.id]} />
      ))}
    </details>
  );
  return (
    <>
      {list("Problems gained", "gained", gained)}
      {list("Problems lost", "lost", lost)}
    </>
  );
}
