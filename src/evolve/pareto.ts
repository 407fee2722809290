/** GEPA's choice of a candidate (Agrawal et al. 2025, algorithm 2): the Pareto frontier over single problems. */

/**
 * Chooses a candidate that is the best at something: with a probability in proportion to the number of problems on
 * which no other scores higher. Those left out first are the dominated ones: wherever they are among the best, some
 * other is too that is kept.
 * @param scores of each candidate, by problem, in the same order for all
 * @param draw uniform in [0, 1)
 * @returns the candidate's index
 */
export function chooseFromFrontier(scores: readonly (readonly number[])[], draw: number): number {
  const wins = winsOnFrontier(scores);
  let left = draw * wins.reduce((sum, count) => sum + count, 0);
  const chosen = wins.findIndex((count) => {
    left -= count;
    return left < 0;
  });
  return chosen;
}

/** On how many problems each candidate is among the best; 0 for dominated ones. */
export function winsOnFrontier(scores: readonly (readonly number[])[]): number[] {
  const problems = scores[0]?.length ?? 0;
  const fronts = Array.from({ length: problems }, (_, problem) => {
    const best = Math.max(...scores.map((own) => own[problem] as number));
    return new Set(scores.flatMap((own, candidate) => (own[problem] === best ? [candidate] : [])));
  });
  const mean = (candidate: number) =>
    (scores[candidate] as readonly number[]).reduce((sum, score) => sum + score, 0) / problems;
  const kept = new Set(scores.keys());
  // The worst first, so that of two that stand in for each other the better one stays, and of equals the older.
  for (const candidate of [...kept].sort((a, b) => mean(a) - mean(b) || b - a)) {
    const isCovered = fronts.every(
      (front) => !front.has(candidate) || [...front].some((other) => other !== candidate && kept.has(other)),
    );
    if (isCovered) kept.delete(candidate);
  }
  return Array.from(scores.keys(), (candidate) =>
    kept.has(candidate) ? fronts.filter((front) => front.has(candidate)).length : 0,
  );
}
