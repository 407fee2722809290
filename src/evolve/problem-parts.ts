/** Which part each of a task's problems plays in a run. */

/** A task's problems, divided by their part in a run. */
export interface Split {
  /** Problems that score every node, and so choose the best. Never shown to the evolver. */
  readonly holdout: readonly string[];
  /** Problems the batches come from, in their seeded order. */
  readonly pool: readonly string[];
  /** Problems that only the chosen node answers, once, at the end. */
  readonly test: readonly string[];
}
