/** Measures how well a model answers on development databases of the miniature world. */

import { answer, answerSeeds, eachSample, scoreOf } from "../answer/answer.js";
import { LseError } from "../errors.js";
import { type LanguageModel, PAPER_SAMPLING, type Sampling } from "../model.js";
import { Draw } from "./draw.js";
import { rulesText } from "./rules.js";
import { rulesInState, type State } from "./states.js";
import { MiniTask } from "./task.js";

/** Greedy, and long enough for every answer of the miniature world. */
const ANSWERS: Sampling = { ...PAPER_SAMPLING, temperature: 0, presencePenalty: 0, maxTokens: 120 };
const TIMEOUT_MS = 2000;
const STATES = ["complete", "half", "none"] as const satisfies readonly State[];

/**
 * EX of a model's answers on development databases, with all true rules in its instructions, half of them, and none.
 * @param problems of each database
 */
export async function actingFigures(
  model: LanguageModel,
  databases: number,
  problems: number,
): Promise<Record<(typeof STATES)[number], number>> {
  const figures = { complete: 0, half: 0, none: 0 };
  for (let seed = 0; seed < databases; seed++) {
    await using task = MiniTask.open({ split: "dev", seed }, TIMEOUT_MS);
    const ids = task.problemIds.slice(0, problems);
    if (ids.length < problems)
      throw new LseError(`${task.id} has only ${ids.length} problems`, "Ask for fewer");
    for (const state of STATES) {
      const rules = rulesInState(task.database, state, new Draw("figures", state, seed));
      const answers = await answer(task, model, {
        instructions: rulesText(rules),
        asked: eachSample(ids, 1),
        sampling: ANSWERS,
        seedOf: answerSeeds(0, "holdout"),
      });
      figures[state] += scoreOf(answers).score / databases;
    }
  }
  return figures;
}
