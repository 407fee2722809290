/** What tokens cost, and a limit of cost that holds while requests are under way. */
import { LseError } from "../errors.js";

/** Dollars for a million tokens. */
export interface Price {
  readonly input: number;
  readonly output: number;
}

export const costOf = ({ input, output }: Price, promptTokens: number, generatedTokens: number): number =>
  (promptTokens * input + generatedTokens * output) / 1e6;

/**
 * What a run may cost, whichever of its models is asked: no request is sent that could go beyond it, even if all that
 * are under way cost as much as they can.
 */
export class Purse {
  #reserved = 0;
  /** Those who wait until something that was set aside comes back. */
  #waiting: (() => void)[] = [];

  /**
   * @param limit in dollars
   * @param spent what the run has paid before
   */
  constructor(
    readonly limit: number,
    public spent: number,
  ) {}

  /**
   * Sets aside what a request can cost at most; waits while requests under way hold what it needs.
   * @throws LseError when that is too much by itself
   */
  async reserve(cost: number): Promise<void> {
    while (this.spent + this.#reserved + cost > this.limit) {
      if (this.spent + cost > this.limit)
        throw new LseError(
          `The limit of $${this.limit} does not allow a further request: ` +
            `$${this.spent.toFixed(4)} are spent, and it could cost $${cost.toFixed(4)}`,
          "Resume with a higher `evolve.stop.cost`; what was paid for is kept",
        );
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#reserved += cost;
  }

  /** Gives back what was set aside, of which so much was paid. */
  pay(reserved: number, cost: number): void {
    this.#reserved -= reserved;
    this.spent += cost;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }
}
