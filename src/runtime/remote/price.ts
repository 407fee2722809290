import { LseError } from "../../errors.js";

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

  /**
   * @param limit in dollars
   * @param spent what the run has paid before
   */
  constructor(
    readonly limit: number,
    public spent: number,
  ) {}

  /** Sets aside what a request can cost at most. @throws LseError when that is too much */
  reserve(cost: number): void {
    if (this.spent + this.#reserved + cost > this.limit)
      throw new LseError(
        `The limit of $${this.limit} does not allow a further request: ` +
          `$${this.spent.toFixed(4)} are spent, $${(this.#reserved + cost).toFixed(4)} more could be`,
        "Resume with a higher --max-cost; what was paid for is kept",
      );
    this.#reserved += cost;
  }

  /** Gives back what was set aside, of which so much was paid. */
  pay(reserved: number, cost: number): void {
    this.#reserved -= reserved;
    this.spent += cost;
  }
}
