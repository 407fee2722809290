/** Runs of evolution on test databases: what a method reaches after so many rounds, and what it costs. */
import { answer, answerSeeds, eachSample, scoreOf } from "#lse/answer/answer.js";
import type { EvolveConfig } from "#lse/evolve/config.js";
import { evolve } from "#lse/evolve/evolve.js";
import type { TreeNode } from "#lse/evolve/tree.js";
import { type Journal, MemoryJournal } from "#lse/journal/journal.js";
import { mean } from "#lse/lib/statistics.js";
import { parseRules } from "#lse/mini/rules.js";
import type { MiniTask } from "#lse/mini/task.js";
import type { LanguageModel } from "#lse/model.js";
import { CachedModel } from "#lse/runtime/cached-model.js";
import { together } from "#lse/runtime/together.js";

/** One score by two protocols. */
export interface Scores {
  /** The best holdout score over the rounds, the paper's number: biased upward, since it chooses the node too. */
  readonly paper: number;
  /** That node's score on problems that nothing has seen. */
  readonly honest: number;
}

export interface RunResult {
  readonly database: string;
  readonly seed: number;
  readonly start: Scores;
  /** After each of the plan's numbers of rounds. */
  readonly after: Readonly<Record<string, Scores>>;
  /** Answers of the policy for the last of them; the test set not counted. */
  readonly answers: number;
  readonly edits: number;
  readonly invalid: number;
  /** Means over the nodes that edits made: rules, and how many of them repeat a term. */
  readonly rules: number;
  readonly duplicates: number;
}

/**
 * Evolves all tasks with all seeds at once.
 * @param answered what was answered before; shared by all methods, which often ask the same
 */
export async function evaluate(
  models: { readonly policy: LanguageModel; readonly evolver: LanguageModel },
  tasks: readonly MiniTask[],
  configs: readonly EvolveConfig[],
  after: readonly number[],
  answered: Journal,
): Promise<RunResult[]> {
  const runs = tasks.flatMap((task) => configs.map((config) => ({ task, config })));
  return await together(
    runs.map(({ task, config }) => async (seat) => {
      const policy = new CachedModel(seat(models.policy), answered);
      const evolver = new CachedModel(seat(models.evolver), answered);
      return await evaluateRun(policy, evolver, task, config, after);
    }),
  );
}

async function evaluateRun(
  policy: LanguageModel,
  evolver: LanguageModel,
  task: MiniTask,
  config: EvolveConfig,
  after: readonly number[],
): Promise<RunResult> {
  const journal = new MemoryJournal();
  const { tree, rejectedEdits } = await evolve(task, policy, config, journal, { evolver });
  const known = new Map<number, Promise<Scores>>();
  const scoresOf = ({ id, instructions, score }: TreeNode): Promise<Scores> => {
    const scores = known.get(id) ?? testScore(instructions).then((honest) => ({ paper: score, honest }));
    known.set(id, scores);
    return scores;
  };
  const testScore = async (instructions: string) => {
    const answers = await answer(task, policy, {
      instructions,
      asked: eachSample(task.testIds, 1),
      sampling: config.sampling,
      seedOf: answerSeeds(0, "holdout"),
    });
    return scoreOf(answers).score;
  };
  const start = await scoresOf(tree.root);
  const reached: Record<string, Scores> = {};
  for (const rounds of after) {
    const made = tree.nodes.filter(({ round }) => round <= rounds);
    reached[rounds] = await scoresOf(made.reduce((a, b) => (b.score > a.score ? b : a)));
  }
  const made = tree.nodes.slice(1);
  const counts = made.map(({ instructions }) => ({
    rules: parseRules(instructions).length,
    all: instructions.split(/\smeans\s/).length - 1,
  }));
  return {
    database: task.id,
    seed: config.seed,
    start,
    after: reached,
    answers: journal.events.filter(({ type }) => type === "answer").length,
    edits: made.length + rejectedEdits,
    invalid: rejectedEdits,
    rules: meanOr0(counts.map(({ rules }) => rules)),
    duplicates: meanOr0(counts.map(({ rules, all }) => all - rules)),
  };
}

/** A run whose edits all failed has no nodes to speak of. */
const meanOr0 = (values: readonly number[]) => (values.length === 0 ? 0 : mean(values));
