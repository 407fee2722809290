/** The result of a run, for people and as a JSON document. */
import type { ReliabilityRow } from "../answer/reliability.js";
import { describeStrategy } from "../answer/strategy.js";
import { dollars } from "../evolve/stops.js";
import type { TreeNode } from "../evolve/tree.js";
import type { CrossValidatedScore } from "../journal/journal.js";
import type { Usage } from "../model.js";
import type { RunOutcome } from "../runs/run-in-folder.js";
import { count, formatSeconds, intervalText, plural } from "./numbers.js";
import { renderTree, scoreText } from "./render-tree.js";
import { textTable } from "./text-table.js";

/** What `--json` prints. */
export function resultDocument({ folder, evolution, stopReason, ...run }: RunOutcome) {
  const { tree, rejectedEdits, test, crossValidation, spent } = evolution;
  const summary = ({ id, score, standardError, instructions }: TreeNode) => ({
    node: id,
    score,
    standard_error: Number.isNaN(standardError) ? null : standardError,
    instructions,
  });
  return {
    run: folder.path,
    stop_reason: stopReason,
    seed: summary(tree.root),
    best: summary(tree.best()),
    test,
    reliability: run.reliability,
    cross_validation: crossValidation,
    nodes: tree.nodes.length,
    rejected_edits: rejectedEdits,
    answers: run.answers,
    generations: run.generations,
    reused: run.reused,
    cost: { answers: spent.answersCost, edits: spent.editsCost },
    usage: run.usage,
  };
}

export function resultText({
  folder,
  config,
  evolution,
  stopReason,
  answers,
  reliability,
  reused,
  usage,
}: RunOutcome): string {
  const { tree, rejectedEdits, test, crossValidation, spent } = evolution;
  const best = tree.best();
  const isEval = config.evolve.rounds === 0;
  return [
    ...(isEval ? [] : [renderTree(tree), ""]),
    isEval
      ? `The instructions score ${scoreText(best)} on the holdout (${describeStrategy(config.evolve.strategy)}).`
      : best.id === 0
        ? `No edit scored higher than the seed instructions (${scoreText(best)} on the holdout).`
        : `Best: node ${best.id}, ${scoreText(best)} on the holdout; the seed instructions ${scoreText(tree.root)}. ` +
          "It was chosen on that holdout, so this score is too high.",
    ...(crossValidation === null ? [] : [crossValidationText(crossValidation)]),
    test === null
      ? "There was no test: expect less on new problems."
      : `On ${test.problems} test problems${isEval ? "" : " that nothing else has seen"}: ${intervalText(test)} (95 % interval).`,
    ...(reliability.length === 0 ? [] : ["", reliabilityText(reliability), ""]),
    (isEval
      ? `${count(answers)} answers. `
      : `Ended because ${stopReason}: ${count(answers)} answers, ${plural(rejectedEdits, "edit")} not usable. `) +
      `This process: ${usageText(usage)}.`,
    ...(spent.answersCost + spent.editsCost === 0
      ? []
      : [`The answers cost ${dollars(spent.answersCost)}, the edits ${dollars(spent.editsCost)}.`]),
    ...(config.reuse === undefined ? [] : [`${reused} completions came from other runs.`]),
    isEval
      ? `The answers: lse report ${folder.path}`
      : `Instructions: ${folder.path}/best.md. What each edit changed: lse tree ${folder.path}`,
  ].join("\n");
}

/** A line for each band of agreement. */
function reliabilityText(rows: readonly ReliabilityRow[]): string {
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  const band = ({ from, to }: ReliabilityRow) =>
    from === to ? "all" : `${percent(from)} to below ${percent(to)}`;
  const lines = rows.map((row) => [
    band(row),
    `${row.right} of ${row.answers}`,
    `${percent(row.mean)} [${percent(row.low)}, ${percent(row.high)}]`,
  ]);
  return textTable([["agreement of draws", "right", "95 % interval"], ...lines]);
}

const crossValidationText = ({ folds, mean, deviation, nodes }: CrossValidatedScore) =>
  `Cross-validated over ${folds} folds of the holdout: ${mean.toFixed(3)} ± ${deviation.toFixed(3)}. For each fold a node was ` +
  `chosen on the others (${[...new Set(nodes)].map((node) => `node ${node}`).join(", ")}).`;

function usageText(usage: Usage): string {
  const { completions, promptTokensAsked, promptTokensEvaluated, tokensGenerated, seconds } = usage;
  return (
    `${count(completions)} completions, ${count(tokensGenerated)} tokens generated, ` +
    `${count(promptTokensEvaluated)} of ${count(promptTokensAsked)} prompt tokens evaluated, in ${formatSeconds(seconds)}`
  );
}
