/** Which edits a run has asked for, and what came of them. */
import type { EditKindName, EvolveConfig } from "./config.js";
import type { Tried } from "./judge-edit.js";
import type { KindTrial } from "./mixed.js";
import type { Split } from "./problem-parts.js";
import type { EvolutionTree, TreeNode } from "./tree.js";

/** An edit that was tried before, and of which node. */
export interface PastEdit {
  readonly round: number;
  /** Id of the node that it changed. */
  readonly parent: number;
  readonly edit: Tried;
}

/** What an edit is asked for now. */
export interface EditMoment {
  /** Id of the node to edit. */
  readonly node: number;
  readonly round: number;
  readonly config: EvolveConfig;
  readonly split: Split;
}

/** Whether the evolver is told of an earlier edit. */
export type Memory = (past: PastEdit, now: EditMoment) => boolean;

/** An edit of a round. */
interface Asked {
  readonly round: number;
  /** The node that was edited. */
  readonly parent: number;
  readonly kind: EditKindName;
  /** Why attempts at it could not be used. */
  readonly rejected: string[];
}

/** The edits of a run so far. */
export class EditHistory {
  readonly #asked: Asked[] = [];

  constructor(private readonly tree: EvolutionTree) {}

  /** Notes that a round asks for an edit. @returns what to call for each attempt that cannot be used */
  ask(round: number, parent: TreeNode, kind: EditKindName): (reason: string) => void {
    const rejected: string[] = [];
    this.#asked.push({ round, parent: parent.id, kind, rejected });
    return (reason) => rejected.push(reason);
  }

  /** Of each round that asked for an edit: whether it made a node that is better than its parent. */
  trials(): KindTrial[] {
    return this.#asked.map(({ round, parent, kind }) => {
      const child = this.#childOf(parent, round);
      return { kind, improved: child !== undefined && child.score > this.tree.node(parent).score };
    });
  }

  /** Edits of one kind that were scored or could not be used, the oldest first. */
  past(kind: EditKindName): PastEdit[] {
    return this.#asked
      .filter((asked) => asked.kind === kind)
      .flatMap(({ round, parent: id, rejected }) => {
        const parent = this.tree.node(id);
        const child = this.#childOf(id, round);
        const scored = child === undefined || Number.isNaN(child.score) ? [] : [child];
        const edits: Tried[] = [
          ...rejected.map((reason) => ({ rejected: reason })),
          ...scored.map(({ instructions, score }) => ({
            ...{ instructions, gain: score - parent.score, from: parent.instructions },
          })),
        ];
        return edits.map((edit) => ({ round, parent: id, edit }));
      });
  }

  #childOf(parent: number, round: number): TreeNode | undefined {
    return this.tree.children(parent).find((child) => child.round === round);
  }
}
