import { LseError } from "../errors.js";
import type { Journal } from "../journal/journal.js";
import type { LanguageModel } from "../model.js";
import { CachedModel } from "../runtime/cached-model.js";
import type { Task } from "../task.js";
import { budgetOf, type EvolveConfig } from "./config.js";
import { editSamplingOf } from "./evolver.js";
import { answersOfRound, evolverFor, playRound } from "./methods.js";
import { roomCheck } from "./room.js";
import { type Prices, Run } from "./run.js";
import { type Split, splitProblems } from "./split.js";
import { type Stop, whyStop } from "./stops.js";

/** What came of a run so far. */
export type Evolution = Readonly<
  Pick<Run, "tree" | "records" | "split" | "rejectedEdits" | "test" | "crossValidation" | "spent">
>;

/** Who edits, who is told, and what ends a run early. */
export interface EvolveOptions {
  /** Writes the edits; left out, the model that answers does. */
  readonly evolver?: LanguageModel | undefined;
  /** Of the models, where they are paid for. */
  readonly prices?: Prices;
  /** Asked before each round: whether someone wants the run to end in good order. */
  readonly stopRequested?: () => boolean;
  /** Called with the state after the seed's holdout and after every round: the moment to save it. */
  readonly onRound?: (evolution: Evolution, round: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Checks that there are problems enough and that the prompts fit the context, before anything is paid for.
 * @returns the task's problems, divided
 * @throws LseError naming the option to change
 */
export function requireRunnable(task: Task, model: LanguageModel, config: EvolveConfig): Split {
  const split = splitProblems(task, config);
  const least = (split.holdout.length + split.test.length) * config.samples;
  if (config.stop.answers !== undefined && config.stop.answers < least)
    throw new LseError(
      `${task.id}: ${config.stop.answers} answers do not suffice for the seed's holdout and the test, which take ${least}`,
      "Raise --stop-answers, or lower --holdout, --test or --samples",
    );
  const tooLong = roomCheck(task, model, config)(task.seedInstructions);
  if (tooLong === null) return split;
  throw new LseError(
    `${task.id}: ${tooLong}`,
    "Raise --context, if the model was trained for more, or give a shorter schema",
  );
}

/**
 * Evolves a task's instructions (paper, algorithm 1). The seed is scored on the holdout; then each round
 * selects a node, answers a batch with its instructions, lets the evolver rewrite them, and scores the
 * rewrite on the holdout as a new node (other rounds: gepa.ts, reference/round.ts). An edit that stays invalid after `tries`
 * attempts costs the round and is never adopted. At the end the node with the highest reward, and no other, answers
 * the test.
 *
 * Deterministic given the model: everything random is seeded by `config.seed`, and everything paid for is
 * recalled from the journal, so running it again with the journal of a killed run completes that run.
 * @throws LseError before the first generation when problems or context do not suffice
 */
export async function evolve(
  task: Task,
  languageModel: LanguageModel,
  config: EvolveConfig,
  journal: Journal,
  { evolver: writer, onRound, signal, prices = {}, stopRequested = () => false }: EvolveOptions = {},
): Promise<Evolution> {
  requireSameInputs(journal, languageModel, writer, task);
  const model = new CachedModel(languageModel, journal);
  const split = requireRunnable(task, model, config);
  const evolver = evolverFor(
    config.method,
    writer === undefined ? model : new CachedModel(writer, journal),
    task,
    editSamplingOf(config),
    roomCheck(task, model, config),
  );
  const run = new Run(task, model, evolver, config, split, journal, prices, signal);
  const stopping = new Stopping(run, journal, stopRequested);
  const budget = budgetOf(task, config);
  const searchAnswers = budget.answers - budget.testAnswers;
  const isOver = (rounds: number) =>
    config.method === "gepa"
      ? run.spent.answers + answersOfRound(config) > searchAnswers
      : rounds === config.rounds;

  if (config.schedule === "algorithm1") {
    await run.score(run.tree.root);
    onRound?.(run, 0);
  }
  let stop: Stop | null = null;
  for (let round = 1; !isOver(round - 1); round++) {
    stop = stopping.after(round - 1);
    if (stop !== null) break;
    await playRound(run, round);
    onRound?.(run, round);
  }
  const left = searchAnswers - run.spent.answers;
  if (config.spendAll && left > 0 && (stop === null || stop.by === "answers")) await run.refineBest(left);
  if (config.kFold !== undefined) run.crossValidate(config.kFold);
  if (split.test.length > 0) await run.testBest();
  const reason = stop?.reason ?? endOf(config);
  journal.record({ type: "done", key: "done", best: run.tree.best().id, reason });
  return run;
}

const endOf = ({ method, rounds }: EvolveConfig) =>
  method === "gepa" ? `the answers of ${rounds} rounds were used` : "all rounds were done";

/** Decides whether rounds go on; what was decided once holds for the resumed run too. */
class Stopping {
  readonly #started = performance.now();

  constructor(
    private readonly run: Run,
    private readonly journal: Journal,
    private readonly requested: () => boolean,
  ) {}

  /** Why no round is begun after this one; null when one is. */
  after(round: number): Stop | null {
    const decided = this.journal.recall("stop", "stop");
    if (decided !== undefined) return decided.round === round ? decided : null;
    // A killed run had begun the next round: what it paid for there is used.
    if (this.journal.recall("round", String(round + 1)) !== undefined) return null;
    const { config, split, spent, tree } = this.run;
    const minutes = (performance.now() - this.#started) / 60_000;
    const next = answersOfRound(config) + split.test.length * config.samples;
    const { answers, edits, answersCost, editsCost } = spent;
    const cost = answersCost + editsCost;
    const costAhead = (next * answersCost) / Math.max(1, answers) + editsCost / Math.max(1, edits);
    const stop: Stop | null = this.requested()
      ? { by: "request", reason: "someone asked for it" }
      : whyStop(config.stop, { round, ...spent, minutes, cost, costAhead }, next, tree);
    if (stop !== null) this.journal.record({ type: "stop", key: "stop", round, ...stop });
    return stop;
  }
}

/** A resumed run must go on with what it began with: its kept answers belong to that model and those problems. */
function requireSameInputs(
  journal: Journal,
  { fingerprint, contextSize }: LanguageModel,
  evolver: LanguageModel | undefined,
  task: Task,
): void {
  const inputs = {
    ...{ model: fingerprint, contextSize, task: task.fingerprint },
    ...(evolver === undefined ? {} : { evolver: evolver.fingerprint }),
  };
  journal.record({ type: "inputs", key: "inputs", ...inputs });
  const recorded = journal.recall("inputs", "inputs");
  for (const [name, what] of [
    ["model", "model file"],
    ["evolver", "evolver"],
    ["contextSize", "context size"],
    ["task", "data or time limit"],
  ] as const) {
    if (recorded?.[name] === inputs[name]) continue;
    throw new LseError(
      `The run to resume was made with another ${what}`,
      "Resume it with what it was started with, or delete its folder and start anew",
    );
  }
}
