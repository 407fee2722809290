/** What a run will do, found out before anything is paid for. */

import { answerSampling, completionsAtMost } from "../answer/strategy.js";
import { underStrategy } from "../answer/under-strategy.js";
import { LseError } from "../errors.js";
import type { LanguageModel } from "../model.js";
import type { Task } from "../task.js";
import { type EvolveConfig, editTokensOf } from "./config.js";
import { editKindFor, editKindsOf } from "./edit-kinds.js";
import { answersOfPaperRound, METHODS, settled } from "./methods.js";
import { type RoomCheck, roomIn } from "./room.js";
import { type Split, splitProblems } from "./split.js";

/** What a run will ask for, before it starts. */
export interface Budget {
  /** As many as the answers allow, if there is a limit; of GEPA, at most. */
  readonly rounds: number;
  /** At most `tries` times as many when edits are invalid. */
  readonly edits: number;
  /** Fewer where rounds have no usable edit, and of GEPA, unless `spendAll` is set. */
  readonly answers: number;
  /** Of these, answers to test problems. */
  readonly testAnswers: number;
  /** Of the test's answers, those under the instructions that the run started from, asked for when it is over. */
  readonly comparisonAnswers: number;
  /** Of all answers, repairs included, if every one of them needs all of its repairs. */
  readonly completionsAtMost: number;
  /** Estimated from the prompts' lengths at four characters a token; most are shared and evaluated once. */
  readonly promptTokens: number;
  /** Of these, what is evaluated: what prompts of a round share once. */
  readonly promptTokensEvaluated: number;
  /** Of these, prompts of edits. */
  readonly editPromptTokens: number;
  /** If every completion and edit uses all of its tokens. */
  readonly generatedTokensAtMost: number;
  /** Of these, by answers. */
  readonly answerTokensAtMost: number;
}

/** A run that can be made: how its problems are divided, what it asks for, and what fits into a context. */
export interface RunPlan {
  /** The task with the prompts of the strategy. */
  readonly task: Task;
  readonly split: Split;
  readonly budget: Budget;
  /** Whether the task can be answered and evolved under given instructions, with a given model. */
  roomFor(model: Pick<LanguageModel, "contextSize" | "countTokens">): RoomCheck;
}

/**
 * Divides the problems, counts what the run asks for, and checks that there are problems enough and that prompts fit
 * the model's context.
 * @param model null where it is not at hand: its context is not checked then
 * @param isCompared whether the instructions that the run starts from answer the test, too, when it is over
 * @throws LseError naming the field to change
 */
export function planRun(
  given: Task,
  model: LanguageModel | null,
  asked: EvolveConfig,
  isCompared = false,
): RunPlan {
  const config = settled(asked);
  // Methods that have no other edits ask for them, or tell of rejected ones, in general words.
  const isInGeneralWords = config.edits === "delta" && !METHODS[config.method].edits.includes("rewrite");
  const isKnown = !isInGeneralWords || given.evolverPrompt === undefined;
  if (!isKnown || editKindsOf(config.edits, given).length === 0) {
    const isOfMethod = !isKnown || asked.edits !== config.edits;
    const [field, value] = isOfMethod ? ["method", asked.method] : ["edits", asked.edits];
    const why =
      config.edits === "example"
        ? "which does not say what an example looks like"
        : "whose evolvers know a prompt of its own";
    throw new LseError(
      `${given.id}: \`evolve.${field}\` cannot be "${value}" with this task, ${why}`,
      "Leave it out",
    );
  }
  if (config.editContext !== undefined && given.evolverPrompt !== undefined)
    throw new LseError(
      `${given.id}: \`evolve.editContext\` does not go with this task, whose evolvers know a prompt of its own`,
      "Leave it out",
    );
  const split = splitProblems(given, config);
  const task = underStrategy(given, config, split.pool);
  const test = split.test.length * config.samples;
  const budget = budgetOf(task, split, config, isCompared ? test : 0);
  requireAffordable(task, split, config, budget);
  const roomFor = roomIn(task, config);
  // What a run starts from is its own affair: budgets of tokens are for edits.
  const roomForStart = roomIn(task, { ...config, ruleTokens: undefined, exampleTokens: undefined });
  const tooLong = model === null ? null : roomForStart(model)(task.seedInstructions);
  if (tooLong !== null)
    throw new LseError(
      `${task.id}: ${tooLong}`,
      "Raise `model.context`, if the model was trained for more, or give a shorter schema",
    );
  return { task, split, budget, roomFor };
}

/** @throws LseError where a limit does not suffice for the scores of the seed instructions and the test */
function requireAffordable(
  task: Task,
  { holdout }: Split,
  { samples, stop }: EvolveConfig,
  { testAnswers }: Budget,
): void {
  const least = holdout.length * samples + testAnswers;
  // An answer is at least one token.
  for (const name of ["answers", "tokens"] as const) {
    const limit = stop[name];
    if (limit === undefined || limit >= least) continue;
    throw new LseError(
      `${task.id}: ${limit} ${name} are not enough: scoring the seed instructions and the test take ${name === "answers" ? least : `at least ${least}`}`,
      `Raise \`evolve.stop.${name}\`, or lower \`evolve.holdout\`, \`evolve.test\` or \`evolve.samples\``,
    );
  }
}

function budgetOf(task: Task, split: Split, config: EvolveConfig, comparisonAnswers: number): Budget {
  const { batch, holdout, samples, sampling, strategy, stop } = config;
  const testProblems = split.test.length;
  const testAnswers = testProblems * samples + comparisonAnswers;
  const perRound = answersOfPaperRound(config);
  // In the published code's order a node is scored at the start of a round, and the last one never.
  const seedAnswers = config.schedule === "reference" ? 0 : holdout * samples;
  const affordable = Math.floor(((stop.answers ?? Infinity) - seedAnswers - testAnswers) / perRound);
  const paidFor = Math.max(0, Math.min(config.rounds, affordable));
  const answers = seedAnswers + perRound * paidFor + testAnswers;
  const rounds = METHODS[config.method].roundsFor(paidFor, config);
  const lengths = task.problemIds.map((id) =>
    task.prompt(id, task.seedInstructions).reduce((sum, { content }) => sum + content.length, 0),
  );
  const answerPrompt = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
  const shared = task.systemPrompt(task.seedInstructions).length;
  const editPrompt = batch * REPORT_CHARS + shared;
  const asked = (seedAnswers === 0 ? 0 : holdout) + paidFor * (holdout + batch) + testProblems;
  const completions = answers * completionsAtMost(strategy);
  const answerTokens = completions * answerSampling(sampling, strategy).maxTokens;
  const isWritten = editKindsOf(config.edits, task).some((kind) => editKindFor(kind, task) !== null);
  const written = isWritten ? rounds : 0;
  const evaluated = (paidFor + 1) * shared + asked * (answerPrompt - shared) + written * editPrompt;
  return {
    rounds,
    edits: rounds,
    answers,
    testAnswers,
    comparisonAnswers,
    completionsAtMost: completions,
    promptTokens: Math.round(
      (answers * strategy.samples * answerPrompt + written * editPrompt) / CHARS_PER_TOKEN,
    ),
    promptTokensEvaluated: Math.round(evaluated / CHARS_PER_TOKEN),
    editPromptTokens: Math.round((written * editPrompt) / CHARS_PER_TOKEN),
    generatedTokensAtMost: answerTokens + written * editTokensOf(config),
    answerTokensAtMost: answerTokens,
  };
}

const CHARS_PER_TOKEN = 4;
/** A problem's report in the evolver's prompt, its response included, at a guess. */
const REPORT_CHARS = 1000;
