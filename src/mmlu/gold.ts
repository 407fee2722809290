/** Decides which letter is right, from the original answer and the annotators' correction. */

/** What a row says about its right answer: a letter, an index that counts from 0, or either of them as text. */
export type Label = string | number | null;

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** The most choices that have letters. */
export const MOST_CHOICES = LETTERS.length;

/** A, B, C … for so many choices. */
export const lettersOf = (choices: number): readonly string[] => [...LETTERS.slice(0, choices)];

/**
 * What counts as right: the published code's rules (lse/envs/mmlu_env.py:100-128), and the same rules
 * corrected. Where corrections are text and choices are four, as in the published sets, the two differ only where a
 * correction has spaces around it.
 */
export const GOLD_RULES = {
  corrected: {
    /** The integer 0 as a correction means A; the published code takes it for no correction. */
    zeroCorrects: true,
    /** Spaces around a letter or a digit are ignored; the published code does not understand such a correction. */
    trims: true,
    /** All choices are shown and may be right; the published code silently drops those after the fourth. */
    mostChoices: MOST_CHOICES,
  },
  published: { zeroCorrects: false, trims: false, mostChoices: 4 },
} as const;

export type GoldRules = keyof typeof GOLD_RULES;

/**
 * The right letter of a row: the annotators' correction where it names one choice, else the original answer. So a
 * correction such as "A, B" or in words leaves the original answer right, as in the published code.
 * @param choices how many choices the row has
 * @returns null when neither names a choice
 */
export function goldLetter(
  correction: Label,
  answer: Label,
  choices: number,
  rules: GoldRules,
): string | null {
  const { zeroCorrects, trims } = GOLD_RULES[rules];
  const letters = lettersOf(choices);
  const letterOf = (label: Label): string | null => {
    if (typeof label === "number") return letters[label] ?? null;
    const text = (trims ? label?.trim() : label) ?? "";
    if (/^\d+$/.test(text)) return letters[Number(text)] ?? null;
    return letters.find((letter) => letter === text.toUpperCase()) ?? null;
  };
  const corrected = correction === 0 && !zeroCorrects ? null : letterOf(correction);
  return corrected ?? letterOf(answer);
}
