/** The tree of a run in text, and what its edits changed. */
import { styleText } from "node:util";
import { diffLines } from "diff";
import type { EvolutionTree, TreeNode } from "../evolve/tree.js";
import { printable } from "../lib/printable.js";
import { signed } from "./numbers.js";

/**
 * A tree in text, one node a line: id, score with its standard error, how often it was selected,
 * and a mark on the best node.
 */
export function renderTree(tree: EvolutionTree): string {
  const best = tree.best().id;
  const lines: string[] = [];
  const draw = (node: TreeNode, own: string, below: string) => {
    const mark = node.id === best ? styleText("green", " ← best") : "";
    lines.push(
      `${own}${styleText("bold", `node ${node.id}`)}  ${scoreText(node)}  selected ${node.visits}×${mark}`,
    );
    const children = tree.children(node.id);
    for (const [i, child] of children.entries()) {
      const last = i === children.length - 1;
      draw(child, `${below}${last ? "└── " : "├── "}`, `${below}${last ? "    " : "│   "}`);
    }
  };
  draw(tree.root, "", "");
  return lines.join("\n");
}

/** What each edit changed, line by line. */
export function renderEdits(tree: EvolutionTree): string {
  const edits = tree.nodes.flatMap((node) => {
    if (node.parent === null) return [];
    const parent = tree.node(node.parent);
    const title = `node ${parent.id} → node ${node.id}, round ${node.round}: ${difference(node.score - parent.score)}`;
    return [`${styleText("bold", title)}\n${diffText(parent.instructions, node.instructions)}`];
  });
  return edits.join("\n\n");
}

export function scoreText({ score, standardError }: TreeNode): string {
  if (Number.isNaN(score)) return "not scored";
  return Number.isNaN(standardError) ? score.toFixed(3) : `${score.toFixed(3)} ± ${standardError.toFixed(3)}`;
}

const difference = (value: number) => (Number.isNaN(value) ? "not scored" : signed(value));

/** What changed between two texts, line by line. */
export function diffText(before: string, after: string): string {
  const changes = diffLines(`${printable(before)}\n`, `${printable(after)}\n`);
  return changes
    .flatMap(({ value, added, removed }) => {
      const [sign, style] = added
        ? (["+", "green"] as const)
        : removed
          ? (["-", "red"] as const)
          : ([" ", "dim"] as const);
      return value
        .replace(/\n$/, "")
        .split("\n")
        .map((line) => styleText(style, `  ${sign} ${line}`));
    })
    .join("\n");
}
