/** How few questions are divided and how they are used: the paper's numbers, as far as there are questions for them. */

/** Fewer questions than this say nothing about whether an edit is better. */
export const FEWEST_QUESTIONS = 12;

/** What the paper takes; more questions than that are for learning. */
const MOST = { holdout: 50, test: 100, batch: 10, rounds: 25 };
const FEWEST_ROUNDS = 6;
/** The least a batch can be to show what failures have in common. */
export const FEWEST_IN_BATCH = 3;
/** Answers to the holdout that score a node, if problems are so few that each is asked several times. */
const ANSWERS = 40;
const MOST_SAMPLES = 4;

/** How many questions play which part. */
export interface Parts {
  /** Only the chosen instructions answer them, at the end of a run. */
  readonly test: number;
  /** They score instructions. */
  readonly holdout: number;
  /** The evolver reads about them. */
  readonly pool: number;
}

/**
 * A third each of the first thirty questions. Of those that come later half are for learning, since they are mostly
 * corrections, a quarter for the holdout and a quarter for the test, until these have as many as the paper's.
 */
export function partsFor(questions: number): Parts {
  const first = Math.min(questions, FIRST);
  const later = questions - first;
  const test = Math.min(Math.round(first / 3) + Math.floor(later / 4), MOST.test);
  const holdout = Math.min(Math.round(first / 3) + Math.floor((later + 2) / 4), MOST.holdout);
  return { test, holdout, pool: questions - test - holdout };
}

const FIRST = 30;

export interface Protocol {
  readonly test: number;
  readonly holdout: number;
  readonly batch: number;
  readonly rounds: number;
  readonly samples: number;
}

/** @param isGreedy whether the model answers alike each time: several answers to a problem would be one */
export function protocolFor({ test, holdout, pool }: Parts, isGreedy: boolean): Protocol {
  const rounds = Math.round((test + holdout + pool) / 4);
  return {
    test,
    holdout: clamp(holdout, 1, MOST.holdout),
    batch: clamp(Math.floor(pool / 2), FEWEST_IN_BATCH, MOST.batch),
    rounds: clamp(rounds, FEWEST_ROUNDS, MOST.rounds),
    samples: isGreedy ? 1 : clamp(Math.ceil(ANSWERS / Math.max(1, holdout)), 1, MOST_SAMPLES),
  };
}

const clamp = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value));
