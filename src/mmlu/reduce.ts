/** Reduces a question with many choices to four. */
import type { PythonRandom } from "../lib/python-random.js";

/** The random draws. The published sets were drawn with Python's generator and the seed 42. */
export type Draws = Pick<PythonRandom, "sample" | "shuffled">;

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
 * Keeps the right option and three others, or as many as there are, in a new order. The others are drawn first, then
 * the order (data/scripts/convert_mmlu_pro_to_redux.py).
 */
export function reduceToFour({ question, options, answer, source }: WideQuestion, draws: Draws): ReduxRow {
  const gold = options[answer] as string;
  const others = options.filter((_, index) => index !== answer);
  const drawn = draws.sample(others, Math.min(DISTRACTORS, others.length));
  const choices = draws.shuffled([gold, ...drawn]);
  const place = choices.indexOf(gold);
  return {
    question,
    choices,
    answer: place,
    error_type: "",
    source,
    correct_answer: String(place),
    potential_reason: "",
  };
}
