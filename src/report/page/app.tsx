/** The page as a whole: its parts, and following a run that goes on. */
import { useState } from "preact/hooks";
import type { ReportData, RunData } from "../types.js";
import { BestByRound, RoundScores, TrainingCurve } from "./charts.js";
import { ComparisonSection } from "./comparison.js";
import { counted, interval, percent, scored } from "./format.js";
import { NodePanel } from "./node-panel.js";
import { ProblemMatrix } from "./problem-matrix.js";
import { Reliability } from "./reliability.js";
import { Spending } from "./spending.js";
import { TreeView } from "./tree-view.js";

export function App({ data }: { data: ReportData }) {
  const [shown, show] = useState(0);
  const run = data.runs[Math.min(shown, data.runs.length - 1)];
  return (
    <>
      {data.runs.length > 1 && <ComparisonSection data={data} />}
      {data.runs.length > 1 && <BestByRound runs={data.runs} />}
      {data.runs.length > 1 && (
        <label class="choice">
          Run{" "}
          <select value={shown} onChange={(event) => show(Number(event.currentTarget.value))}>
            {data.runs.map(({ name, method }, i) => (
              <option key={name} value={i}>
                {name} · {method}
              </option>
            ))}
          </select>
        </label>
      )}
      {run !== undefined && <Run key={run.name} run={run} isOnly={data.runs.length === 1} />}
      {data.trainings.map((training) => (
        <TrainingCurve key={training.name} training={training} />
      ))}
      <footer>
        Scores are means over problems; ± is a standard error, brackets are 95 % intervals. The best node is
        chosen on the holdout that scores it, so its score there is too high; that of the test is not.
      </footer>
    </>
  );
}

function Run({ run, isOnly }: { run: RunData; isOnly: boolean }) {
  const [selected, select] = useState<number | null>(null);
  if (run.nodes.length === 0)
    return (
      <main>
        <Heading run={run} isOnly={isOnly} />
        <p>The seed instructions are not scored yet.</p>
      </main>
    );
  const node = run.nodes[selected ?? run.best] ?? (run.nodes[0] as RunData["nodes"][number]);
  return (
    <main>
      <Heading run={run} isOnly={isOnly} />
      <Figures run={run} />
      <section aria-labelledby="tree-title">
        <h2 id="tree-title">The tree of instructions</h2>
        <div class="split">
          <TreeView run={run} selected={node.id} onSelect={select} />
          <NodePanel run={run} node={node} onSelect={select} />
        </div>
      </section>
      <RoundScores run={run} selected={node.id} />
      <ProblemMatrix run={run} selected={node.id} onSelect={select} />
      <Reliability run={run} />
      <Spending run={run} />
      <Rejected run={run} />
    </main>
  );
}

function Heading({ run, isOnly }: { run: RunData; isOnly: boolean }) {
  return (
    <header>
      {isOnly ? <h1>{run.name}</h1> : <h2 class="run">{run.name}</h2>}
      <p class="subtitle">
        {run.task} · {run.method} ·{" "}
        <span class="state">{run.ended === null ? "not over yet" : `ended because ${run.ended}`}</span>
      </p>
    </header>
  );
}

function Figures({ run }: { run: RunData }) {
  const [seed, best] = [run.nodes[0], run.nodes[run.best]];
  const answers = run.phases.reduce((sum, { phase, asked }) => sum + (phase === "edit" ? 0 : asked), 0);
  return (
    <>
      <dl class="figures">
        <div class="main">
          <dt>Test, unseen problems</dt>
          <dd>{run.test === null ? "none" : interval(run.test)}</dd>
          <dd class="note">
            {run.test === null
              ? "expect less than on the holdout"
              : `node ${run.test.node}, ${run.test.problems} problems`}
          </dd>
        </div>
        <div>
          <dt>Best on the holdout</dt>
          <dd>{best === undefined ? "–" : scored(best)}</dd>
          <dd class="note">node {run.best}, chosen by this score: expect less</dd>
        </div>
        <div>
          <dt>Seed instructions on the holdout</dt>
          <dd>{seed === undefined ? "–" : scored(seed)}</dd>
          <dd class="note">{run.problems.length} problems</dd>
        </div>
        <div>
          <dt>Answers</dt>
          <dd>{counted(answers)}</dd>
          <dd class="note">
            {run.nodes.length} nodes, {run.rejected.length} edits not usable
          </dd>
        </div>
        {run.crossValidation !== null && (
          <div>
            <dt>Cross-validated choice</dt>
            <dd>{percent(run.crossValidation.mean)}</dd>
            <dd class="note">{run.crossValidation.folds} folds of the holdout</dd>
          </div>
        )}
      </dl>
      <details class="settings">
        <summary>What it was run with</summary>
        <table>
          <tbody>
            {run.settings.map(([label, value]) => (
              <tr key={label}>
                <th scope="row">{label}</th>
                <td>{value}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </>
  );
}

function Rejected({ run }: { run: RunData }) {
  if (run.rejected.length === 0) return null;
  return (
    <section aria-labelledby="rejected-title">
      <h2 id="rejected-title">Edits that were not usable</h2>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">Round</th>
              <th scope="col">Of node</th>
              <th scope="col">Why</th>
            </tr>
          </thead>
          <tbody>
            {run.rejected.map(({ round, parent, why }, i) => (
              <tr key={`${round}-${i}`}>
                <td>{round}</td>
                <td>{parent}</td>
                <td>{why}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
