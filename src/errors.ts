/**
 * An error a user can act on: bad input, a missing file, too small a context.
 * The command line prints it on one line, without a stack, and exits with code 1.
 */
export class LseError extends Error {
  override name = "LseError";

  /**
   * @param problem what is wrong, naming the file and the field
   * @param nextStep what the user can do about it, in the imperative
   */
  constructor(
    readonly problem: string,
    readonly nextStep: string,
    options?: ErrorOptions,
  ) {
    super(`${problem}. ${nextStep}.`, options);
  }
}
