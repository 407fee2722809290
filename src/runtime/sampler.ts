/** Drawing the next token from logits. */
import type { Sampling } from "../model.js";

/** A token that may come next, with the model's own logit. */
export interface Candidate {
  readonly token: number;
  readonly logit: number;
}

/**
 * How many of the most likely tokens `sampleToken` has to see to decide as if it saw all of them, or null
 * for all. Penalised tokens may fall out of the top k, so each of them makes room for one more.
 */
export function candidatesNeeded(sampling: Sampling, penalised: number): number | null {
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
  const { temperature, topK, topP, minP, presencePenalty } = sampling;
  // Equal logits are ordered by token id: the draw must not depend on the order an engine sorts them in.
  const ranked = candidates
    .map(({ token, logit }) => ({ token, logit: generated.has(token) ? logit - presencePenalty : logit }))
    .sort((a, b) => b.logit - a.logit || a.token - b.token);
  const top = ranked[0];
  if (top === undefined) throw new RangeError("sampleToken needs at least one candidate");
  if (temperature === 0) return top.token;

  let weights = ranked.map(({ logit }) => Math.exp((logit - top.logit) / temperature));
  if (minP > 0) weights = weights.filter((weight) => weight >= minP);
  if (topK > 0) weights = weights.slice(0, topK);
  let total = weights.reduce((sum, weight) => sum + weight, 0);
  if (topP < 1) {
    let kept = 0;
    let mass = 0;
    while (kept < weights.length && mass < topP * total) mass += weights[kept++] as number;
    weights = weights.slice(0, Math.max(1, kept));
    total = weights.reduce((sum, weight) => sum + weight, 0);
  }
  let rest = uniform * total;
  for (let i = 0; i < weights.length - 1; i++) {
    rest -= weights[i] as number;
    if (rest < 0) return (ranked[i] as Candidate).token;
  }
  return (ranked[weights.length - 1] as Candidate).token;
}
