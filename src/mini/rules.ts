/** One rule of the instructions: what a term of the questions means in SQL. */
export interface Rule {
  readonly term: string;
  /** A condition, or an expression for an amount or a year. */
  readonly meaning: string;
}

/** What instructions without rules say; the world's seed instructions. */
export const NO_RULES = "none";

/** Rules as instructions: `cheap means rank = 'G' . price means price / 100 .` */
export function rulesText(rules: readonly Rule[]): string {
  if (rules.length === 0) return NO_RULES;
  return rules.map(({ term, meaning }) => `${term} means ${meaning} .`).join(" ");
}

/**
 * The rules in any text: what stands between ends (` .`) and reads `TERM means MEANING`. Anything else is passed
 * over, and of several rules for one term the last one holds, in the place of the first: lists that a model
 * writes fill up with repetitions otherwise.
 */
export function parseRules(text: string): Rule[] {
  const rules = new Map<string, Rule>();
  for (const sentence of ` ${text} `.split(/\s\.(?=\s)/)) {
    const [term = "", means, ...meaning] = sentence.trim().split(/\s+/);
    if (means !== "means" || meaning.length === 0) continue;
    rules.set(term, { term, meaning: meaning.join(" ") });
  }
  return [...rules.values()];
}

/** Meaning by term. */
export const meanings = (rules: readonly Rule[]): Map<string, string> =>
  new Map(rules.map(({ term, meaning }) => [term, meaning]));
