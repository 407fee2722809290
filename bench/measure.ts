/** Takes the times: finds each contestant's fastest setting, then runs all of them in interleaved rounds. */
import type { Contestant, ContestantName, Outcome, Session, Setting } from "./contestants/contestant.js";
import {
  type BenchShape,
  type Encode,
  makeWork,
  type Size,
  smaller,
  TokenTree,
  tokensToGenerate,
  type Work,
  type WorkloadName,
} from "./workloads.js";

/** Completions of the work by which settings are chosen: enough to fill 32 slots. */
const TRIAL_COMPLETIONS = 32;
const WARM_UP_COMPLETIONS = 8;

export interface Options {
  readonly shape: BenchShape;
  readonly workload: WorkloadName;
  readonly size: Size;
  readonly modelPath: string;
  readonly encode: Encode;
  readonly threads: number;
  readonly rounds: number;
  /** Gets messages about what is being done. */
  readonly progress: (message: string) => void;
}

/** What one contestant did with one kind of round, at the setting that was fastest at it. */
export interface Series {
  readonly setting: string;
  /** One for each round. */
  readonly outcomes: Outcome[];
}

export interface Measurement {
  /** Rounds whose prefix nobody has seen before. */
  readonly first: ReadonlyMap<ContestantName, Series>;
  /** Each round again with other questions, by those that keep prompts. */
  readonly repeated: ReadonlyMap<ContestantName, Series>;
  /** Prompt tokens of each first round that were on no earlier prompt's path, by counting. */
  readonly trieTokens: readonly number[];
  /** Our engine with the sampling of the paper; measured by itself, after the rounds. */
  readonly sampled: readonly Outcome[];
  /** What the reader should know: contestants that failed, and why. */
  readonly notes: readonly string[];
}

/** A session and what it takes part in. */
interface Entry {
  readonly session: Session;
  readonly first: Series | null;
  readonly repeated: Series | null;
}

/**
 * Measures contestants side by side: in each round, every one does the same work before the next round begins,
 * in an order that moves on by one, so that what disturbs the machine for a while disturbs all of them.
 */
export async function measure(contestants: readonly Contestant[], options: Options): Promise<Measurement> {
  const { size, rounds, progress, workload } = options;
  const isRepeated = workload !== "plain-decode";
  const notes: string[] = [];
  const first = new Map<ContestantName, Series>();
  const repeated = new Map<ContestantName, Series>();
  const entries: Entry[] = [];
  const tree = new TokenTree();
  const workOf = (prefix: string, questions: string, of = size) => {
    const name = `${options.shape}/${workload}/${prefix}`;
    return makeWork(options.encode, of, name, `${name}/${questions}`);
  };
  try {
    const worksOf = (name: string, of: Size): Works => [workOf(name, "first", of), workOf(name, "other", of)];
    const trial = worksOf("trial", smaller(size, TRIAL_COMPLETIONS));
    const warmUp = worksOf("warm-up", smaller(size, WARM_UP_COMPLETIONS));
    for (const contestant of contestants) {
      const chosen = await open(contestant, { trial, warmUp }, options, notes);
      for (const { session, setting, isFirst, isRepeat } of chosen) {
        const series = (): Series => ({ setting, outcomes: [] });
        const entry = { session, first: isFirst ? series() : null, repeated: isRepeat ? series() : null };
        if (entry.first !== null) first.set(contestant.name, entry.first);
        if (entry.repeated !== null) repeated.set(contestant.name, entry.repeated);
        entries.push(entry);
      }
    }
    const countNew = (work: Work) => tree.add(work.prompts.map(({ tokens }) => tokens));
    // What is not repeated is not run, and then not in the engine's cache.
    for (const work of isRepeated ? warmUp : warmUp.slice(0, 1)) countNew(work);

    const trieTokens: number[] = [];
    for (let round = 0; round < rounds; round++) {
      progress(`round ${round + 1} of ${rounds}`);
      const work = workOf(`round ${round}`, "first");
      const again = workOf(`round ${round}`, "other");
      trieTokens.push(countNew(work));
      if (isRepeated) countNew(again);
      for (let i = 0; i < entries.length; i++) {
        const entry = entries[(i + round) % entries.length] as Entry;
        const outcome = await entry.session.run(work);
        entry.first?.outcomes.push(outcome);
        if (entry.repeated !== null) entry.repeated.outcomes.push(await entry.session.run(again));
      }
    }

    const sampled: Outcome[] = [];
    const sampler = entries.find(({ session }) => session.runSampled !== undefined)?.session;
    if (sampler?.runSampled !== undefined && size.samples > 1) {
      progress("lse with the sampling of the paper");
      for (let i = 0; i < rounds; i++)
        sampled.push(await sampler.runSampled(workOf(`sampled ${i}`, "first")));
    }
    return { first, repeated, trieTokens, sampled, notes };
  } finally {
    for (const { session } of entries) await session.close();
  }
}

