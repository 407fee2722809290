/** Drafts without a draft model: what came after the same few tokens before is likely to come again. */

/** Tokens at the end that have to have occurred before: with more of them, the earlier place is more alike. */
const FEWEST_ALIKE = 2;
const MOST_ALIKE = 6;
/** Tokens of the first draft. */
const FIRST = 4;

/**
 * Guesses the next tokens of a completion from its prompt and from itself: SQL stands in examples and schema almost word
 * for word, and an edited manual in its parent. (Prompt lookup: https://github.com/apoorvumang/prompt-lookup-decoding.)
 */
export class PromptLookup {
  /** Tokens guessed, and how many of them came. */
  proposed = 0;
  accepted = 0;
  /** The prompt and what has been generated. */
  readonly #text: number[];
  #length = FIRST;
  #last: readonly number[] = [];

  constructor(private readonly prompt: readonly number[]) {
    this.#text = [...prompt];
  }

  /**
   * @param generated all tokens so far
   * @param most tokens that are wanted
   */
  propose(generated: readonly number[], most: number): readonly number[] {
    const known = this.#text.length - this.prompt.length;
    for (let i = known; i < generated.length; i++) this.#text.push(generated[i] as number);
    this.#learn(generated.slice(known));
    this.#last = this.#after().slice(0, Math.min(most, this.#length));
    return this.#last;
  }

  /** Guesses grow while all come true, and shrink to what came true when not. */
  #learn(came: readonly number[]): void {
    // Nothing came where the decode found no room.
    if (this.#last.length === 0 || came.length === 0) return;
    let accepted = 0;
    while (accepted < this.#last.length && came[accepted] === this.#last[accepted]) accepted++;
    this.proposed += this.#last.length;
    this.accepted += accepted;
    this.#length = accepted === this.#last.length ? 2 * this.#length : Math.max(1, accepted);
  }

  /** What came after the place that ends most like the text; the latest of several. */
  #after(): number[] {
    const text = this.#text;
    let [best, place] = [FEWEST_ALIKE - 1, -1];
    for (let i = text.length - 2; i >= 0 && best < MOST_ALIKE; i--) {
      let alike = 0;
      while (alike < MOST_ALIKE && alike <= i && text[i - alike] === text[text.length - 1 - alike]) alike++;
      if (alike > best) [best, place] = [alike, i];
    }
    return place < 0 ? [] : text.slice(place + 1);
  }
}
