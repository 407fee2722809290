/** Notices a model that never answers in the form that its task asks for. */

import type { Answer } from "../answer/answer.js";
import { printable } from "../lib/printable.js";

/** Answers of a run that are looked at. */
const FIRST = 20;
/** Characters of an answer that are shown. */
const SHOWN = 160;

/** Looks at the first answers of a run. */
export class UnreadableAnswers {
  #seen = 0;
  #cut = 0;

  /**
   * Takes in an answer.
   * @param limit tokens that a completion could have at most
   * @returns what is wrong, at the last of the first answers if no answer could be taken out of any of them; else null
   */
  look({ response, outcome, tokens, completions }: Answer, limit: number): string | null {
    if (this.#seen === FIRST) return null;
    if (outcome.answer !== "") {
      this.#seen = FIRST;
      return null;
    }
    this.#seen++;
    if (tokens / completions >= limit) this.#cut++;
    return this.#seen === FIRST ? warning(response, this.#cut) : null;
  }
}

function warning(response: string, cut: number): string {
  const causes = ["a wrong chat template", "a base model", "a damaged or too strongly quantised file"];
  return [
    `none of the first ${FIRST} answers has the form that is asked for, such as ${beginning(response)}`,
    ...(cut === 0
      ? []
      : [`${cut} of them were cut off at the token limit: raise \`evolve.sampling.maxTokens\``]),
    `usual causes are ${causes.join(", ")}`,
  ].join("; ");
}

/** The beginning of a text in quotes, in one line. */
function beginning(text: string): string {
  const shown = [...text.slice(0, 2 * SHOWN)].slice(0, SHOWN).join("");
  return `"${printable(shown.replaceAll("\n", "\\n"))}${shown.length < text.length ? "…" : ""}"`;
}
