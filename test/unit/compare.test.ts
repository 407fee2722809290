import { describe, expect, it } from "vitest";
import { compareRuns, type FinishedRun } from "#lse/evolve/compare.js";

function run(method: string, scores: readonly number[], over: Partial<FinishedRun> = {}): FinishedRun {
  return {
    path: `runs/${method}`,
    method,
    pair: "mini/test/0 seed 1",
    database: "mini/test/0",
    conditions: { "model that answers": "m" },
    hasEdits: true,
    instructions: "seed",
    answers: 100,
    testAnswers: 4,
    completions: 104,
    holdoutScores: new Map([1, 1, 1, 0].map((score, i) => [`h${i}`, score])),
    testScores: new Map(scores.map((score, i) => [`p${i}`, score])),
    ...over,
  };
}
const on = (database: string, seed = 1) => ({ pair: `${database} seed ${seed}`, database });

describe("a comparison", () => {
  it("of two runs pairs their test problems", () => {
    const found = compareRuns([run("a", [1, 1, 1, 0]), run("b", [0, 1, 0, 0])]);
    expect(found).toMatchObject({ comparable: true, reasons: [] });
    expect(
      found.methods.map(({ method, honest, paper, answers }) => [method, honest?.mean, paper.mean, answers]),
    ).toEqual([
      ["a", 0.75, 0.75, 100],
      ["b", 0.25, 0.75, 100],
    ]);
    const [difference] = found.differences;
    expect(difference).toMatchObject({ a: "a", b: "b", mean: 0.5 });
    // Both are right or wrong together where they agree: the interval of the difference does not go below 0.
    expect(difference?.low).toBe(0);
    expect(difference?.high).toBe(1);
  });

  it("of two scores by one strategy tells their instructions apart", () => {
    const scored = (instructions: string, scores: number[]) =>
      run("no edits", scores, { hasEdits: false, instructions });
    const { comparable, differences } = compareRuns([scored("old", [0, 0]), scored("new", [1, 1])]);
    expect(comparable).toBe(true);
    expect(differences).toMatchObject([
      { a: "no edits, instructions old", b: "no edits, instructions new", mean: -1 },
    ]);
    const again = [scored("old", [0, 0]), { ...scored("new", [1, 1]), ...on("other") }];
    expect(compareRuns(again).methods.map(({ method }) => method)).toEqual(["no edits"]);
  });

  it("of two runs that started from different instructions is none, be they of one method or of two", () => {
    const from = (instructions: string, method: string) => run(method, [1, 0], { instructions });
    expect(compareRuns([from("old", "tree"), from("new", "chain")]).reasons).toEqual([
      "tree and chain did not start from the same instructions",
    ]);
    const { methods, reasons } = compareRuns([from("old", "tree"), from("new", "tree")]);
    expect(methods.map(({ method }) => method)).toEqual(["tree, instructions old", "tree, instructions new"]);
    expect(reasons).toEqual([
      "tree, instructions old and tree, instructions new did not start from the same instructions",
    ]);
    // What a run found may be scored by a run without edits.
    const scored = run("no edits", [1, 0], { instructions: "new", hasEdits: false });
    expect(compareRuns([from("old", "tree"), scored]).reasons.join()).not.toContain("same instructions");
  });

  it("over databases draws databases, of which each is the mean of its seeds", () => {
    const runs = [
      ...["x", "y", "z"].flatMap((database) => [
        run("a", [1, 1], on(database)),
        run("a", [0, 0], on(database, 2)),
        run("b", [0, 0], on(database)),
        run("b", [0, 1], on(database, 2)),
      ]),
    ];
    const { methods, differences } = compareRuns(runs);
    // All databases say the same: nothing is left to chance, however much seeds differ.
    expect(methods[0]?.honest).toEqual({ mean: 0.5, low: 0.5, high: 0.5 });
    expect(differences).toEqual([{ a: "a", b: "b", mean: 0.25, low: 0.25, high: 0.25 }]);
  });

  it("has every pair of methods", () => {
    const { differences } = compareRuns(["a", "b", "c"].map((method) => run(method, [1, 0])));
    expect(differences.map(({ a, b }) => a + b)).toEqual(["ab", "ac", "bc"]);
    expect(compareRuns([run("a", [1, 0])])).toMatchObject({ comparable: true, differences: [] });
  });

  it.each([
    [
      "another model",
      run("b", [1, 0], { conditions: { "model that answers": "n", strategy: "s" } }),
      /a and b differ in the model that answers/,
    ],
    [
      "another strategy",
      run("b", [1, 0], { conditions: { "model that answers": "m", strategy: "t" } }),
      /a and b differ in the strategy/,
    ],
    ["another budget", run("b", [1, 0], { answers: 90 }), /same number of answers \(100 and 90: runs\/a\)/],
    ["another database", run("b", [1, 0], on("mini/test/1")), /same databases with the same seeds/],
    ["another seed", run("b", [1, 0], on("mini/test/0", 2)), /same databases with the same seeds/],
    ["no test", run("b", []), /runs\/b has no test/],
  ])("with %s is told apart", (_, other, reason) => {
    const one = run("a", [1, 0], { conditions: { "model that answers": "m", strategy: "s" } });
    const { comparable, reasons } = compareRuns([one, other]);
    expect(comparable).toBe(false);
    expect(reasons.join("\n")).toMatch(reason);
  });

  it("of runs without edits is one of their strategies", () => {
    const scored = (name: string) =>
      run(name, [1, 0], { conditions: { strategy: name, holdout: "h" }, hasEdits: false });
    expect(compareRuns([scored("a"), scored("b")])).toMatchObject({ comparable: true, reasons: [] });
    const other = run("b", [1, 0], { conditions: { strategy: "b", holdout: "i" }, hasEdits: false });
    expect(compareRuns([scored("a"), other]).reasons).toEqual(["a and b differ in the holdout"]);
  });

  it("of a run without edits with one that has some is fair at equal numbers of completions", () => {
    const vote = (draws: number) =>
      run("vote", [1, 0], {
        ...{ hasEdits: false, answers: 6, testAnswers: 4, completions: 10 * draws },
        conditions: { strategy: `${draws} answers`, holdout: "h" },
      });
    const edited = run("tree", [1, 1], { conditions: { strategy: "1 answer", holdout: "h" } });
    // 104 completions are ten or eleven draws of each of ten answers.
    for (const draws of [10, 11])
      expect(compareRuns([vote(draws), edited])).toMatchObject({ comparable: true, reasons: [] });
    const unequal = compareRuns([edited, vote(9)]);
    expect(unequal.reasons).toEqual([
      "vote and tree did not get the same number of completions (90 and 104: runs/tree); 10 of each answer, as `evolve.strategy.samples`, come nearest",
    ]);
    expect(unequal.methods.map(({ completions }) => completions)).toEqual([104, 90]);
    const elsewhere = run("tree", [1, 1], { conditions: { strategy: "1 answer", holdout: "i" } });
    expect(compareRuns([vote(10), elsewhere]).reasons).toEqual(["vote and tree differ in the holdout"]);
  });

  it("without tests still has the paper's numbers", () => {
    const { methods, differences } = compareRuns([run("a", []), run("b", [])]);
    expect(methods.map(({ honest, paper }) => [honest, paper.mean])).toEqual([
      [null, 0.75],
      [null, 0.75],
    ]);
    expect(differences).toEqual([]);
  });
});
