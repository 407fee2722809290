import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { EvolutionTree, type Selection } from "#lse/evolve/tree.js";
import { describeWithShared, sharedPath } from "../shared.js";

/** The reference's experiment: score the newest node, select, add a child of the selected node. */
function grow(scores: readonly (number | null)[], selection: Selection, c: number) {
  const tree = new EvolutionTree("seed");
  const selected: number[] = [];
  for (const [i, score] of scores.entries()) {
    tree.node(i).score = score ?? Number.NaN;
    const node = tree.visit(tree.choose(selection, c).id);
    selected.push(node.id);
    tree.add(node.id, `edit ${i}`, i + 1);
  }
  return { tree, selected, visits: tree.nodes.map((node) => node.visits) };
}

describeWithShared("tree selection equals the published code's", ["notes/reference_vectors.json"], () => {
  const vectors: {
    perfs: (number | null)[];
    selection: Selection;
    ucb_c: number;
    selected: number[];
    visits?: number[];
  }[] = JSON.parse(readFileSync(sharedPath("notes/reference_vectors.json"), "utf8")).tree;

  it.each(vectors)("$selection, c = $ucb_c, scores $perfs", ({
    perfs,
    selection,
    ucb_c,
    selected,
    visits,
  }) => {
    const grown = grow(perfs, selection, ucb_c);
    expect(grown.selected).toEqual(selected);
    if (visits !== undefined) expect(grown.visits).toEqual(visits);
  });
});

it("ucb takes equal nodes breadth-first, two children each, at c = 2", () => {
  expect(grow([0.5, 0.5, 0.5, 0.5, 0.5, 0.5], "ucb", 2).selected).toEqual([0, 0, 1, 1, 2, 2]);
});

it("deepest is a chain, best goes back to the best node", () => {
  expect(grow([0.4, 0.5, 0.3, 0.2], "deepest", 2).selected).toEqual([0, 1, 2, 3]);
  expect(grow([0.4, 0.5, 0.3, 0.2], "best", 2).selected).toEqual([0, 1, 1, 1]);
});

it("ucb in units of the standard error explores what noise can explain, and takes what is clearly better", () => {
  const grown = (error: number) => {
    const tree = new EvolutionTree("seed");
    const scores = [0.5, 0.55, 0.5, 0.5, 0.5, 0.5];
    return scores.map((score, i) => {
      Object.assign(tree.node(i), { score, standardError: error });
      const { id } = tree.visit(tree.choose("ucb-se", 2).id);
      tree.add(id, `edit ${i}`, i + 1);
      return id;
    });
  };
  expect(grown(0.001)).toEqual([0, 1, 1, 1, 1, 1]);
  // Once the better one has two children, all get their turn.
  expect(grown(1)).toEqual([0, 1, 1, 0, 2, 2]);
});

it("an unscored node is never preferred to a scored one", () => {
  for (const selection of ["best", "ucb", "ucb-se"] as const) {
    expect(grow([0.1, null, null], selection, 2).selected).toEqual([0, 0, 0]);
  }
});

it("best at equal scores: selection takes the newest, the result is the oldest", () => {
  const { tree } = grow([0.5, 0.5, 0.5], "best", 2);
  tree.node(3).score = 0.5;
  expect(tree.choose("best", 2).id).toBe(3);
  expect(tree.best().id).toBe(0);
});
