/** From runs to the table: means over databases with intervals, and paired differences. */
import { bootstrapMean, type Interval, mean } from "#lse/lib/statistics.js";
import type { RunResult } from "./evaluate.js";
import { COMPARISONS } from "./plan.js";

/** The runs of one method at one temperature of the evolver. */
export interface Cell {
  readonly method: string;
  readonly temperature: number;
  readonly runs: readonly RunResult[];
}

export interface Row {
  readonly method: string;
  readonly temperature: number | null;
  readonly rounds: number;
  readonly honest: Interval;
  readonly paper: Interval;
  /** Of a run, as means. */
  readonly answers: number;
  readonly rules: number;
  readonly duplicates: number;
  /** Share of all edits. */
  readonly invalid: number;
}

export interface Difference extends Interval {
  readonly a: string;
  readonly b: string;
}

const SEED = 1;

/** @param answersOf so many rounds, if no edit fails */
export function tableOf(
  cells: readonly Cell[],
  answersOf: (rounds: number) => number,
): { rows: Row[]; differences: Difference[] } {
  const rounds = Object.keys(cells[0]?.runs[0]?.after ?? {}).map(Number);
  const rows: Row[] = [];
  for (const policy of ["mini-b", ""]) {
    const cell = cells.find(({ method }) => method.includes(policy));
    if (cell === undefined) continue;
    const name = policy === "" ? "seed instructions" : `seed instructions, ${policy}`;
    rows.unshift({
      method: name,
      temperature: null,
      rounds: 0,
      answers: 0,
      rules: 0,
      duplicates: 0,
      invalid: 0,
      honest: overDatabases(cell.runs, ({ start }) => start.honest),
      paper: overDatabases(cell.runs, ({ start }) => start.paper),
    });
  }
  for (const { method, temperature, runs } of cells) {
    for (const round of rounds) {
      rows.push({
        method,
        temperature,
        rounds: round,
        honest: overDatabases(runs, ({ after }) => after[round]?.honest ?? Number.NaN),
        paper: overDatabases(runs, ({ after }) => after[round]?.paper ?? Number.NaN),
        // Counted over all rounds only.
        answers: Math.min(answersOf(round), mean(runs.map(({ answers }) => answers))),
        rules: mean(runs.map(({ rules }) => rules)),
        duplicates: mean(runs.map(({ duplicates }) => duplicates)),
        invalid: mean(runs.map(({ invalid }) => invalid)) / mean(runs.map(({ edits }) => edits)),
      });
    }
  }
  const differences: Difference[] = [];
  for (const [a, b] of COMPARISONS) {
    for (const first of cells.filter(({ method }) => method === a)) {
      const second = cells.find(
        ({ method, temperature }) => method === b && temperature === first.temperature,
      );
      if (second === undefined) continue;
      for (const round of rounds) {
        const honest = ({ after }: RunResult) => after[round]?.honest ?? Number.NaN;
        const name = (method: string) => named(method, first.temperature, round);
        const values = paired(first.runs, second.runs, honest);
        differences.push({ a: name(a), b: name(b), ...bootstrapMean(values, SEED) });
      }
    }
  }
  return { rows, differences };
}

/** Three tables: the honest scores, what else is known of the runs, the differences. In brackets 95 % intervals. */
export function printTable({ rows, differences }: ReturnType<typeof tableOf>): string {
  const temperatures = [...new Set(rows.flatMap(({ temperature }) => temperature ?? []))].sort(
    (a, b) => b - a,
  );
  const rounds = [...new Set(rows.map(({ rounds }) => rounds))].filter((round) => round > 0);
  const last = Math.max(...rounds);
  const methods = [...new Set(rows.map(({ method }) => method))];
  const find = (method: string, temperature: number, round: number) =>
    rows.find((row) => row.method === method && row.temperature === temperature && row.rounds === round);
  const header = (first: string, columns: readonly string[]) => [
    `| ${[first, ...columns].join(" | ")} |`,
    `| ${[first, ...columns].map(() => "---").join(" | ")} |`,
  ];
  const line = (first: string, cells: readonly string[]) => `| ${[first, ...cells].join(" | ")} |`;
  const byTemperature = temperatures.flatMap((t) => rounds.map((round) => `T = ${t}, ${round} rounds`));

  const honest = methods.map((method) => {
    const seed = rows.find((row) => row.method === method && row.rounds === 0);
    if (seed !== undefined)
      return line(
        method,
        byTemperature.map(() => interval(seed.honest)),
      );
    return line(
      method,
      temperatures.flatMap((t) => rounds.map((round) => interval(find(method, t, round)?.honest))),
    );
  });
  const others = methods.flatMap((method) => {
    const cells = temperatures.map((t) => find(method, t, last));
    const [first] = cells;
    if (first === undefined) return [];
    const each = (value: (row: Row) => string) =>
      cells.map((row) => (row === undefined ? "" : value(row))).join(" / ");
    return [
      line(method, [
        each(({ paper }) => points(paper.mean)),
        each(({ answers }) => answers.toFixed(0)),
        each(({ rules }) => rules.toFixed(1)),
        each(({ duplicates }) => duplicates.toFixed(2)),
        each(({ invalid }) => (100 * invalid).toFixed(1)),
      ]),
    ];
  });
  const compared = COMPARISONS.map(([a, b]) => {
    const of = (t: number, round: number) =>
      differences.find((found) => found.a === named(a, t, round) && found.b === named(b, t, round));
    return line(
      `${a} − ${b}`,
      temperatures.flatMap((t) => rounds.map((round) => interval(of(t, round), "+"))),
    );
  });
  return [
    ...header("honest score, %", byTemperature),
    ...honest,
    "",
    ...header(`after ${last} rounds, at T = ${temperatures.join(" / ")}`, [
      "paper's protocol, %",
      "answers",
      "rules",
      "repeated rules",
      "invalid edits, %",
    ]),
    ...others,
    "",
    ...header("difference, points", byTemperature),
    ...compared,
  ].join("\n");
}

const named = (method: string, temperature: number, rounds: number) =>
  `${method} (temperature ${temperature}, ${rounds} rounds)`;

function interval(value: Interval | undefined, sign: "+" | "" = ""): string {
  if (value === undefined) return "";
  const text = (share: number) => `${share < 0 ? "−" : sign}${points(Math.abs(share))}`;
  return `${text(value.mean)} [${text(value.low)}, ${text(value.high)}]`;
}

/** Seeds of one database are not independent: databases are what is drawn again. */
function overDatabases(runs: readonly RunResult[], value: (run: RunResult) => number): Interval {
  return bootstrapMean([...byDatabase(runs, value).values()], SEED);
}

function paired(
  first: readonly RunResult[],
  second: readonly RunResult[],
  value: (run: RunResult) => number,
): number[] {
  const others = byDatabase(second, value);
  return [...byDatabase(first, value)].map(
    ([database, score]) => score - (others.get(database) ?? Number.NaN),
  );
}

function byDatabase(runs: readonly RunResult[], value: (run: RunResult) => number): Map<string, number> {
  const values = new Map<string, number[]>();
  for (const run of runs) values.set(run.database, [...(values.get(run.database) ?? []), value(run)]);
  return new Map([...values].map(([database, own]) => [database, mean(own)]));
}

const points = (share: number) => (100 * share).toFixed(1);
