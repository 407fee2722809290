/** The methods of the paper's tables and those beyond: each a choice of nodes, a writer of edits, a kind of round. */
import type { LanguageModel, Sampling } from "../model.js";
import type { Task } from "../task.js";
import type { EvolveConfig, Method } from "./config.js";
import { type Evolver, LseEvolver } from "./evolver.js";
import { evolverMessages } from "./evolver-prompt.js";
import { gepaRound, reflectionMessages } from "./gepa.js";
import { referenceRound } from "./reference/round.js";
import type { Run } from "./run.js";
import { TextGradEvolver } from "./textgrad.js";

/** What writes the edits of a method. @param unusable why instructions cannot be used; null when they can */
export function evolverFor(
  method: Method,
  model: LanguageModel,
  task: Task,
  sampling: Sampling,
  unusable: (instructions: string) => string | null,
): Evolver {
  if (method === "textgrad") return new TextGradEvolver(model, task, sampling, unusable);
  const messages = method === "gepa" ? reflectionMessages : evolverMessages;
  return new LseEvolver(model, task, sampling, unusable, messages);
}

/** Carries out one round of a method. */
export function playRound(run: Run, round: number): Promise<void> {
  const { method, schedule } = run.config;
  if (schedule === "reference") return referenceRound(run, round);
  return method === "gepa" ? gepaRound(run, round) : lseRound(run, round);
}

/** A round of the paper (algorithm 1): every usable edit becomes a node. */
async function lseRound(run: Run, round: number): Promise<void> {
  const parent = run.select(round);
  run.review(parent, await run.answerBatch(parent, round));
  const edit = await run.edit(parent, round, run.config.tries);
  if (edit !== null) await run.score(run.adopt(parent, edit, round));
}

/** Answers that one round asks for at most. */
export const answersOfRound = ({ method, batch, holdout, samples }: EvolveConfig): number =>
  (method === "gepa" ? 2 * batch : batch) + holdout * samples;
