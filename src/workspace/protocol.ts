/** How few questions are divided and used: the paper's numbers, scaled down. */

/** Fewer questions than this say nothing about whether an edit is better. */
export const FEWEST_QUESTIONS = 12;

/** The paper's numbers; further questions are for learning. */
const MOST = { holdout: 50, test: 100, batch: 10, rounds: 25 };
const FEWEST_ROUNDS = 6;
/** Smaller batches do not show what failures have in common. */
export const FEWEST_IN_BATCH = 3;
/** Holdout answers that score a node; if there are fewer problems than this, each is asked several times. */
const ANSWERS = 40;
const MOST_SAMPLES = 4;

/** How many questions have which role. */
export interface Parts {
  /** Questions that only the chosen instructions answer, at the end of a run. */
  readonly test: number;
  /** Questions that score instructions. */
  readonly holdout: number;
  /** Questions whose answers the evolver reads. */
  readonly pool: number;
}

/**
 * How many questions of a given number get which role: a third each of the first thirty. Of later ones half are for
 * learning, since they are mostly corrections, a quarter for the holdout and a quarter for the test, until these have
 * as many as the paper's.
 */
export function partsFor(questions: number): Parts {
  const first = Math.min(questions, FIRST);
  const later = questions - first;
  const test = Math.min(Math.round(first / 3) + Math.floor(later / 4), MOST.test);
  const holdout = Math.min(Math.round(first / 3) + Math.floor((later + 2) / 4), MOST.holdout);
  return { test, holdout, pool: questions - test - holdout };
}

const FIRST = 30;

/** Settings of a run that depend on the number of questions. */
export interface Protocol {
  readonly test: number;
  readonly holdout: number;
  readonly batch: number;
  readonly rounds: number;
  readonly samples: number;
}

/** @param isSettled whether asking again is useless: the answer is the same each time, or the result of a vote */
export function protocolFor({ test, holdout, pool }: Parts, isSettled: boolean): Protocol {
  const rounds = Math.round((test + holdout + pool) / 4);
  return {
    test,
    holdout: clamp(holdout, 1, MOST.holdout),
    batch: clamp(Math.floor(pool / 2), FEWEST_IN_BATCH, MOST.batch),
    rounds: clamp(rounds, FEWEST_ROUNDS, MOST.rounds),
    samples: isSettled ? 1 : clamp(Math.ceil(ANSWERS / Math.max(1, holdout)), 1, MOST_SAMPLES),
  };
}

const clamp = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value));
