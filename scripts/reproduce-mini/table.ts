/** From runs to the table: means over databases with intervals, and paired differences. */
import { bootstrapMean, type Interval } from "#lse/statistics.js";
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

export function tableOf(cells: readonly Cell[]): { rows: Row[]; differences: Difference[] } {
  const rounds = Object.keys(cells[0]?.runs[0]?.after ?? {}).map(Number);
  const rows: Row[] = [];
  for (const policy of ["mini-b", ""]) {
    const cell = cells.find(({ method }) => method.includes(policy));
    if (cell === undefined) continue;
    const name = policy === "" ? "seed instructions" : `seed instructions, ${policy}`;
    rows.unshift({
      ...{ method: name, temperature: null, rounds: 0, answers: 0, rules: 0, duplicates: 0, invalid: 0 },
      honest: overDatabases(cell.runs, ({ start }) => start.honest),
      paper: overDatabases(cell.runs, ({ start }) => start.paper),
    });
  }
  for (const { method, temperature, runs } of cells) {
    for (const round of rounds) {
      rows.push({
        ...{ method, temperature, rounds: round },
        honest: overDatabases(runs, ({ after }) => after[round]?.honest ?? Number.NaN),
        paper: overDatabases(runs, ({ after }) => after[round]?.paper ?? Number.NaN),
        answers: mean(runs.map(({ answers }) => answers)),
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
        const name = (method: string) => `${method} (temperature ${first.temperature}, ${round} rounds)`;
        const values = paired(first.runs, second.runs, honest);
        differences.push({ a: name(a), b: name(b), ...bootstrapMean(values, SEED) });
      }
    }
  }
  return { rows, differences };
}

export function printTable({ rows, differences }: ReturnType<typeof tableOf>): string {
  const text = ({ mean, low, high }: Interval) => `${points(mean)} [${points(low)}, ${points(high)}]`;
  const lines = [
    "| method | evolver's temperature | rounds | honest | paper's protocol | answers | rules | repeated | invalid |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ...rows.map(
      ({ method, temperature, rounds, honest, paper, answers, rules, duplicates, invalid }) =>
        `| ${method} | ${temperature ?? ""} | ${rounds} | ${text(honest)} | ${text(paper)} | ` +
        `${answers.toFixed(0)} | ${rules.toFixed(1)} | ${duplicates.toFixed(2)} | ${(100 * invalid).toFixed(1)} % |`,
    ),
    "",
    "| difference of the honest scores | |",
    "| --- | --- |",
    ...differences.map(({ a, b, ...interval }) => `| ${a} − ${b} | ${text(interval)} |`),
  ];
  return lines.join("\n");
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

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const points = (share: number) => (100 * share).toFixed(1);
