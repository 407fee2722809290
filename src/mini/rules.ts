/** Instructions of the miniature world as a list of rules, to text and back. */

/** One rule of the instructions: what a term of the questions means in SQL. */
export interface Rule {
  readonly term: string;
  /** A condition, or an expression for an amount or a year. */
  readonly meaning: string;
}

/** The text of instructions without rules; the seed instructions of the miniature world. */
export const NO_RULES = "none";

/** Rules as instructions: `cheap means rank = 'G' . price means price / 100 .` */
export function rulesText(rules: readonly Rule[]): string {
  if (rules.length === 0) return NO_RULES;
  return rules.map(({ term, meaning }) => `${term} means ${meaning} .`).join(" ");
}

/**
 * The rules in any text: what stands between ends (` .`) and reads `TERM means MEANING`. Anything else is
 * skipped. Of several rules for one term the last one counts, in the place of the first; otherwise the lists that a
 * model writes would fill up with repetitions.
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
