/** How often answers are right, by how many of the draws agree with them. */
import type { RunData } from "../types.js";
import { counted, interval } from "./format.js";

export function Reliability({ run: { reliability, best, draws, test } }: { run: RunData }) {
  if (reliability.length === 0) return null;
  return (
    <section aria-labelledby="reliability-title">
      <h2 id="reliability-title">Right answers by confidence</h2>
      <div class="scroll">
        <table class="numbers reliability">
          <thead>
            <tr>
              <th scope="col">Confidence</th>
              <th scope="col">Answers</th>
              <th scope="col">Right</th>
              <th scope="col">Share</th>
            </tr>
          </thead>
          <tbody>
            {reliability.map((row) => (
              <tr key={row.from}>
                <th scope="row">{band(row, draws)}</th>
                <td>{counted(row.answers)}</td>
                <td>{counted(row.right)}</td>
                <td>{interval(row)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="legend">
        Answers of node {best}, the best, on the holdout{test === null ? "" : " and the test"}. Confidence is
        how many of the {draws} answers that are drawn for a question agree with the one that counts. The node
        was chosen on this holdout, so that shares are somewhat too high.
      </p>
    </section>
  );
}

/** Such as "4–5 of 8". A band ends below `to`, but for that of full agreement. */
function band({ from, to }: RunData["reliability"][number], draws: number): string {
  const least = Math.ceil(from * draws);
  const most = from === to ? draws : Math.ceil(to * draws) - 1;
  return `${least === most ? least : `${least}–${most}`} of ${draws}`;
}
