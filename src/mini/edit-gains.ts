/** Measures what one edit is worth in the miniature world: a model's, and a perfect reader's of the same summary. */
import { type Answer, answer, answerSeeds, eachSample, scoreOf } from "../answer/answer.js";
import type { EvolveConfig } from "../evolve/config.js";
import { editKindFor, REWRITE } from "../evolve/edit-kinds.js";
import { batchOf, splitProblems } from "../evolve/split.js";
import { EvolutionTree } from "../evolve/tree.js";
import { MemoryJournal } from "../journal/journal.js";
import type { LanguageModel, Sampling } from "../model.js";
import { together } from "../runtime/together.js";
import type { EditState } from "../train/rl/edit-states.js";
import { rollOut } from "../train/rl/rollouts.js";
import { Draw } from "./draw.js";
import { perfectEdit } from "./edits.js";
import { type Rule, rulesText } from "./rules.js";
import { rulesInState, type State } from "./states.js";
import type { MiniTask } from "./task.js";

/** Instructions that wait for an edit, after a batch that the policy has answered. */
export interface EditStart {
  readonly task: MiniTask;
  readonly rules: readonly Rule[];
  readonly batch: readonly Answer[];
  readonly state: EditState;
  /** Whether an edit is asked for: some kinds have nothing to say of a batch that was all right. */
  readonly isAsked: boolean;
}

/**
 * One start for each database. Scored on the problems that evolution does not see.
 * @param config batch, holdout (which is kept free), seed, the kind of edits and the policy's sampling
 */
export async function editStarts(
  policy: LanguageModel,
  tasks: readonly MiniTask[],
  state: State,
  config: EvolveConfig,
): Promise<EditStart[]> {
  return await together(tasks.map((task) => (seat) => startOf(seat(policy), task, state, config)));
}

/** What a model's edits change, for each start the mean over its samples; an invalid edit, or none, changes nothing. */
export async function editGains(
  models: { readonly policy: LanguageModel; readonly evolver: LanguageModel },
  starts: readonly EditStart[],
  edits: { readonly sampling: Sampling; readonly samples: number; readonly seed: number },
): Promise<{ gain: number; invalid: number }[]> {
  const { sampling, samples: rollouts, seed } = edits;
  const asked = starts.filter(({ isAsked }) => isAsked);
  const plan = { states: asked.map(({ state }) => state), rollouts, sampling, seed, round: 0 };
  const all = (await rollOut(plan, models, new MemoryJournal())).rollouts;
  return starts.map((start) => {
    if (!start.isAsked) return { gain: 0, invalid: 0 };
    const group = asked.indexOf(start);
    const own = all.filter((rollout) => rollout.group === group);
    const valid = own.filter(({ isValid }) => isValid);
    const gain = valid.reduce((sum, { reward }) => sum + reward, 0) / own.length;
    return { gain, invalid: 1 - valid.length / own.length };
  });
}

/** What a perfect edit of the same summaries changes, answered by the same policy. */
export async function perfectGains(policy: LanguageModel, starts: readonly EditStart[]): Promise<number[]> {
  return await together(
    starts.map(({ task, rules, batch, state }) => async (seat) => {
      const feedback = batch.map(({ problem, outcome: { correct } }) => ({
        question: task.problem(problem).question,
        correct,
      }));
      const best = rulesText(perfectEdit(rules, feedback, task.database.conventions));
      if (best === state.instructions) return 0;
      const answers = await ask(seat(policy), task, best, "holdout", task.testIds, state.run.config);
      return scoreOf(answers).score - state.score;
    }),
  );
}

async function startOf(
  policy: LanguageModel,
  task: MiniTask,
  state: State,
  config: EvolveConfig,
): Promise<EditStart> {
  const { database, testIds } = task;
  const rules = rulesInState(database, state, new Draw("edit gains", state, database.seed));
  const instructions = rulesText(rules);
  const { score, standardError } = scoreOf(await ask(policy, task, instructions, "holdout", testIds, config));
  const { pool } = splitProblems(task, config);
  const problems = batchOf(pool, config.batch, 1, config.seed);
  const batch = await ask(policy, task, instructions, "batch", problems, config);
  const run = {
    origin: task.id,
    policy: policy.fingerprint,
    task,
    config,
    records: [],
    holdout: testIds,
    tree: new EvolutionTree(instructions),
  };
  const kind = config.edits === "mixed" ? "rewrite" : config.edits;
  const { messages, needsFailures } = editKindFor(kind, task) ?? REWRITE;
  const prompt = messages({ task, instructions, batch, tried: [], fits: () => true });
  return {
    task,
    rules,
    batch,
    isAsked: !needsFailures || batch.some(({ outcome }) => !outcome.correct),
    state: { run, node: 0, kind, instructions, messages: prompt, score, standardError, potential: 0 },
  };
}

function ask(
  policy: LanguageModel,
  task: MiniTask,
  instructions: string,
  phase: "batch" | "holdout",
  problems: readonly string[],
  { seed, sampling }: EvolveConfig,
): Promise<Answer[]> {
  return answer(task, policy, {
    instructions,
    asked: eachSample(problems, 1),
    sampling,
    seedOf: answerSeeds(seed, phase, 1),
  });
}
