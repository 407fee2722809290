import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { cutRepetition, extractFenced } from "#lse/bird/response.js";
import { crossValidate } from "#lse/evolve/kfold.js";
import { referenceSplit } from "#lse/evolve/reference/split.js";
import { PythonRandom, stableSeed } from "#lse/lib/python-random.js";
import { describeWithShared, sharedPath } from "../shared.js";

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

describeWithShared("equal to the published code's vectors", ["notes/reference_vectors.json"], () => {
  const vectors = JSON.parse(readFileSync(sharedPath("notes/reference_vectors.json"), "utf8"));

  it("covers all there are, here or in the tests named", () => {
    expect(Object.keys(vectors).sort()).toEqual([
      "adv", // advantages.test.ts
      "extract_from_tag(answer)", // extract.test.ts
      "extract_from_tag(answer), USE_ARCTIC=1",
      "kfold(k=4,seed=42)",
      "rng42",
      "stable_seed",
      "tree", // tree.test.ts
      "truncate_repetitive_suffix",
    ]);
  });

  it("random numbers of seed 42", () => {
    const { rng42 } = vectors;
    const draw = () => new PythonRandom(42);
    const one = draw();
    expect(numbers(5).map(() => one.choice(numbers(10)))).toEqual(rng42.choice10);
    expect(draw().sample(numbers(50), 10)).toEqual(rng42.sample_50_10);
    expect(draw().sample(numbers(200), 10)).toEqual(rng42.sample_200_10);
    expect(draw().choices(numbers(3), 5)).toEqual(rng42.choices_3_5);
    expect(draw().shuffled(numbers(10))).toEqual(rng42.shuffle10);
    const two = draw();
    const first = two.choice(numbers(11));
    expect([first, two.sample(numbers(64), 5)]).toEqual(rng42.choice_then_sample);
  });

  it("seeds out of names, of more than 32 bits", () => {
    const { args, seed, sample_100_5 } = vectors.stable_seed;
    expect(String(stableSeed(...args))).toBe(seed);
    expect(new PythonRandom(BigInt(seed)).sample(numbers(100), 5)).toEqual(sample_100_5);
  });

  it("the holdout of MMLU is drawn by names when there is a test, by the seed alone without", () => {
    const problemIds = numbers(200).map(String);
    const task = { id: "mmlu/physics", problemIds, publishedNames: ["mmlu", "dev", "physics"] };
    const config = { holdout: 50, batch: 10, seed: 42 };
    const [names, seed] = [new PythonRandom(BigInt(vectors.stable_seed.seed)), new PythonRandom(42)];
    const { holdout, test, pool } = referenceSplit(task, { ...config, test: 50 });
    expect(holdout).toEqual(names.sample(problemIds, 50));
    expect(new Set([...holdout, ...test, ...pool]).size).toBe(200);
    expect(referenceSplit(task, config).holdout).toEqual(seed.sample(problemIds, 50));
  });

  it("folds, the choice on the others of each, and their mean", () => {
    const { vecs, folds, mean, std } = vectors["kfold(k=4,seed=42)"];
    const found = crossValidate(vecs, 4, 42);
    expect(found.folds.map(({ problems, chosen }) => ({ val_idx: problems, best_round: chosen }))).toEqual(
      folds.map(({ val_idx, best_round }: { val_idx: number[]; best_round: number }) => ({
        val_idx,
        best_round,
      })),
    );
    for (const [i, { chosenBy, score }] of found.folds.entries()) {
      expect(chosenBy).toBeCloseTo(folds[i].train_acc, 12);
      expect(score).toBe(folds[i].val_acc);
    }
    expect([found.mean, found.deviation]).toEqual([mean, std]);
  });

  it("fenced answers", () => {
    for (const [response, answer] of vectors["extract_from_tag(answer), USE_ARCTIC=1"])
      expect(extractFenced(response)).toBe(answer);
  });

  it("repetitions at the end", () => {
    // The file shows the texts abridged; these are they, with the length it gives.
    const texts = [
      `x${"0".repeat(120)}`,
      `x${"0".repeat(99)}`,
      `hi ${"abc".repeat(40)}`,
      `hi\n${"0\n".repeat(60)}`,
      `hi${" ".repeat(200)}`,
      `hi${"abcdef".repeat(40)}`,
      "a".repeat(150),
    ];
    for (const [i, [shown, { min_run_length }, end]] of vectors.truncate_repetitive_suffix.entries()) {
      const text = texts[i] as string;
      expect(shown).toContain(`(${text.length} chars)`);
      const quoted = (part: string) => `'${part.replaceAll("\n", "\\n")}'`;
      expect(quoted(cutRepetition(text, { minRun: min_run_length }).slice(-20))).toBe(end);
    }
  });
});

it("a sample cannot be larger than what it is drawn from", () => {
  expect(() => new PythonRandom(0).sample([1, 2], 3)).toThrow(/3 out of 2/);
});
