/** `lse compare`: what methods reached on the same problems. */
import { Command } from "@commander-js/extra-typings";
import { type Comparison, compareRuns } from "../evolve/compare.js";
import { finishedRun } from "../runs/finished-run.js";
import { runFolders } from "../runs/run-folders.js";
import { intervalText } from "../terminal/numbers.js";
import { textTable } from "../terminal/text-table.js";

export function compareCommand() {
  return new Command("compare")
    .description("what methods reached on the same problems, and by how much they differ")
    .argument("<runs...>", "folders of finished runs, or folders of such folders")
    .option("--json", "print one JSON document")
    .action((paths, { json }) => {
      const comparison = compareRuns(paths.flatMap(runFolders).map(finishedRun));
      console.log(json ? JSON.stringify(comparison) : describe(comparison));
    });
}

function describe({ comparable, reasons, methods, differences }: Comparison): string {
  const rows = [
    ["method", "test", "best on its holdout", "answers", "completions"],
    ...methods.map(({ method, honest, paper, answers, completions }) => [
      method,
      honest === null ? "no test" : intervalText(honest),
      intervalText(paper),
      answers.toFixed(0),
      completions.toFixed(0),
    ]),
  ];
  const lines = [textTable(rows)];
  for (const { a, b, ...interval } of differences)
    lines.push("", `${a} − ${b} on the test: ${intervalText(interval)}`);
  lines.push(
    "",
    "In brackets: 95 % intervals, bootstrapped over problems, or over databases if there are several.",
  );
  if (!comparable) lines.push("", "Not comparable:", ...reasons.map((reason) => `- ${reason}`));
  return lines.join("\n");
}
