/** What one edit is worth in the miniature world: a model's, and that of a perfect reader of the same summary. */
import { answerProblems, rewardOf } from "../evolve/answer.js";
import type { EvolveConfig } from "../evolve/config.js";
import { evolverMessages } from "../evolve/evolver-prompt.js";
import { batchOf, splitProblems } from "../evolve/split.js";
import { EvolutionTree } from "../evolve/tree.js";
import { MemoryJournal } from "../journal.js";
import { Draw } from "../mini/draw.js";
import { perfectEdit } from "../mini/edits.js";
import { rulesText } from "../mini/rules.js";
import { rulesInState, type State } from "../mini/states.js";
import type { MiniTask } from "../mini/task.js";
import type { LanguageModel, Sampling } from "../runtime/model.js";
import { together } from "../runtime/together.js";
import type { EditState } from "../train/rl/edit-states.js";
import { rollOut } from "../train/rl/rollouts.js";

export interface EditGain {
  readonly database: string;
  readonly state: State;
  /** Change of EX on the database's test problems by an edit, mean over the samples; an invalid one changes nothing. */
  readonly gain: number;
  readonly invalid: number;
  /** The change by a perfect edit of the same summary, answered by the same policy. */
  readonly perfect: number;
}

/**
 * Asks for edits of instructions in a state, one set for each database, after a batch that the policy has answered.
 * Scored on the test problems: neither batch nor training has seen them.
 */
export async function editGains(
  models: { readonly policy: LanguageModel; readonly evolver: LanguageModel },
  tasks: readonly MiniTask[],
  state: State,
  config: EvolveConfig,
  edits: { readonly sampling: Sampling; readonly samples: number },
): Promise<EditGain[]> {
  const starts = await together(
    tasks.map((task) => (seat) => startOf(seat(models.policy), task, state, config)),
  );
  const plan = {
    states: starts.map((start) => start.state),
    ...{ rollouts: edits.samples, sampling: edits.sampling, seed: config.seed, round: 0 },
  };
  const { rollouts } = await rollOut(plan, models, new MemoryJournal());
  return starts.map(({ perfect, state: { run } }, group) => {
    const own = rollouts.filter((rollout) => rollout.group === group);
    const isValid = ({ standardError }: (typeof own)[number]) => !Number.isNaN(standardError);
    const gains = own.map((rollout) => (isValid(rollout) ? rollout.reward : 0));
    return {
      ...{ database: run.task.id, state, perfect },
      gain: gains.reduce((sum, gain) => sum + gain, 0) / own.length,
      invalid: own.filter((rollout) => !isValid(rollout)).length / own.length,
    };
  });
}

/** The instructions, their score, a batch's summary, and what a perfect edit gains. */
async function startOf(
  policy: LanguageModel,
  task: MiniTask,
  state: State,
  config: EvolveConfig,
): Promise<{ state: EditState; perfect: number }> {
  const { database, testIds } = task;
  const rules = rulesInState(database, state, new Draw("edit gains", state, database.seed));
  const instructions = rulesText(rules);
  const ask = (text: string, phase: "batch" | "holdout", problems: readonly string[]) =>
    answerProblems(
      { node: 0, instructions: text, phase, round: 1, problems, samples: 1, seed: config.seed },
      task,
      policy,
      config.sampling,
      new MemoryJournal(),
    );
  const score = rewardOf(await ask(instructions, "holdout", testIds));
  const { pool } = splitProblems(task.id, task.problemIds, config);
  const batch = await ask(instructions, "batch", batchOf(pool, config.batch, 1, config.seed));
  const feedback = batch.map(({ problem, outcome: { correct } }) => ({
    question: task.problem(problem).question,
    correct,
  }));
  const best = rulesText(perfectEdit(rules, feedback, database.conventions));
  const perfect = best === instructions ? score : rewardOf(await ask(best, "holdout", testIds));
  const run = {
    ...{ origin: task.id, policy: policy.fingerprint, task, config, prompts: [], holdout: testIds },
    tree: new EvolutionTree(instructions),
  };
  return {
    perfect: perfect.reward - score.reward,
    state: {
      ...{ run, node: 0, instructions, potential: 0 },
      messages: evolverMessages(task, instructions, batch, () => true),
      score: score.reward,
      standardError: score.standardError,
    },
  };
}
