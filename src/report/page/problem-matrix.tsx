/** Every problem of the holdout under every node: what flips, what never works. */
import { useState } from "preact/hooks";
import type { RunData } from "../types.js";
import { percent } from "./format.js";
import { ProblemDetails } from "./problem-details.js";

interface Props {
  readonly run: RunData;
  readonly selected: number;
  readonly onSelect: (id: number) => void;
}

const FILTERS = {
  all: "all",
  flips: "changed by some edit",
  wrong: "never fully right",
  right: "always right",
} as const;
type Filter = keyof typeof FILTERS;

export function ProblemMatrix({ run, selected, onSelect }: Props) {
  const [filter, setFilter] = useState<Filter>("all");
  const [sought, seek] = useState("");
  const [opened, open] = useState<number | null>(null);
  const rows = run.problems
    .map((text, problem) => ({ text, problem, scores: run.scores.map((row) => row[problem] ?? null) }))
    .filter(({ scores }) => fits(scores, filter))
    .filter(({ text }) =>
      `${text.id} ${text.question} ${text.gold}`.toLowerCase().includes(sought.toLowerCase()),
    )
    .sort((a, b) => mean(b.scores) - mean(a.scores));
  return (
    <section aria-labelledby="problems-title">
      <h2 id="problems-title">Problems by node</h2>
      <form class="filters" onSubmit={(event) => event.preventDefault()}>
        <label>
          Problems{" "}
          <select
            data-filter
            value={filter}
            onChange={(event) => setFilter(event.currentTarget.value as Filter)}
          >
            {Object.entries(FILTERS).map(([name, label]) => (
              <option key={name} value={name}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <label>
          with{" "}
          <input
            type="search"
            placeholder="words of the question"
            value={sought}
            onInput={(event) => seek(event.currentTarget.value)}
          />
        </label>
        <span data-count>
          {rows.length} of {run.problems.length}
        </span>
      </form>
      <div class="scroll">
        <table class="matrix">
          <thead>
            <tr>
              <th scope="col">Problem</th>
              {run.nodes.map(({ id }) => (
                <th key={id} scope="col" class={id === selected ? "selected" : ""}>
                  <button type="button" class="plain" onClick={() => onSelect(id)}>
                    {id}
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ text, problem, scores }) => (
              <tr key={text.id} class={problem === opened ? "opened" : ""}>
                <th scope="row">
                  <button
                    type="button"
                    class="plain"
                    aria-expanded={problem === opened}
                    onClick={() => open(problem === opened ? null : problem)}
                  >
                    {text.question || text.id}
                  </button>
                </th>
                {scores.map((score, node) => (
                  <td
                    key={node}
                    class={node === selected ? "cell selected" : "cell"}
                    style={score === null ? {} : { "--score": `${100 * score}%` }}
                    data-score={score}
                    title={`node ${node}: ${percent(score)}`}
                  >
                    <span class="hidden">{score === null ? "–" : percent(score)}</span>
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {opened !== null && (
        <div class="panel" data-opened>
          <ProblemDetails run={run} problem={opened} nodes={[...new Set([0, run.best, selected])]} />
        </div>
      )}
    </section>
  );
}

function fits(scores: readonly (number | null)[], filter: Filter): boolean {
  const known = scores.filter((score) => score !== null);
  if (filter === "flips") return new Set(known).size > 1;
  if (filter === "wrong") return known.every((score) => score < 1);
  return filter === "all" || known.every((score) => score === 1);
}

function mean(scores: readonly (number | null)[]): number {
  const known = scores.filter((score) => score !== null);
  return known.reduce((sum, score) => sum + score, 0) / known.length;
}
