/** What was measured: scores with intervals, pairs beside the paper's way, all answers. */
import { type ReliabilityRow, reliability } from "#lse/answer/reliability.js";
import { describeStrategy } from "#lse/answer/strategy.js";
import { bootstrapMean, type Interval, mean, wilson } from "#lse/lib/statistics.js";
import { WAYS } from "./cells.js";
import type { Measured } from "./measure.js";

/** A way of answering with a model on a database. */
export interface Cell {
  readonly database: string;
  readonly model: string;
  /** Name of the way. */
  readonly strategy: string;
  readonly measured: Measured;
  /** Right answers if 1, 2, … of its draws had been voted on; for votes without repair. */
  readonly rightByDraws?: readonly number[];
}

/** A row of the results. */
export interface CellRow {
  readonly database: string;
  readonly model: string;
  readonly strategy: string;
  readonly n: number;
  readonly right: number;
  /** right ∕ n, with Wilson's 95 % interval. */
  readonly score: number;
  readonly low: number;
  readonly high: number;
  /** Of all calls together. */
  readonly seconds: number;
  readonly tokensGenerated: number;
  readonly promptTokensEvaluated: number;
  readonly rightByDraws?: readonly number[];
}

/** How much more is right than in the paper's way, on the same questions, with a bootstrapped 95 % interval. */
export interface Gain extends Interval {
  /** "all": the mean of the databases, each of which counts the same. */
  readonly database: string;
  readonly model: string;
  readonly strategy: string;
  readonly n: number;
}

export interface Results {
  /** What it was measured on. */
  readonly machine: string;
  readonly cells: readonly CellRow[];
  readonly gains: readonly Gain[];
  readonly strategies: Readonly<Record<string, string>>;
  /** By model, of the way "workspace". */
  readonly reliability: Readonly<Record<string, readonly ReliabilityRow[]>>;
}

const PAPER = "paper";
const SEED = 1;

export function resultsOf(cells: readonly Cell[], machine: string): Results {
  const models = [...new Set(cells.map(({ model }) => model))];
  return {
    machine,
    cells: cells.map(rowOf),
    gains: gainsOf(cells),
    strategies: Object.fromEntries(
      Object.entries(WAYS).map(([name, { strategy, sampling }]) => [
        name,
        `${describeStrategy(strategy)}, temperature ${sampling.temperature}`,
      ]),
    ),
    reliability: Object.fromEntries(models.map((model) => [model, reliabilityOf(cells, model)])),
  };
}

function rowOf({ database, model, strategy, measured, rightByDraws }: Cell): CellRow {
  const { answers, seconds, tokensGenerated, promptTokensEvaluated } = measured;
  const right = answers.filter(({ correct }) => correct).length;
  const { mean: score, low, high } = wilson(right, answers.length);
  const took = { seconds: Math.round(10 * seconds) / 10, tokensGenerated, promptTokensEvaluated };
  const votes = rightByDraws === undefined ? {} : { rightByDraws };
  return { database, model, strategy, n: answers.length, right, score, low, high, ...took, ...votes };
}

function gainsOf(cells: readonly Cell[]): Gain[] {
  const byName = new Map(cells.map((cell) => [nameOf(cell), cell]));
  const gains: (Gain & { readonly values: readonly number[] })[] = [];
  for (const cell of cells) {
    const paper = byName.get(nameOf({ ...cell, strategy: PAPER }));
    if (cell.strategy === PAPER || paper === undefined) continue;
    const { database, model, strategy } = cell;
    const values = differences(cell.measured, paper.measured);
    gains.push({ database, model, strategy, n: values.length, ...bootstrapMean(values, SEED), values });
  }
  const all = [...groupBy(gains, ({ model, strategy }) => `${model}/${strategy}`).values()]
    .filter((own) => own.length > 1)
    .map((own): Gain => {
      const { model, strategy } = own[0] as Gain;
      const n = own.reduce((sum, gain) => sum + gain.n, 0);
      return { database: "all", model, strategy, n, ...meanOfMeans(own) };
    });
  return [...gains.map(({ values, ...gain }) => gain), ...all];
}

/** The mean of several means, such as those of databases, each of which counts the same, and its interval. */
export function meanOfMeans(each: readonly Interval[]): Interval {
  const middle = mean(each.map((own) => own.mean));
  const half = (side: "low" | "high") =>
    Math.sqrt(each.reduce((sum, own) => sum + (own[side] - own.mean) ** 2, 0)) / each.length;
  return { mean: middle, low: middle - half("low"), high: middle + half("high") };
}

function differences(a: Measured, b: Measured): number[] {
  const other = new Map(b.answers.map(({ problem, correct }) => [problem, Number(correct)]));
  return a.answers.flatMap(({ problem, correct }) => {
    const value = other.get(problem);
    return value === undefined ? [] : [Number(correct) - value];
  });
}

function reliabilityOf(cells: readonly Cell[], model: string): ReliabilityRow[] {
  return reliability(
    cells
      .filter((cell) => cell.model === model && cell.strategy === "workspace")
      .flatMap(({ measured }) => measured.answers)
      .flatMap(({ confidence, correct }) => (confidence === null ? [] : [{ confidence, correct }])),
  );
}

const nameOf = ({ database, model, strategy }: Omit<Cell, "measured" | "rightByDraws">) =>
  `${database}/${model}/${strategy}`;

export function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
}

/** A row of each answer. */
export const answerRows = (cells: readonly Cell[]): object[] =>
  cells.flatMap(({ database, model, strategy, measured }) =>
    measured.answers.map((answer) => ({ database, model, strategy, ...answer })),
  );
