/** Drawing the next token from logits. */
import type { Sampling } from "../model.js";

/** A token that may come next, with the model's own logit. */
export interface Candidate {
  readonly token: number;
  readonly logit: number;
}

/**
 * How many of the most likely tokens `sampleToken` has to see to decide as if it saw all of them, or null
 * for all. Penalised tokens may fall out of the top k, so each of them makes room for one more; a negative penalty may
 * raise a token from any rank.
 */
export function candidatesNeeded(sampling: Sampling, penalised: number): number | null {
  if (sampling.presencePenalty < 0 && penalised > 0) return null;
  if (sampling.temperature === 0) return 1 + penalised;
  return sampling.topK === 0 ? null : sampling.topK + penalised;
}

/**
 * Draws the next token. The steps follow vLLM, which the paper's code samples with: presence penalty on
 * generated tokens, temperature, min-p, top-k, top-p, then one draw by inverse cumulative probability.
 * Every engine of this project samples here, so they agree wherever their logits agree.
 *
 * @param candidates at least the `candidatesNeeded` most likely tokens, in any order
 * @param generated tokens generated so far, for the presence penalty
 * @param uniform one number in [0, 1)
 */
export function sampleToken(
  candidates: readonly Candidate[],
  sampling: Sampling,
  generated: ReadonlySet<number>,
  uniform: number,
): number {
  const ranked = rank(candidates, sampling, generated);
  if (ranked.length === 0) throw new RangeError("sampleToken needs at least one candidate");
  const drawn = draw(ranked, sampling, uniform, null);
  return (ranked[drawn ?? ranked.length - 1] as Candidate).token;
}

/** All tokens that may come next, as far as they are asked about. */
export interface TokenRow {
  readonly size: number;
  logit(token: number): number;
  /** The most likely ones, in any order. */
  top(count: number): Candidate[];
  /** Σ exp((logit − highest) ∕ temperature) over all but some, of which none is above `highest`. */
  weightSum(highest: number, temperature: number, except: ReadonlySet<number>): number;
}

/** How many tokens are looked at first, and how many times more if these do not decide. */
const FIRST = 64;
const MORE = 8;

/**
 * The same as `sampleToken` of all tokens. Where top-k does not bound them, it looks at the most likely ones until these
 * decide the draw, since sorting a vocabulary takes longer than computing its logits. What the others weigh together is
 * as exact as `weightSum`.
 */
export function sampleFromRow(
  row: TokenRow,
  sampling: Sampling,
  generated: ReadonlySet<number>,
  uniform: number,
): number {
  const needed = candidatesNeeded(sampling, generated.size);
  if (needed !== null) return sampleToken(row.top(needed), sampling, generated, uniform);
  const raises = sampling.presencePenalty < 0 && generated.size > 0;
  for (let count = FIRST; !raises && count + generated.size < row.size; count *= MORE) {
    // Penalised tokens may fall, so the ranks after `count` are not certain.
    const ranked = rank(row.top(count + generated.size), sampling, generated).slice(0, count);
    const drawn = draw(ranked, sampling, uniform, weightOfAll(row, ranked, sampling, generated));
    if (drawn !== null) return (ranked[drawn] as Candidate).token;
  }
  return sampleToken(row.top(row.size), sampling, generated, uniform);
}

/** By logit, penalties taken off. Equal ones by token id: the draw must not depend on how an engine sorts them. */
function rank(
  candidates: readonly Candidate[],
  { presencePenalty }: Sampling,
  generated: ReadonlySet<number>,
): Candidate[] {
  return candidates
    .map(({ token, logit }) => ({ token, logit: generated.has(token) ? logit - presencePenalty : logit }))
    .sort((a, b) => b.logit - a.logit || a.token - b.token);
}

/** What all tokens weigh, where the most likely one weighs 1. */
function weightOfAll(
  row: TokenRow,
  ranked: readonly Candidate[],
  { temperature, presencePenalty }: Sampling,
  generated: ReadonlySet<number>,
): number {
  const highest = (ranked[0] as Candidate).logit;
  let sum = row.weightSum(highest, temperature, generated);
  for (const token of generated)
    sum += Math.exp((row.logit(token) - presencePenalty - highest) / temperature);
  return sum;
}

/**
 * Draws among the most likely tokens.
 * @param all what all tokens weigh together; null if there are no others
 * @returns the rank; null where it depends on tokens that are not among them
 */
function draw(
  ranked: readonly Candidate[],
  { temperature, topK, topP, minP }: Sampling,
  uniform: number,
  all: number | null,
): number | null {
  if (temperature === 0) return 0;
  const highest = (ranked[0] as Candidate).logit;
  let weights = ranked.map(({ logit }) => Math.exp((logit - highest) / temperature));
  let total = all;
  if (minP > 0) {
    const kept = weights.filter((weight) => weight >= minP);
    if (kept.length === weights.length && all !== null) return null;
    weights = kept;
    total = null;
  }
  if (topK > 0) weights = weights.slice(0, topK);
  total ??= sum(weights);
  if (topP < 1) {
    let kept = 0;
    let mass = 0;
    while (kept < weights.length && mass < topP * total) mass += weights[kept++] as number;
    if (mass < topP * total && all !== null && minP === 0) return null;
    weights = weights.slice(0, Math.max(1, kept));
    total = sum(weights);
  }
  const isWhole = all === null || minP > 0 || topP < 1;
  let rest = uniform * total;
  for (const [i, weight] of weights.entries()) {
    rest -= weight;
    if (rest < 0) return i;
  }
  return isWhole ? weights.length - 1 : null;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
