/** Where tokens and time went. */
import type { RunData } from "../types.js";
import { counted, seconds } from "./format.js";

const NAMES: Readonly<Record<string, string>> = {
  batch: "Batches that edits read",
  gate: "Gates before a node",
  holdout: "Holdouts that score nodes",
  test: "Test of the chosen node",
  edit: "Edits",
};

export function Spending({ run }: { run: RunData }) {
  const sum = (of: (round: RunData["rounds"][number]) => number) =>
    run.rounds.reduce((total, round) => total + of(round), 0);
  const asked = sum((round) => round.promptTokensAsked);
  const evaluated = sum((round) => round.promptTokensEvaluated);
  const [time, inModels] = [sum((round) => round.seconds), sum((round) => round.modelSeconds)];
  const completions = run.phases.reduce((total, phase) => total + phase.completions, 0);
  const found = completions - run.generations;
  return (
    <section aria-labelledby="spending-title">
      <h2 id="spending-title">Where tokens and time went</h2>
      <div class="scroll">
        <table class="numbers">
          <thead>
            <tr>
              <th scope="col">For</th>
              <th scope="col">Completions</th>
              <th scope="col">Prompt tokens</th>
              <th scope="col">Generated tokens</th>
            </tr>
          </thead>
          <tbody>
            {run.phases.map(({ phase, completions, promptTokens, tokens }) => (
              <tr key={phase}>
                <th scope="row">{NAMES[phase] ?? phase}</th>
                <td>{counted(completions)}</td>
                <td>{counted(promptTokens)}</td>
                <td>{counted(tokens)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {run.rounds.length === 0 ? (
        <p>How long rounds took was not recorded.</p>
      ) : (
        <p data-savings>
          In {run.rounds.length} recorded {run.rounds.length === 1 ? "round" : "rounds"}: {counted(evaluated)}{" "}
          of {counted(asked)} prompt tokens were evaluated, the other {share(asked - evaluated, asked)} came
          out of the cache; {counted(sum((round) => round.tokensGenerated))} tokens were generated. They took{" "}
          {seconds(time)}, {share(inModels, time)} of it inside models.
        </p>
      )}
      {found > 0 && (
        <p>{counted(found)} completions had been generated before and were not generated again.</p>
      )}
    </section>
  );
}

const share = (part: number, whole: number) =>
  whole === 0 ? "0 %" : `${((100 * part) / whole).toFixed(1)} %`;
