/** Scores instructions after a run has ended, and keeps the answers. */
import { answer, answerSeeds, eachSample, gradesIn, problemScores } from "../answer/answer.js";
import type { EvolveConfig } from "../evolve/config.js";
import type { AnswerPhase, Journal } from "../journal/journal.js";
import { deriveSeed } from "../lib/random.js";
import type { LanguageModel } from "../model.js";
import type { Task } from "../task.js";

/** The file in a run's folder that keeps what was measured after its end. */
export const MEASURED = "measured.jsonl";

/** What instructions are scored with. */
export interface MeasureOptions {
  /** With the prompts of the strategy. */
  readonly task: Task;
  readonly model: LanguageModel;
  readonly config: Pick<EvolveConfig, "seed" | "samples" | "sampling" | "strategy">;
  /** For these measurements alone: their keys come from the instructions, since no node may have them. */
  readonly journal: Journal;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Scores instructions on problems, with the random numbers that the run used on them.
 * @returns the mean score of each problem over the run's number of samples
 */
export async function scoresOf(
  instructions: string,
  problems: readonly string[],
  phase: AnswerPhase,
  { task, model, config, journal, signal }: MeasureOptions,
): Promise<number[]> {
  const { seed, samples, sampling, strategy } = config;
  // From everything that an answer and its grade depend on: data and model may have changed since the last measurement.
  const node = deriveSeed("instructions", task.fingerprint, model.fingerprint, instructions);
  const answers = await answer(task, model, {
    instructions,
    asked: eachSample(problems, samples),
    strategy,
    sampling,
    seedOf: answerSeeds(seed, phase),
    ...gradesIn(journal, { node, phase, round: 0 }),
    signal,
  });
  return problemScores(answers);
}
