/** Saved evolution trees as the data that an evolver is trained on (paper §4; the published lse_ds.py:36-132). */

import { LseError } from "../../errors.js";
import type { EditKindName, EvolveConfig } from "../../evolve/config.js";
import type { NodeRecord } from "../../evolve/run.js";
import type { EvolutionTree } from "../../evolve/tree.js";
import { deriveSeed, shuffled } from "../../lib/random.js";
import type { ChatMessage } from "../../model.js";
import type { Task } from "../../task.js";

/** A run of evolution that is over. */
export interface SavedRun {
  /** Where it lies. */
  readonly origin: string;
  /** Fingerprint of the model that answered; null where the run does not say. */
  readonly policy: string | null;
  readonly task: Task;
  readonly config: EvolveConfig;
  readonly tree: EvolutionTree;
  /** The prompts for edits, by node id. */
  readonly records: readonly Pick<NodeRecord, "selfEvolvePrompt" | "editKind">[];
  /** The problems that scored the nodes. */
  readonly holdout: readonly string[];
}

/** A node from which one step of evolution can be taken again. */
export interface EditState {
  readonly run: SavedRun;
  readonly node: number;
  readonly messages: readonly ChatMessage[];
  /** The kind of edit that they ask for. */
  readonly kind: EditKindName;
  readonly instructions: string;
  /** Mean score on the run's holdout. */
  readonly score: number;
  readonly standardError: number;
  /** How far the score lies below the best of its tree. */
  readonly potential: number;
}

/** Most improvable nodes first, the other way round, or by chance. */
export const ORDERS = ["potential", "reverse", "random"] as const;
export type Order = (typeof ORDERS)[number];

/**
 * The nodes that have a score and a prompt, each prompt once, in the order of training.
 * @throws LseError when there is none
 */
export function editStates(runs: readonly SavedRun[], order: Order, seed: number): EditState[] {
  const states = new Map<string, EditState>();
  for (const run of runs) {
    const best = run.tree.best().score;
    for (const { id, instructions, score, standardError } of run.tree.nodes) {
      const { selfEvolvePrompt: messages, editKind: kind } = run.records[id] ?? {};
      if (messages == null || kind == null || Number.isNaN(score)) continue;
      const key = JSON.stringify([run.task.fingerprint, messages]);
      if (states.has(key)) continue;
      const potential = best - score;
      states.set(key, { run, node: id, messages, kind, instructions, score, standardError, potential });
    }
  }
  const all = shuffled([...states.values()], deriveSeed("edit states", seed));
  if (all.length === 0)
    throw new LseError(
      "the trees have no node with a score and a prompt for an edit",
      "Let the runs finish at least one round: `lse collect`",
    );
  if (order === "random") return all;
  // Sorting is stable: of equally improvable nodes the shuffle decides.
  const sign = order === "potential" ? -1 : 1;
  return all.sort((a, b) => sign * (a.potential - b.potential));
}

/** The states of an update, `update` counting from 1: the data in order, again and again. */
export function statesOf(states: readonly EditState[], count: number, update: number): EditState[] {
  const first = (update - 1) * count;
  return Array.from({ length: count }, (_, i) => states[(first + i) % states.length] as EditState);
}
