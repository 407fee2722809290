/** A run of evolution in its folder: the one loop of `lse evolve`, of a workspace, of collected runs and of scripts. */
import { existsSync } from "node:fs";
import { type ReliabilityRow, ratedAnswers, reliability } from "../answer/reliability.js";
import { type Evolution, evolve } from "../evolve/evolve.js";
import type { RunPlan } from "../evolve/plan.js";
import { treeToJson } from "../evolve/tree-file.js";
import type { RunEvent } from "../journal/journal.js";
import { JournalFile, type SavedJournal } from "../journal/journal-file.js";
import type { PaidCompletions } from "../journal/paid-completions.js";
import type { RunFolder } from "../journal/run-folder.js";
import { FolderLock } from "../lib/folder-lock.js";
import type { LanguageModel, Usage } from "../model.js";
import { CachedModel } from "../runtime/cached-model.js";
import { UsageMeter } from "../runtime/usage-meter.js";
import type { Task } from "../task.js";
import type { RunConfig } from "./config.js";
import { pricesOf } from "./open-models.js";
import { planOf } from "./run-budget.js";

/** What a run works with; all of it stays open. */
export interface RunInputs {
  readonly task: Task;
  /** The action policy: answers problems. */
  readonly policy: LanguageModel;
  /** Writes the edits; left out, the policy does that too. */
  readonly evolver?: LanguageModel | undefined;
  /** What other runs have paid for, and need not be paid for again. */
  readonly paid?: PaidCompletions | undefined;
  /** Made where it is left out. */
  readonly plan?: RunPlan;
}

/** A run that is about to go on, with what is in its journal already. */
export interface RunStart {
  readonly folder: RunFolder;
  readonly task: Task;
  readonly config: RunConfig;
  readonly plan: RunPlan;
  readonly journal: SavedJournal;
}

/** Who is told what while a run goes on. */
export interface RunHooks {
  /** Called before anything is asked for. */
  readonly onStart?: ((start: RunStart) => void) | undefined;
  /** Called for each event that was not in the journal before. */
  readonly onEvent?: ((event: RunEvent) => void) | undefined;
  /** Ends the run at once; what was paid for is kept. */
  readonly signal?: AbortSignal | undefined;
}

/** What came of a run, over all the processes that worked on it. */
export interface RunOutcome {
  readonly folder: RunFolder;
  readonly config: RunConfig;
  readonly evolution: Evolution;
  readonly stopReason: string;
  readonly answers: number;
  /** How often answers of the best node were right, by their confidence; empty where one answer is drawn for each. */
  readonly reliability: readonly ReliabilityRow[];
  readonly generations: number;
  /** Completions that came from other runs, in this process. */
  readonly reused: number;
  /** Of the policy, in this process. */
  readonly usage: Readonly<Usage>;
}

/**
 * Evolves in a run's folder and keeps other processes out of it.
 * @throws as `evolve`; LseError when another process works in the folder
 */
export async function runInFolder(
  folder: RunFolder,
  config: RunConfig,
  inputs: RunInputs,
  hooks: RunHooks = {},
): Promise<RunOutcome> {
  using _lock = FolderLock.take(folder.path, "lse evolve");
  return await runLocked(folder, config, inputs, hooks);
}

/**
 * Evolves in a folder that this process has locked, from where its journal ends: events as they happen; tree, best instructions and usage
 * after each round; a file named `stop` in the folder ends it after the round.
 * @throws as `evolve`
 */
export async function runLocked(
  folder: RunFolder,
  config: RunConfig,
  { task, policy, evolver, paid: allPaid, plan = planOf(task, policy, config) }: RunInputs,
  { onStart, onEvent, signal }: RunHooks = {},
): Promise<RunOutcome> {
  using journal = new JournalFile(folder.eventsPath);
  onStart?.({ folder, task, config, plan, journal });
  journal.onEvent = onEvent;
  const paid = allPaid?.counted();
  const reusing = (model: LanguageModel) => (paid === undefined ? model : new CachedModel(model, paid));
  const meter = new UsageMeter([policy, ...(evolver === undefined ? [] : [evolver])]);
  const evolution = await evolve(task, reusing(policy), config.evolve, journal, {
    evolver: evolver && reusing(evolver),
    prices: pricesOf(config),
    plan,
    signal,
    stopRequested: () => existsSync(folder.stopPath),
    onRound: (state, round) => {
      journal.record({ type: "usage", key: `${round}`, round, ...meter.read() });
      journal.sync();
      folder.writeTree(treeToJson(state, config.evolve));
      folder.writeBest(state.tree.best().instructions);
    },
  });
  // What came after the last round: answers that were left over have changed the best node's score.
  folder.writeTree(treeToJson(evolution, config.evolve));
  folder.writeBest(evolution.tree.best().instructions);
  journal.sync();
  return {
    folder,
    config,
    evolution,
    stopReason: journal.recall("done", "done")?.reason ?? "",
    answers: journal.count("answer"),
    reliability: reliability(ratedAnswers(journal.all("answer"), evolution.tree.best().id)),
    generations: journal.count("generation"),
    reused: paid?.found ?? 0,
    usage: policy.usage,
  };
}
