/** Which edits a run has asked for, and what came of them. */
import type { EditKindName } from "./config.js";
import type { Tried } from "./judge-edit.js";
import type { KindTrial } from "./mixed.js";
import type { EvolutionTree, TreeNode } from "./tree.js";

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

  /** Edits of a node by one kind, the oldest first. */
  triedFrom({ id, score }: TreeNode, kind: EditKindName): Tried[] {
    return this.#asked
      .filter((asked) => asked.parent === id && asked.kind === kind)
      .flatMap(({ round, rejected }): Tried[] => {
        const child = this.#childOf(id, round);
        const kept = child === undefined || Number.isNaN(child.score) ? [] : [child];
        return [
          ...rejected.map((reason) => ({ rejected: reason })),
          ...kept.map(({ instructions, score: own }) => ({ instructions, gain: own - score })),
        ];
      });
  }

  #childOf(parent: number, round: number): TreeNode | undefined {
    return this.tree.children(parent).find((child) => child.round === round);
  }
}
