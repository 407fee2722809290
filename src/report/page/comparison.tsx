/** Methods beside each other: scores with intervals, and paired differences. */
import * as Plot from "@observablehq/plot";
import type { ReportData } from "../types.js";
import { Chart } from "./charts.js";
import { interval, points } from "./format.js";

export function ComparisonSection({ data: { comparison, runs } }: { data: ReportData }) {
  if (comparison === null)
    return (
      <header>
        <h1>{runs.length} runs</h1>
        <p class="subtitle">They are compared when at least two are over.</p>
      </header>
    );
  const { methods, differences, comparable, reasons } = comparison;
  return (
    <header>
      <h1>{methods.length === 1 ? "Runs of one method" : "Methods compared"}</h1>
      <div class="scroll">
        <table class="numbers">
          <thead>
            <tr>
              <th scope="col">Method</th>
              <th scope="col">Test, unseen problems</th>
              <th scope="col">Best on its holdout (chosen by it: too high)</th>
              <th scope="col">Answers</th>
            </tr>
          </thead>
          <tbody>
            {methods.map(({ method, honest, paper, answers }) => (
              <tr key={method}>
                <th scope="row">{method}</th>
                <td>{honest === null ? "no test" : interval(honest)}</td>
                <td>{interval(paper)}</td>
                <td>{answers.toFixed(0)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {!comparable && (
        <div class="warning" role="note">
          <p>Not comparable:</p>
          <ul>
            {reasons.map((reason) => (
              <li key={reason}>{reason}</li>
            ))}
          </ul>
        </div>
      )}
      {differences.length > 0 && <Differences differences={differences} />}
    </header>
  );
}

/** In pixels: where names have no room beside the drawing, and what a letter takes. */
const NARROW = 700;
const LETTER = 6;

type Differences = NonNullable<ReportData["comparison"]>["differences"];

function Differences({ differences }: { differences: Differences }) {
  const rows = differences.map((one) => ({ ...one, name: `${one.a} − ${one.b}` }));
  return (
    <>
      <h2>Paired differences on the test, in points</h2>
      <Chart
        label="Paired differences between methods with 95 % intervals"
        options={(width) => ({
          height: 40 + 26 * rows.length,
          marginLeft: width < NARROW ? 12 : LETTER * Math.max(...rows.map(({ name }) => name.length)),
          x: { percent: true, label: "points", grid: true },
          y: {
            axis: width < NARROW ? null : "left",
            label: null,
            tickSize: 0,
            domain: rows.map(({ name }) => name),
          },
          marks: [
            Plot.ruleX([0], { stroke: "var(--ink)" }),
            Plot.ruleY(rows, { y: "name", x1: "low", x2: "high", stroke: "var(--accent)", strokeWidth: 2 }),
            Plot.dot(rows, { y: "name", x: "mean", fill: "var(--accent)", r: 4 }),
          ],
        })}
      />
      <div class="scroll">
        <table class="numbers" data-differences>
          <thead>
            <tr>
              <th scope="col">Difference</th>
              <th scope="col">Points</th>
              <th scope="col">95 % interval</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ name, mean, low, high }) => (
              <tr key={name} class={low > 0 || high < 0 ? "clear" : ""}>
                <th scope="row">{name}</th>
                <td>{points(mean)}</td>
                <td>
                  [{points(low)}, {points(high)}]
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
