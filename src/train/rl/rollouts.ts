/** Edits of saved nodes by the evolver as it is now, and what they are worth. */
import { answer, answerSeeds, eachSample, scoreOf } from "../../answer/answer.js";
import { rulesOf } from "../../evolve/judge-edit.js";
import { editKindOf } from "../../evolve/methods.js";
import { roomIn } from "../../evolve/room.js";
import type { Journal } from "../../journal/journal.js";
import { deriveSeed } from "../../lib/random.js";
import type { Completion, LanguageModel, Sampling } from "../../model.js";
import { CachedModel } from "../../runtime/cached-model.js";
import { together } from "../../runtime/together.js";
import { INVALID, type ScoredEdit } from "./advantages.js";
import type { EditState, SavedRun } from "./edit-states.js";

/** Which nodes are edited, how often, and how edits are drawn. */
export interface RolloutPlan {
  readonly states: readonly EditState[];
  /** Edits of each state. */
  readonly rollouts: number;
  /** How edits are drawn. */
  readonly sampling: Sampling;
  readonly seed: number;
  /** Names this set of edits: another one draws others. */
  readonly round: number;
}

/** An edit of a node that was drawn and scored. */
export interface Rollout extends ScoredEdit {
  readonly state: EditState;
  readonly completion: Completion;
  /** What was taken out of the completion; empty when there was nothing. */
  readonly instructions: string;
  /** Whether it can be used as instructions; one that changes nothing can, and has the reward 0. */
  readonly isValid: boolean;
  /**
   * Of the reward, as if score and node's score came from different problems; they come from the same ones, so it
   * is rather too large. NaN for an invalid edit.
   */
  readonly standardError: number;
}

export interface RolloutTimes {
  /** Seconds in which the evolver wrote. */
  edits: number;
  /** Seconds in which the policy answered, grading included. */
  answers: number;
  /** Answers asked for. */
  asked: number;
}

/**
 * Lets the evolver edit every state several times and scores each edit on the holdout of the state's run, with the
 * random numbers that its own score came from. Equal edits are scored once, and those that change nothing not at all.
 * @param journal keeps every completion, so that a repetition pays for none again
 */
export async function rollOut(
  plan: RolloutPlan,
  models: { readonly evolver: LanguageModel; readonly policy: LanguageModel },
  journal: Journal,
  signal?: AbortSignal,
): Promise<{ rollouts: Rollout[]; times: RolloutTimes }> {
  const { states, rollouts, sampling, seed, round } = plan;
  const started = performance.now();
  const asked = states.flatMap((state, group) =>
    Array.from({ length: rollouts }, (_, sample) => ({ state, group, sample })),
  );
  const completions = await new CachedModel(models.evolver, journal).generate(
    asked.map(({ state, group, sample }) => ({
      messages: state.messages,
      sampling,
      sample,
      seed: deriveSeed(seed, "rollout", round, group),
    })),
    undefined,
    signal,
  );
  const written = performance.now();

  const edits = asked.map(({ state }, i) => ({ state, completion: completions[i] as Completion }));
  const { scored, asked: answers } = await scoreEdits(edits, models.policy, journal, signal);
  const times = {
    edits: (written - started) / 1000,
    answers: (performance.now() - written) / 1000,
    asked: answers,
  };
  return {
    times,
    rollouts: scored.map((edit, i) => ({
      ...edit,
      group: asked[i]?.group as number,
      completion: completions[i] as Completion,
    })),
  };
}

/** What an evolver wrote for a node. */
export interface WrittenEdit {
  readonly state: EditState;
  readonly completion: Pick<Completion, "text" | "finishReason" | "generatedTokens">;
}

/** An edit without the draw that it came from. */
export type RatedEdit = Omit<Rollout, "group" | "completion">;

/**
 * Scores what was written for saved nodes, each on the holdout of its run. Equal edits are scored once.
 * @returns with the number of answers that were asked for
 */
export async function scoreEdits(
  written: readonly WrittenEdit[],
  policy: LanguageModel,
  journal: Journal,
  signal?: AbortSignal,
): Promise<{ scored: RatedEdit[]; asked: number }> {
  const unusable = roomChecks(written, policy);
  const edits = written.map(({ state, completion }) => {
    const { task } = state.run;
    const rules = {
      parent: state.instructions,
      unusable: unusable(state.run),
      ...rulesOf(task),
    };
    return { state, ...editKindOf(state.run.config.method, state.kind, task).judge(completion, rules) };
  });
  const changed = edits.filter(({ verdict }) => verdict === "usable");
  const distinct = new Map(changed.map((edit) => [nameOf(edit), edit]));
  const cached = new CachedModel(policy, journal);
  const scores = await together(
    [...distinct.values()].map((edit) => (seat) => holdoutScore(edit, seat(cached), signal)),
  );
  const scoreByName = new Map([...distinct.keys()].map((name, i) => [name, scores[i]]));
  return {
    scored: edits.map(({ verdict, reason, ...edit }) => ({
      ...edit,
      ...(verdict === "invalid" ? WORTHLESS : worthOf(edit.state, scoreByName.get(nameOf(edit)))),
    })),
    asked: [...distinct.values()].reduce((sum, { state }) => sum + answersFor(state), 0),
  };
}

interface Edit {
  readonly state: EditState;
  readonly instructions: string;
}

interface Score {
  readonly score: number;
  readonly standardError: number;
}

const WORTHLESS = { score: INVALID, reward: INVALID, standardError: Number.NaN, isValid: false };

/** Whether instructions leave room in the policy's context, by the run that they are for. */
function roomChecks(written: readonly WrittenEdit[], policy: LanguageModel) {
  const runs = new Set(written.map(({ state }) => state.run));
  const checks = new Map([...runs].map((run) => [run, roomIn(run.task, run.config)(policy)]));
  return (run: SavedRun) => (instructions: string) => checks.get(run)?.(instructions) ?? null;
}

const nameOf = ({ state, instructions }: Edit) => JSON.stringify([state.run.origin, instructions]);
const answersFor = ({ run: { holdout, config } }: EditState) => holdout.length * config.samples;

/** @param edited the score under the edit; left out where it changes nothing */
function worthOf(state: EditState, edited?: Score) {
  if (edited === undefined) return { score: state.score, reward: 0, standardError: 0, isValid: true };
  return {
    score: edited.score,
    reward: edited.score - state.score,
    standardError: Math.hypot(edited.standardError, state.standardError),
    isValid: true,
  };
}

/** The score under an edit, measured as its run measured the nodes. */
async function holdoutScore(
  { state: { run }, instructions }: Edit,
  policy: LanguageModel,
  signal: AbortSignal | undefined,
): Promise<Score> {
  const { task, config, holdout } = run;
  const answers = await answer(task, policy, {
    instructions,
    asked: eachSample(holdout, config.samples),
    strategy: config.strategy,
    sampling: config.sampling,
    seedOf: answerSeeds(config.seed, "holdout"),
    signal,
  });
  return scoreOf(answers);
}
