/** Finished runs side by side: what each method reached, and by how much they differ on the same problems. */
import { bootstrapMean, type Interval, mean } from "../lib/statistics.js";

/** What a finished run measured, and what it measured it with. */
export interface FinishedRun {
  /** The folder. */
  readonly path: string;
  /** Runs of one method are put together, and those of two are compared. */
  readonly method: string;
  /** Whether anything was edited: runs that only score may differ in their strategies, which their methods name. */
  readonly hasEdits: boolean;
  /** Names the instructions that it started from. */
  readonly instructions: string;
  /** Names task and seed: a pair of runs of two methods has the same. */
  readonly pair: string;
  /** What is drawn again for intervals over several: runs on one database are not independent. */
  readonly database: string;
  /** What has to be the same for a comparison, by what it is called. */
  readonly conditions: Readonly<Record<string, string>>;
  /** Scores of the chosen node on the test, by problem; empty without a test. */
  readonly testScores: ReadonlyMap<string, number>;
  /** And on the holdout that chose it. */
  readonly holdoutScores: ReadonlyMap<string, number>;
  /** Answers that were asked for, the test's not counted. */
  readonly answers: number;
  readonly testAnswers: number;
  /** What the model that answers generated for all of these: every draw and every repair is one. */
  readonly completions: number;
}

/** What the runs of a method reached, with 95 % intervals. */
export interface MethodScores {
  readonly method: string;
  /** On the test; null where a run had none. */
  readonly honest: Interval | null;
  /** The paper's protocol: best holdout score over all rounds, which is too high (biased upwards). */
  readonly paper: Interval;
  /** Mean of the runs, the test's not counted. */
  readonly answers: number;
  /** Mean of the runs, the test's among them. */
  readonly completions: number;
}

/** How much the honest score of `a` is above that of `b`, paired. */
export interface MethodDifference extends Interval {
  readonly a: string;
  readonly b: string;
}

/** Methods beside each other, and whether they may be compared at all. */
export interface Comparison {
  readonly comparable: boolean;
  /** Why not. */
  readonly reasons: readonly string[];
  readonly methods: readonly MethodScores[];
  readonly differences: readonly MethodDifference[];
}

/** The name of the condition that a run without edits may differ in. */
export const STRATEGY = "strategy";

const SEED = 1;

/**
 * Compares methods, in the order in which they first come. Intervals are bootstrapped: over problems where all runs are
 * of one database, over databases otherwise.
 */
export function compareRuns(given: readonly FinishedRun[]): Comparison {
  const runs = given.map((run) => toldApart(run, given));
  const methods = [...groupBy(runs, ({ method }) => method)];
  const pairs = methods.flatMap(([a, first], i) =>
    methods.slice(i + 1).map(([b, second]) => ({ a, b, first, second })),
  );
  const reasons = [...new Set(pairs.flatMap((pair) => reasonsAgainst(pair)))];
  return {
    comparable: reasons.length === 0,
    reasons,
    methods: methods.map(([method, own]) => scoresOf(method, own)),
    differences: pairs.flatMap(({ a, b, first, second }) => {
      const values = units(first, (run) => run.testScores).flatMap(([unit, value]) => {
        const other = new Map(units(second, (run) => run.testScores)).get(unit);
        return other === undefined ? [] : [value - other];
      });
      return values.length === 0 ? [] : [{ a, b, ...bootstrapMean(values, SEED) }];
    }),
  };
}

/** Runs that score different instructions, or start from them, are no repetitions of one another: their methods name them. */
function toldApart(run: FinishedRun, all: readonly FinishedRun[]): FinishedRun {
  const { method, pair, instructions } = run;
  const isAlone = all.every(
    (other) => other.method !== method || other.pair !== pair || other.instructions === instructions,
  );
  return isAlone ? run : { ...run, method: `${method}, instructions ${instructions}` };
}

interface Pair {
  readonly a: string;
  readonly b: string;
  readonly first: readonly FinishedRun[];
  readonly second: readonly FinishedRun[];
}

function reasonsAgainst({ a, b, first, second }: Pair): string[] {
  const others = new Map(second.map((run) => [run.pair, run]));
  const paired = first.flatMap((run) => {
    const other = others.get(run.pair);
    return other === undefined ? [] : ([[run, other]] as const);
  });
  const reasons: string[] = [];
  if (paired.length < first.length || paired.length < second.length)
    reasons.push(`${a} and ${b} were not run on the same databases with the same seeds`);
  for (const [run, other] of paired) {
    const mayDiffer = run.hasEdits && other.hasEdits ? null : STRATEGY;
    for (const [name, value] of Object.entries(run.conditions))
      if (name !== mayDiffer && other.conditions[name] !== value)
        reasons.push(`${a} and ${b} differ in the ${name}`);
    // Those that others wrote before took answers, too.
    if (run.hasEdits && other.hasEdits && run.instructions !== other.instructions)
      reasons.push(`${a} and ${b} did not start from the same instructions`);
    if (run.hasEdits !== other.hasEdits) reasons.push(...unequalToScores(run, other));
    else if (run.answers !== other.answers)
      reasons.push(
        `${a} and ${b} did not get the same number of answers (${run.answers} and ${other.answers}: ${run.path})`,
      );
    if (run.testScores.size === 0 || other.testScores.size === 0)
      reasons.push(`${run.testScores.size === 0 ? run.path : other.path} has no test`);
  }
  return reasons;
}

/**
 * Why a run without edits is no fair rival of one with edits. Its answers are fewer, and each may be drawn several
 * times: completions are what both have, to the nearest number of draws.
 */
function unequalToScores(run: FinishedRun, other: FinishedRun): string[] {
  const [scores, edits] = run.hasEdits ? [other, run] : [run, other];
  const aDrawMore = scores.answers + scores.testAnswers;
  if (Math.abs(scores.completions - edits.completions) < aDrawMore) return [];
  const draws = Math.max(1, Math.round(edits.completions / aDrawMore));
  return [
    `${scores.method} and ${edits.method} did not get the same number of completions (${scores.completions} and ${edits.completions}: ${edits.path}); ${draws} of each answer, as \`evolve.strategy.samples\`, come nearest`,
  ];
}

function scoresOf(method: string, runs: readonly FinishedRun[]): MethodScores {
  const honest = runs.every(({ testScores }) => testScores.size > 0)
    ? bootstrapMean(
        units(runs, (run) => run.testScores).map(([, value]) => value),
        SEED,
      )
    : null;
  const paper = units(runs, (run) => run.holdoutScores).map(([, value]) => value);
  return {
    method,
    honest,
    paper: bootstrapMean(paper, SEED),
    answers: mean(runs.map(({ answers }) => answers)),
    completions: mean(runs.map(({ completions }) => completions)),
  };
}

/** What intervals are drawn over, by name: the problems of one database, or several databases. */
function units(
  runs: readonly FinishedRun[],
  scores: (run: FinishedRun) => ReadonlyMap<string, number>,
): [string, number][] {
  const databases = groupBy(runs, ({ database }) => database);
  if (databases.size > 1)
    return [...databases].map(([name, own]) => [
      name,
      mean(own.map((run) => mean([...scores(run).values()]))),
    ]);
  // Seeds divide the problems in different ways: a problem's score is its mean over the seeds that tested it.
  const all = runs.flatMap((run) => [...scores(run)].map(([problem, score]) => ({ problem, score })));
  return [...groupBy(all, ({ problem }) => problem)].map(([problem, own]) => [
    problem,
    mean(own.map(({ score }) => score)),
  ]);
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group === undefined) groups.set(key(item), [item]);
    else group.push(item);
  }
  return groups;
}
