/**
 * What rules are worth in the miniature world, without a model: a perfect policy answers, perfect and sloppy
 * readers edit, the sloppy one by rewrites and by changes of single rules (a perfect one ends with the same rules). The figures are bounds for a trained model and show that there is something to learn.
 *
 *   npm run simulate-mini
 */

import { mean } from "../src/lib/statistics.js";
import { actDemonstrations, type Demonstration, evolveDemonstrations } from "../src/mini/demonstrations.js";
import { Draw } from "../src/mini/draw.js";
import { changedRules, perfectEdit, SLOPPINESS, sloppyDelta, sloppyEdit } from "../src/mini/edits.js";
import { makeDatabase } from "../src/mini/generator.js";
import { type MiniProblem, makeProblems } from "../src/mini/problems.js";
import { meanings, parseRules, type Rule, rulesText } from "../src/mini/rules.js";
import { simulatedAnswer } from "../src/mini/sql.js";
import { rulesInState, type State } from "../src/mini/states.js";
import { miniDeltaTokenizer, miniTokenizer } from "../src/mini/tokenizer.js";

const DATABASES = 60;
const BATCH = 5;
const ROUNDS = 12;

const right = (rules: readonly Rule[], { question, gold }: MiniProblem) =>
  simulatedAnswer(question, meanings(rules)) === gold;
const accuracy = (rules: readonly Rule[], problems: readonly MiniProblem[]) =>
  mean(problems.map((problem) => Number(right(rules, problem))));

const worlds = Array.from({ length: DATABASES }, (_, seed) => {
  const database = makeDatabase({ split: "test", seed });
  const problems = makeProblems(database, 120);
  return { database, pool: problems.slice(0, 80), test: problems.slice(80) };
});

/** A number with the half-width of its 95 % interval, over databases. */
function interval(values: readonly number[]): string {
  const centre = mean(values);
  const variance = mean(values.map((value) => (value - centre) ** 2)) / (values.length - 1);
  return `${centre.toFixed(3)} ± ${(1.96 * Math.sqrt(variance)).toFixed(3)}`;
}

console.log(`${DATABASES} test databases, 40 questions each; a perfect policy`);
for (const state of ["none", "half", "complete"] as const) {
  const values = worlds.map(({ database, test }) =>
    accuracy(rulesInState(database, state, new Draw("state", database.seed)), test),
  );
  console.log(`  EX with rules ${state.padEnd(8)} ${interval(values)}`);
}
const sizes = worlds.map(({ database }) => database.conventions.length);
console.log(
  `  rules per database ${mean(sizes).toFixed(1)} (${Math.min(...sizes)} to ${Math.max(...sizes)})`,
);
const kinds = worlds.flatMap(({ database }) => database.conventions.map(({ kind }) => kind));
const share = (kind: string) =>
  `${kind} ${((100 * kinds.filter((k) => k === kind).length) / kinds.length).toFixed(0)} %`;
console.log(`  ${[...new Set(kinds)].map(share).join(", ")}`);

const editors = {
  perfect: (rules: Rule[], batch: readonly (MiniProblem & { correct: boolean })[], truth: readonly Rule[]) =>
    perfectEdit(rules, batch, truth),
  sloppy: (
    rules: Rule[],
    batch: readonly (MiniProblem & { correct: boolean })[],
    truth: readonly Rule[],
    draw: Draw,
  ) => parseRules(rulesText(sloppyEdit(rules, batch, truth, { draw }))),
  "sloppy delta": (
    rules: Rule[],
    batch: readonly (MiniProblem & { correct: boolean })[],
    truth: readonly Rule[],
    draw: Draw,
  ) => changedRules(rules, sloppyDelta(rules, batch, truth, { draw })),
};
const NAMES = Object.keys(editors) as (keyof typeof editors)[];

function edit(name: keyof typeof editors, rules: Rule[], world: (typeof worlds)[number], draw: Draw): Rule[] {
  const batch = draw.sample(world.pool, BATCH).map((p) => ({ ...p, correct: right(rules, p) }));
  return editors[name](rules, batch, world.database.conventions, draw);
}

console.log(`One edit after a batch of ${BATCH}: change of EX, mean over 8 drawings a database`);
for (const state of ["none", "half", "wrong"] as const satisfies State[]) {
  for (const name of NAMES) {
    const gains = worlds.map((world) =>
      mean(
        Array.from({ length: 8 }, (_, sample) => {
          const draw = new Draw("gain", world.database.seed, sample);
          const rules = rulesInState(world.database, state, draw);
          return accuracy(edit(name, rules, world, draw), world.test) - accuracy(rules, world.test);
        }),
      ),
    );
    console.log(`  from ${state.padEnd(4)} ${name.padEnd(12)} ${interval(gains)}`);
  }
}
console.log(`A chain of ${ROUNDS} edits from nothing: EX of the last`);
for (const name of NAMES) {
  const ends = worlds.map((world) => {
    const draw = new Draw("chain", world.database.seed);
    let rules: Rule[] = [];
    for (let round = 0; round < ROUNDS; round++) rules = edit(name, rules, world, draw);
    return accuracy(rules, world.test);
  });
  console.log(`  ${name.padEnd(12)} ${interval(ends)}`);
}

function lengths(name: string, stream: Generator<Demonstration[]>, tokenizer = miniTokenizer): void {
  const taken = Array.from({ length: 1000 }, () => stream.next().value as Demonstration[]).flat();
  for (const [what, counts] of [
    ["prompt", taken.map(({ messages }) => tokenizer.encodePrompt(messages).length)],
    ["completion", taken.map(({ completion }) => tokenizer.encodeCompletion(completion).length)],
  ] as const) {
    const sorted = counts.toSorted((a, b) => a - b);
    const at = (quantile: number) => sorted[Math.round(quantile * (sorted.length - 1))];
    console.log(
      `  ${name} ${what}: mean ${mean(counts).toFixed(0)}, median ${at(0.5)}, 95 % ${at(0.95)}, most ${at(1)}`,
    );
  }
}
console.log(`Tokens (vocabulary ${miniTokenizer.vocabulary})`);
lengths("act", actDemonstrations({ seed: 0 }));
lengths("evolve, clean", evolveDemonstrations({ seed: 0, sloppiness: null }));
lengths("evolve, sloppy", evolveDemonstrations({ seed: 0, sloppiness: SLOPPINESS }));
for (const [name, sloppiness] of [
  ["delta, clean", null],
  ["delta, sloppy", SLOPPINESS],
] as const)
  lengths(name, evolveDemonstrations({ seed: 0, sloppiness, edits: "delta" }), miniDeltaTokenizer);
