/** What edits brought: the best node of each run beside the seed instructions, on the same questions of the test. */
import { bootstrapMean, type Interval, mean } from "#lse/lib/statistics.js";
import { groupBy, meanOfMeans } from "../results.js";

/** A run that is over. */
export interface DoneRun {
  readonly way: string;
  /** Null for edits without an evolver. */
  readonly evolver: string | null;
  /** Whether it is a method of others. */
  readonly isRival: boolean;
  readonly database: string;
  readonly seed: number;
  /** Attempts at edits, and those that could be used. */
  readonly tried: number;
  readonly usable: number;
  /** Answers that were asked for, the test's included. */
  readonly answers: number;
  /** Scores on the test under the chosen instructions and under those of the seed, by question. */
  readonly chosen: ReadonlyMap<string, number>;
  readonly before: ReadonlyMap<string, number>;
  /** Questions of the test that differ from another question of the database in values alone. */
  readonly twins: ReadonlySet<string>;
}

/** How many of the edits that a way asked for could be used. */
export interface UsableRow {
  readonly edits: string;
  /** What wrote them; null for edits without an evolver. */
  readonly evolver: string | null;
  readonly tried: number;
  readonly share: number;
}

/** What a way brought, paired with the seed instructions on the same questions, with a 95 % interval. */
export interface GainRow extends Interval {
  readonly edits: string;
  /** Pairs of answers. */
  readonly n: number;
  readonly runs: number;
  /** Mean of a run. */
  readonly answers: number;
  /** Means of the two scores. */
  readonly before: number;
  readonly after: number;
  /** The same for questions without a twin in the database. */
  readonly withoutTwins: Interval & { readonly n: number };
  readonly databases: Readonly<Record<string, Interval & { readonly n: number }>>;
}

export interface EditResults {
  readonly machine: string;
  readonly actor: string;
  readonly usable: readonly UsableRow[];
  readonly gain: readonly GainRow[];
  /** The same of methods of others. */
  readonly methods: readonly GainRow[];
}

const SEED = 1;

export function editResultsOf(
  runs: readonly DoneRun[],
  about: Pick<EditResults, "machine" | "actor">,
): EditResults {
  const ways = [...groupBy(runs, ({ way }) => way)];
  const gains = (isRival: boolean) =>
    ways.filter(([, own]) => own[0]?.isRival === isRival).map(([edits, own]) => gainOf(edits, own));
  return {
    ...about,
    usable: ways.flatMap(([edits, own]) => {
      const tried = sum(own.map((run) => run.tried));
      const usable = sum(own.map((run) => run.usable));
      return tried === 0 ? [] : [{ edits, evolver: own[0]?.evolver ?? null, tried, share: usable / tried }];
    }),
    gain: gains(false),
    methods: gains(true),
  };
}

function gainOf(edits: string, runs: readonly DoneRun[]): GainRow {
  const byDatabase = [...groupBy(runs, ({ database }) => database)];
  const all = byDatabase.map(([, own]) => byQuestion(own, GAIN));
  const single = byDatabase.map(([, own]) => byQuestion(own, GAIN, ({ twins }, id) => !twins.has(id)));
  // Weighted as gains are, so that a gain is the difference of its two scores.
  const scores = (of: (before: number, after: number) => number) =>
    mean(byDatabase.map(([, own]) => mean(byQuestion(own, of).map(mean))));
  return {
    edits,
    n: sum(all.map(pairsOf)),
    runs: runs.length,
    answers: Math.round(mean(runs.map(({ answers }) => answers))),
    before: scores((before) => before),
    after: scores((_, after) => after),
    ...overDatabases(all),
    withoutTwins: { n: sum(single.map(pairsOf)), ...overDatabases(single) },
    databases: Object.fromEntries(
      byDatabase.map(([name], i) => {
        const own = all[i] as Values;
        return [name, { n: pairsOf(own), ...bootstrapMean(own.map(mean), SEED) }];
      }),
    ),
  };
}

/** Of each question, a value of every run with it in its test: runs with other seeds have other tests. */
type Values = readonly (readonly number[])[];

const GAIN = (before: number, after: number) => after - before;

function byQuestion(
  runs: readonly DoneRun[],
  of: (before: number, after: number) => number,
  isCounted: (run: DoneRun, question: string) => boolean = () => true,
): Values {
  const values = new Map<string, number[]>();
  for (const run of runs)
    for (const [question, after] of run.chosen) {
      const before = run.before.get(question);
      if (before === undefined || !isCounted(run, question)) continue;
      values.set(question, [...(values.get(question) ?? []), of(before, after)]);
    }
  return [...values.values()];
}

const pairsOf = (own: Values) => sum(own.map((values) => values.length));

/** The mean of the databases; questions are drawn again within each. */
const overDatabases = (lists: readonly Values[]): Interval =>
  meanOfMeans(lists.filter((own) => own.length > 0).map((own) => bootstrapMean(own.map(mean), SEED)));

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
