/** Edits of saved nodes by the evolver as it is now, and what they are worth. */
import { answerProblems, eachSample, rewardOf } from "../../evolve/answer.js";
import { MIN_INSTRUCTIONS_CHARS } from "../../evolve/evolver.js";
import { roomCheck } from "../../evolve/room.js";
import type { Journal } from "../../journal/journal.js";
import { extractTag } from "../../lib/extract.js";
import { deriveSeed } from "../../lib/random.js";
import type { Completion, LanguageModel, Sampling } from "../../model.js";
import { CachedModel } from "../../runtime/cached-model.js";
import { together } from "../../runtime/together.js";
import { INVALID, type ScoredEdit } from "./advantages.js";
import type { EditState } from "./edit-states.js";

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
      ...{ messages: state.messages, sampling, sample },
      seed: deriveSeed(seed, "rollout", round, group),
    })),
    undefined,
    signal,
  );
  const written = performance.now();

  const edits = asked.map(({ state }, i) => ({ state, text: completions[i]?.text ?? "" }));
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
  readonly text: string;
}

export type JudgedEdit = Omit<Rollout, "group" | "completion">;

/**
 * Scores what was written for saved nodes, each on the holdout of its run. Equal edits are scored once.
 * @returns with the number of answers that were asked for
 */
export async function scoreEdits(
  written: readonly WrittenEdit[],
  policy: LanguageModel,
  journal: Journal,
  signal?: AbortSignal,
): Promise<{ scored: JudgedEdit[]; asked: number }> {
  const edits = written.map(({ state, text }) => ({
    state,
    instructions: extractTag(text, "prompt").trim(),
  }));
  const isUsable = usability(
    edits.map(({ state }) => state),
    policy,
  );
  const changed = edits.filter((edit) => isUsable(edit) && edit.instructions !== edit.state.instructions);
  const distinct = new Map(changed.map((edit) => [nameOf(edit), edit]));
  const cached = new CachedModel(policy, journal);
  const scores = await together(
    [...distinct.values()].map(
      (edit) => (seat) => scoreOf(edit, seat(cached), [...distinct.keys()], journal, signal),
    ),
  );
  const scoreByName = new Map([...distinct.keys()].map((name, i) => [name, scores[i]]));
  return {
    scored: edits.map((edit) => ({
      ...edit,
      ...(isUsable(edit) ? worthOf(edit, scoreByName.get(nameOf(edit))) : WORTHLESS),
    })),
    asked: [...distinct.values()].reduce((sum, { state }) => sum + answersFor(state), 0),
  };
}

interface Edit {
  readonly state: EditState;
  readonly instructions: string;
}

const WORTHLESS = { score: INVALID, reward: INVALID, standardError: Number.NaN };

/** Whether an edit is long enough to be meant, and short enough for its task's prompts to fit the context. */
function usability(states: readonly EditState[], policy: LanguageModel): (edit: Edit) => boolean {
  const fits = new Map(states.map(({ run }) => [run, roomCheck(run.task, policy, run.config)] as const));
  return ({ state, instructions }) =>
    instructions.length >= MIN_INSTRUCTIONS_CHARS && fits.get(state.run)?.(instructions) === null;
}

const nameOf = ({ state, instructions }: Edit) => JSON.stringify([state.run.origin, instructions]);
const answersFor = ({ run: { holdout, config } }: EditState) => holdout.length * config.samples;

function worthOf({ state }: Edit, scored?: { reward: number; standardError: number }) {
  if (scored === undefined) return { score: state.score, reward: 0, standardError: 0 };
  return {
    score: scored.reward,
    reward: scored.reward - state.score,
    standardError: Math.hypot(scored.standardError, state.standardError),
  };
}

/** The score of an edit, measured as its run measured the nodes. */
async function scoreOf(
  { state: { run }, instructions }: Edit,
  policy: LanguageModel,
  names: readonly string[],
  journal: Journal,
  signal?: AbortSignal,
) {
  const { task, config, holdout, origin } = run;
  const plan = {
    // Tells the edits of a set apart in the journal, which knows answers by node.
    node: names.indexOf(JSON.stringify([origin, instructions])),
    ...{ instructions, phase: "holdout" as const, round: 0 },
    ...{ asked: eachSample(holdout, config.samples), seed: config.seed },
  };
  return rewardOf(await answerProblems(plan, task, policy, config.sampling, journal, signal));
}