/** A round and its repeat: the same prefix with other questions. */
type Works = readonly [Work, Work];

interface Chosen {
  readonly session: Session;
  readonly setting: string;
  /** The fastest at a round with a new prefix. */
  readonly isFirst: boolean;
  /** The fastest at the same round with other questions. */
  readonly isRepeat: boolean;
}

interface Trial {
  readonly setting: Setting;
  /** The least of all tries, because other work on the machine can only make a try slower. */
  seconds: number;
  /** Of the repeat. */
  secondsAgain: number;
}

/** Settings this much slower than the fastest at the first try are tried again, so that noise does not choose. */
const CLOSE = 1.3;
const TRIES_IF_CLOSE = 3;

/**
 * Tries every setting on a small round and, for those that keep prompts, a repeat of it; those that come out close
 * to the fastest, several times. Opens the fastest at each, which are one or two, and warms them up.
 */
async function open(
  { name, repeats, settings }: Contestant,
  { trial, warmUp }: { readonly trial: Works; readonly warmUp: Works },
  options: Options,
  notes: string[],
): Promise<Chosen[]> {
  const { modelPath, threads, size, workload, progress } = options;
  const setup = { modelPath, threads, size };
  const isRepeated = repeats && workload !== "plain-decode";
  const trials: Trial[] = [];
  const attempt = async (setting: Setting): Promise<Trial> => {
    const session = await setting.open(setup);
    try {
      const [seconds, secondsAgain] = await runBoth(session, trial, isRepeated);
      const again = isRepeated ? `, again ${secondsAgain.toFixed(3)} s` : "";
      progress(`${name}, ${setting.label}: ${seconds.toFixed(3)} s${again}`);
      return { setting, seconds, secondsAgain };
    } finally {
      await session.close();
    }
  };
  for (const setting of settings(size)) {
    try {
      trials.push(await attempt(setting));
    } catch (error) {
      notes.push(`${name}, ${setting.label}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (trials.length === 0) return [];
  const least = (time: (trial: Trial) => number) => CLOSE * Math.min(...trials.map(time));
  const [limit, limitAgain] = [least(({ seconds }) => seconds), least(({ secondsAgain }) => secondsAgain)];
  const close = trials.filter(
    ({ seconds, secondsAgain }) => seconds < limit || (isRepeated && secondsAgain < limitAgain),
  );
  for (let more = 1; more < TRIES_IF_CLOSE && close.length > 1; more++) {
    for (const each of close) {
      const { seconds, secondsAgain } = await attempt(each.setting);
      each.seconds = Math.min(each.seconds, seconds);
      each.secondsAgain = Math.min(each.secondsAgain, secondsAgain);
    }
  }
  const fastest = (time: (trial: Trial) => number) =>
    trials.reduce((best, trial) => (time(trial) < time(best) ? trial : best)).setting;
  const forFirst = fastest(({ seconds }) => seconds);
  const forRepeat = isRepeated ? fastest(({ secondsAgain }) => secondsAgain) : forFirst;
  const chosen: Chosen[] = [];
  for (const setting of new Set([forFirst, forRepeat])) {
    const session = await setting.open(setup);
    const isRepeat = isRepeated && setting === forRepeat;
    chosen.push({ session, setting: setting.label, isFirst: setting === forFirst, isRepeat });
    await runBoth(session, warmUp, isRepeated);
  }
  return chosen;
}

/** @returns seconds of the first round and of the repeat; of the first twice where nothing is repeated */
async function runBoth(
  session: Session,
  [first, again]: Works,
  isRepeated: boolean,
): Promise<readonly [number, number]> {
  const { seconds } = await session.run(first);
  return [seconds, isRepeated ? (await session.run(again)).seconds : seconds];
}

/** Why a series cannot be compared with others of this size, or null. */
export function unlike(series: Series, size: Size): string | null {
  const wanted = tokensToGenerate(size);
  const other = series.outcomes.find(({ generatedTokens }) => generatedTokens !== wanted);
  return other === undefined ? null : `generated ${other.generatedTokens} tokens in place of ${wanted}`;
}
