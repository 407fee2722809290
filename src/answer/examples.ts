/** Finds the solved problems that are most like a question. */
import MiniSearch, { type SearchOptions } from "minisearch";

/** A solved problem, as far as it is searched. */
export interface SolvedProblem {
  readonly id: string;
  /** The words it is found by. */
  readonly text: string;
  /** As `PromptParts.twinKeys`. */
  readonly twinKeys: readonly string[];
}

/** What examples are wanted for. */
export interface ExampleQuery {
  readonly text: string;
  /** Solved problems with one of these keys are passed over; none for a question that is not scored. */
  readonly twinKeys: readonly string[];
  readonly count: number;
}

/** Longer ones are no words of a language, such as a sequence of DNA. */
const LONGEST_WORD = 50;

/** Words of which one begins the other, or that differ in a fifth of their letters, count a little too ("heroes"). */
const SEARCH: SearchOptions = {
  combineWith: "OR",
  prefix: (term) => term.length > 4,
  // Near words are looked for in a table of the word's length squared.
  fuzzy: (term) => (term.length <= LONGEST_WORD ? 0.2 : false),
};

/**
 * Solved problems that can be searched by the words they share with a question (BM25+). Measured beside other ways on
 * four databases: docs/strategies.md.
 */
export class ExampleIndex {
  readonly #index = new MiniSearch<SolvedProblem>({ fields: ["text"], searchOptions: SEARCH });
  readonly #problems: ReadonlyMap<string, SolvedProblem>;

  constructor(problems: readonly SolvedProblem[]) {
    this.#index.addAll(problems);
    this.#problems = new Map(problems.map((problem) => [problem.id, problem]));
  }

  /**
   * Ids of the most similar problems, the most similar one last, so that it is closest to the question. Problems that
   * share no word come in the order in which they were given.
   */
  similarTo({ text, twinKeys, count }: ExampleQuery): string[] {
    const twins = new Set(twinKeys);
    const found = this.#index.search(text).map(({ id }) => id as string);
    return [...new Set([...found, ...this.#problems.keys()])]
      .filter((id) => !this.#problems.get(id)?.twinKeys.some((key) => twins.has(key)))
      .slice(0, count)
      .reverse();
  }
}
