import { deriveSeed, shuffled } from "../random.js";

/**
 * Random choices in the order they are asked for. The published sets were drawn with Python's `random` and its seed
 * 42: an object with that generator's `sample` and `shuffle` gives them back, choice for choice.
 */
export interface Draws {
  /** `count` of the items, in the order they are drawn. */
  sample<T>(items: readonly T[], count: number): T[];
  /** All of the items in another order. */
  shuffle<T>(items: readonly T[]): T[];
}

/** This program's own draws: other choices than the published sets have, as good as theirs. */
export function seededDraws(seed: number): Draws {
  let drawn = 0;
  const shuffle = <T>(items: readonly T[]) => shuffled(items, deriveSeed(seed, "draw", drawn++));
  return { shuffle, sample: (items, count) => shuffle(items).slice(0, count) };
}

/** A question with any number of choices. */
export interface WideQuestion {
  readonly question: string;
  readonly options: readonly string[];
  /** Index of the right option. */
  readonly answer: number;
  /** Where the question comes from. */
  readonly source: string;
}

/** A row in the form of MMLU-Redux. */
export interface ReduxRow {
  readonly question: string;
  readonly choices: readonly string[];
  readonly answer: number;
  readonly error_type: string;
  readonly source: string;
  readonly correct_answer: string;
  readonly potential_reason: string;
}

const DISTRACTORS = 3;

/**
 * Keeps the right option and three others, or as many as there are, in a new order. First the others are drawn, then
 * the order (data/scripts/convert_mmlu_pro_to_redux.py).
 */
export function reduceToFour({ question, options, answer, source }: WideQuestion, draws: Draws): ReduxRow {
  const gold = options[answer] as string;
  const others = options.filter((_, index) => index !== answer);
  const drawn = draws.sample(others, Math.min(DISTRACTORS, others.length));
  const choices = draws.shuffle([gold, ...drawn]);
  const place = choices.indexOf(gold);
  return {
    ...{ question, choices, answer: place, error_type: "", source },
    ...{ correct_answer: String(place), potential_reason: "" },
  };
}
