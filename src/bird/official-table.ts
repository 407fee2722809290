/** Prints scores as the table of BIRD's own evaluator. */
import type { Evaluation, Score } from "./evaluate.js";

const LEVELS = ["simple", "moderate", "challenging"] as const;
const METRICS = [
  ["EX", ({ ex }: Score) => ex],
  ["R-VES", ({ r_ves }: Score) => r_ves],
  ["Soft F1-Score", ({ soft_f1 }: Score) => soft_f1],
] as const;
const WIDTH = 20;

/**
 * The table that BIRD's evaluators print (mini_dev, evaluation_utils.py), one for each metric that was asked for. A level
 * without questions is left out; BIRD's code divides by zero there.
 */
export function officialTable(evaluation: Evaluation): string {
  const columns: [string, Score][] = [
    ...LEVELS.flatMap((level): [string, Score][] => {
      const score = evaluation.difficulties[level];
      return score === undefined ? [] : [[level, score]];
    }),
    ["total", evaluation],
  ];
  const row = (head: string, cells: readonly string[]) =>
    [head, ...cells]
      .map((cell) => cell.padEnd(WIDTH))
      .join(" ")
      .trimEnd();
  const head = [
    row(
      "",
      columns.map(([name]) => name),
    ),
    row(
      "count",
      columns.map(([, { total }]) => String(total)),
    ),
  ];
  return METRICS.flatMap(([name, pick]) => {
    const values = columns.map(([, score]) => pick(score));
    if (values.at(-1) === undefined) return [];
    const line = "=".repeat(38);
    return [
      [
        ...head,
        `${line}    ${name}    ${line}`,
        row(
          name,
          values.map((value) => value?.toFixed(2) ?? ""),
        ),
      ].join("\n"),
    ];
  }).join("\n\n");
}
