/**
 * SkillOpt as a method on this loop (Yang et al. 2026, arXiv 2605.23904; the published package skillopt 0.2.0): changes
 * of rules, of which a few make an edit; one current version, which an edit replaces only if it scores strictly higher
 * on the holdout; and a memory of the edits that did not. docs/protocol.md says what differs.
 */
import type { EditMoment, Memory } from "./edit-history.js";

/**
 * The buffer of rejected edits: those of the epoch that did not score higher than the version they changed, whichever
 * version that was, and those that could not be used (engine/trainer.py:1045, 1549-1559 of the package).
 */
export const rejectedInEpoch: Memory = ({ round, edit }, now) =>
  epochOf(round, now) === epochOf(now.round, now) && !("gain" in edit && edit.gain > 0);

/** Rounds in which the pool is dealt out once are an epoch; these count from 0. */
const epochOf = (round: number, { config, split }: EditMoment): number =>
  Math.floor((round - 1) / Math.floor(split.pool.length / config.batch));
