/** The loop: the seed instructions are scored, then rounds are played until the budget or a stop ends them. */
import { isDeepStrictEqual } from "node:util";
import { describeStrategy, PAPER_STRATEGY } from "../answer/strategy.js";
import { LseError } from "../errors.js";
import type { Journal } from "../journal/journal.js";
import type { LanguageModel } from "../model.js";
import { CachedModel } from "../runtime/cached-model.js";
import type { Task } from "../task.js";
import type { EditKindName, EvolveConfig } from "./config.js";
import { editKindsOf } from "./edit-kinds.js";
import { editSamplingOf } from "./edit-writer.js";
import { endOf, METHODS, playRound, settled } from "./methods.js";
import { planRun, type RunPlan } from "./plan.js";
import { type Prices, Run } from "./run.js";
import { type Stop, whyStop } from "./stops.js";

/** A run so far: its tree, its test and what it has spent. */
export type Evolution = Readonly<
  Pick<Run, "tree" | "records" | "split" | "rejectedEdits" | "test" | "crossValidation" | "spent">
>;

/** Options of `evolve`. */
export interface EvolveOptions {
  /** The model that writes the edits; by default the one that answers. */
  readonly evolver?: LanguageModel | undefined;
  /** What the models cost, if they cost anything. */
  readonly prices?: Prices;
  /** The plan, where it has been made already. */
  readonly plan?: RunPlan;
  /** Asked before each round: whether the run is to end there. */
  readonly stopRequested?: () => boolean;
  /** Called with the state after the seed instructions are scored and after every round: the moment to save it. */
  readonly onRound?: (evolution: Evolution, round: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Evolves a task's instructions (paper, algorithm 1). The seed instructions are scored on the holdout; then each round
 * selects a node, answers a batch with its instructions, lets the evolver rewrite them, and scores the rewrite on the
 * holdout as a new node (methods.ts has other rounds). An edit that stays invalid after `tries` attempts costs the
 * round and is never adopted. At the end the node with the highest score, and no other, answers the test.
 *
 * Deterministic given the model: everything random is seeded by `config.seed`, and everything paid for is recalled
 * from the journal, so running it again with the journal of a killed run completes that run.
 * @throws LseError before the first generation when problems or context do not suffice
 */
export async function evolve(
  given: Task,
  languageModel: LanguageModel,
  asked: EvolveConfig,
  journal: Journal,
  options: EvolveOptions = {},
): Promise<Evolution> {
  const { evolver: otherModel, onRound, signal, prices = {}, stopRequested = () => false } = options;
  const config = settled(asked);
  requireSameInputs(journal, languageModel, otherModel, given, config);
  const policy = new CachedModel(languageModel, journal);
  const plan = options.plan ?? planRun(given, policy, asked);
  const { task } = plan;
  const unusable = plan.roomFor(policy);
  // Its length is journaled with those of the edits: a replay without a tokenizer asks for it first.
  unusable(task.seedInstructions);
  const method = METHODS[config.method];
  const { choose, remembers } = method;
  const { split } = plan;
  const evolver = otherModel === undefined ? policy : new CachedModel(otherModel, journal);
  const shows = { context: config.editContext, reports: config.editReports };
  const parts = { evolver, task, split, shows, unusable };
  const writerOf = (kind: EditKindName) =>
    method.writer({ ...parts, sampling: editSamplingOf(config, kind, task), kind });
  const writers = new Map(editKindsOf(config.edits, task).map((kind) => [kind, writerOf(kind)]));
  const run = new Run({
    ...{ task, policy, choose, remembers, writers, config, split, journal, prices, signal },
  });
  const stopping = new Stopping(run, {
    journal,
    requested: stopRequested,
    testAnswers: plan.budget.testAnswers,
    asked: () => languageModel.usage.completions,
  });
  const searchAnswers = plan.budget.answers - plan.budget.testAnswers;

  if (config.schedule === "algorithm1") {
    await run.scoreNode(run.tree.root);
    onRound?.(run, 0);
  }
  let stop: Stop | null = null;
  for (let round = 1; !method.isOver(run, round - 1, searchAnswers); round++) {
    stop = stopping.after(round - 1);
    if (stop !== null) break;
    await playRound(run, round);
    onRound?.(run, round);
  }
  const left = searchAnswers - run.spent.answers;
  if (config.spendAll && left > 0 && (stop === null || stop.by === "answers")) await run.refineBest(left);
  if (config.kFold !== undefined) run.crossValidate(config.kFold);
  if (plan.split.test.length > 0) await run.testBest();
  const reason = stop?.reason ?? endOf(config);
  journal.record({ type: "done", key: "done", best: run.tree.best().id, reason });
  return run;
}

/** Decides whether rounds go on; what was decided once holds for the resumed run too. */
class Stopping {
  readonly #started = performance.now();
  readonly #askedBefore: number;

  constructor(
    private readonly run: Run,
    private readonly parts: {
      readonly journal: Journal;
      readonly requested: () => boolean;
      /** What comes after the last round. */
      readonly testAnswers: number;
      /** Completions that this process has asked the action policy for. */
      readonly asked: () => number;
    },
  ) {
    this.#askedBefore = parts.asked();
  }

  /** Why no round is begun after this one; null when one is. */
  after(round: number): Stop | null {
    const { journal, requested, testAnswers, asked } = this.parts;
    const decided = journal.recall("stop", "stop");
    if (decided !== undefined) return decided.round === round ? decided : null;
    // A killed run had begun the next round: what it paid for there is used.
    if (journal.recall("round", String(round + 1)) !== undefined) return null;
    const { config, spent, tree } = this.run;
    const minutes = (performance.now() - this.#started) / 60_000;
    const next = METHODS[config.method].answersPerRound(config) + testAnswers;
    const { answers, completions, edits, answerTokens, editTokens, answersCost, editsCost } = spent;
    // The first edit is taken to be like an answer.
    const inRound = (ofAnswers: number, ofEdits: number) => {
      const answer = ofAnswers / Math.max(1, answers);
      return next * answer + (edits === 0 ? answer : ofEdits / edits);
    };
    const askedHere = asked() - this.#askedBefore;
    const ahead = {
      tokens: inRound(answerTokens, editTokens),
      // By the pace of this process: what was answered before took no time here.
      minutes: askedHere === 0 ? 0 : (next * (completions / Math.max(1, answers)) * minutes) / askedHere,
      cost: inRound(answersCost, editsCost),
    };
    const sums = { tokens: answerTokens + editTokens, cost: answersCost + editsCost };
    const stop: Stop | null = requested()
      ? { by: "request", reason: "someone asked for it" }
      : whyStop(config.stop, { round, answers, minutes, ...sums, ahead }, next, tree);
    if (stop !== null) journal.record({ type: "stop", key: "stop", round, ...stop });
    return stop;
  }
}

/** A resumed run must go on with what it began with: its kept answers belong to that model and those problems. */
function requireSameInputs(
  journal: Journal,
  { fingerprint, contextSize }: LanguageModel,
  evolver: LanguageModel | undefined,
  task: Task,
  { strategy }: EvolveConfig,
): void {
  const inputs = {
    model: fingerprint,
    contextSize,
    task: task.fingerprint,
    ...(evolver === undefined ? {} : { evolver: evolver.fingerprint }),
    ...(isDeepStrictEqual(strategy, PAPER_STRATEGY) ? {} : { strategy: describeStrategy(strategy) }),
  };
  journal.record({ type: "inputs", key: "inputs", ...inputs });
  const recorded = journal.recall("inputs", "inputs");
  for (const [name, what] of [
    ["model", "model file"],
    ["evolver", "evolver"],
    ["contextSize", "context size"],
    ["task", "data or time limit"],
    ["strategy", "strategy"],
  ] as const) {
    if (recorded?.[name] === inputs[name]) continue;
    throw new LseError(
      `The run to resume was made with another ${what}`,
      "Resume it with what it was started with, or delete its folder and start anew",
    );
  }
}
