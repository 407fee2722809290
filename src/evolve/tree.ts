/** The tree of versions of the instructions, and the rules that choose a node of it. */
/** How the node to edit next is chosen; the first three by the published code's names. */
export type Selection = "deepest" | "best" | "ucb" | "ucb-se" | "accepted";

/** A version of the instructions in its tree. */
export interface TreeNode {
  readonly id: number;
  readonly parent: number | null;
  readonly depth: number;
  /** The round that made the node; 0 for the root. */
  readonly round: number;
  readonly instructions: string;
  /** How often the node was selected. Not how often it was evaluated. */
  visits: number;
  /** Mean over the holdout; NaN until it is known. */
  score: number;
  /** Of the score, over the holdout's problems; NaN until it is known. */
  standardError: number;
}

/**
 * Versions of the instructions, each but the root an edit of its parent. Selection follows the published
 * code exactly (lse/core/tree.py:117-160, quirks Q1 and Q2 of its description): every node is a candidate,
 * leaf or not, and visits count selections.
 */
export class EvolutionTree {
  readonly nodes: TreeNode[] = [];
  /** Selections made so far, by all rules together. */
  totalSelections = 0;

  constructor(seedInstructions: string) {
    this.nodes.push(newNode(0, null, 0, 0, seedInstructions));
  }

  get root(): TreeNode {
    return this.node(0);
  }

  /** @throws RangeError for an id the tree does not have */
  node(id: number): TreeNode {
    const node = this.nodes[id];
    if (node === undefined) throw new RangeError(`the tree has no node ${id}`);
    return node;
  }

  add(parent: number, instructions: string, round: number): TreeNode {
    const node = newNode(this.nodes.length, parent, this.node(parent).depth + 1, round, instructions);
    this.nodes.push(node);
    return node;
  }

  children(id: number): TreeNode[] {
    return this.nodes.filter((node) => node.parent === id);
  }

  /**
   * The node to edit next by a rule; the visit is not counted yet.
   * - `deepest`: the greatest depth, then the highest id: a linear chain.
   * - `best`: the highest score, then depth, then id.
   * - `ucb`: the highest score + c·√(ln N ∕ max(1, visits)), N = max(1, selections before this one);
   *   ties go to the lowest id.
   * - `ucb-se`: the same with the bonus in units of the node's standard error: among scores that noise can explain it
   *   explores, and clearly better ones it takes. Ours, not the paper's.
   * - `accepted`: the node that was strictly better than all before it, for methods that take back other edits.
   *
   * An unknown score ranks below every known one, for `ucb` too.
   */
  choose(selection: Selection, ucbC: number): TreeNode {
    switch (selection) {
      case "deepest":
        return maximum(this.nodes, (node) => [node.depth, node.id]);
      case "accepted":
        return this.best();
      case "best":
        return maximum(this.nodes, (node) => [known(node.score), node.depth, node.id]);
      case "ucb":
        return maximum(this.nodes, (node) => [known(node.score) + ucbC * this.#bonus(node), -node.id]);
      case "ucb-se":
        return maximum(this.nodes, ({ score, standardError, ...node }) => [
          known(score) + ucbC * (Number.isNaN(standardError) ? 1 : standardError) * this.#bonus(node),
          -node.id,
        ]);
    }
  }

  /** Counts the selection of a node. */
  visit(id: number): TreeNode {
    const node = this.node(id);
    node.visits++;
    this.totalSelections++;
    return node;
  }

  /** The node to hand out at the end: the highest score; of equal ones the oldest, since nothing speaks for more edits. */
  best(): TreeNode {
    return this.nodes.reduce((best, node) => (known(node.score) > known(best.score) ? node : best));
  }

  #bonus({ visits }: Pick<TreeNode, "visits">): number {
    return Math.sqrt(Math.log(Math.max(1, this.totalSelections)) / Math.max(1, visits));
  }
}

const known = (score: number) => (Number.isNaN(score) ? Number.NEGATIVE_INFINITY : score);

function newNode(
  id: number,
  parent: number | null,
  depth: number,
  round: number,
  instructions: string,
): TreeNode {
  return { id, parent, depth, round, instructions, visits: 0, score: Number.NaN, standardError: Number.NaN };
}

/** The item with the lexicographically greatest key. */
function maximum<T>(items: readonly T[], key: (item: T) => readonly number[]): T {
  return items.reduce((best, item) => (isGreater(key(item), key(best)) ? item : best));
}

function isGreater(a: readonly number[], b: readonly number[]): boolean {
  for (const [i, value] of a.entries()) {
    const other = b[i] as number;
    if (value !== other) return value > other;
  }
  return false;
}
