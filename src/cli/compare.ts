import { basename } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { LseError } from "../errors.js";
import { type Comparison, compareRuns, type FinishedRun } from "../evolve/compare.js";
import type { Method } from "../evolve/config.js";
import { EventFile } from "../journal/event-log.js";
import { RunFolder } from "../journal/run-folder.js";
import { hashJson } from "../lib/hash.js";
import type { Interval } from "../lib/statistics.js";
import { type RunConfig, resolveConfig } from "../runs/config.js";
import { runFolders } from "../runs/run-folders.js";
import { textTable } from "../terminal/text-table.js";

export function compareCommand() {
  return new Command("compare")
    .description("what methods reached on the same problems, and by how much they differ")
    .argument("<runs...>", "folders of finished runs, or folders of such folders")
    .option("--json", "print one JSON document")
    .action((paths, { json }) => {
      const runs = paths.flatMap(runFolders).map(finishedRun);
      const comparison = compareRuns(runs);
      console.log(json ? JSON.stringify(comparison) : describe(comparison));
    });
}

/** @throws LseError for a run that is not over */
export function finishedRun(path: string): FinishedRun {
  const folder = RunFolder.open(path);
  const config = resolveConfig(folder.readConfig(), folder.configPath);
  const events = new EventFile(folder.eventsPath);
  const inputs = events.recall("inputs", "inputs");
  const done = events.recall("done", "done");
  if (inputs === undefined || done === undefined)
    throw new LseError(`${path}: this run is not over`, `Finish it with \`lse evolve --resume ${path}\``);
  const scores = { batch: new Scores(), gate: new Scores(), holdout: new Scores(), test: new Scores() };
  const chosen = { holdout: new Scores(), test: scores.test };
  let answers = 0;
  for (const { phase, problem, node, outcome } of events.all("answer")) {
    scores[phase].add(problem, outcome.score);
    if (phase !== "test") answers++;
    if (phase === "holdout" && node === done.best) chosen.holdout.add(problem, outcome.score);
  }
  const { task, evolve } = config;
  const database = `${task.name}/${task.db ?? ""}`;
  const { sampling, editTemperature, samples } = evolve;
  return {
    ...{ path, method: methodOf(config), pair: `${database} seed ${evolve.seed}`, database, answers },
    conditions: {
      "model that answers": inputs.model,
      "data or time limit": inputs.task,
      holdout: scores.holdout.problems,
      "test problems": scores.test.problems,
      "sampling of answers": hashJson([sampling, samples]),
      "temperature of edits": String(editTemperature ?? sampling.temperature),
    },
    testScores: chosen.test.means(),
    holdoutScores: chosen.holdout.means(),
  };
}

/** Scores by problem. */
class Scores {
  readonly #scores = new Map<string, number[]>();

  add(problem: string, score: number): void {
    this.#scores.set(problem, [...(this.#scores.get(problem) ?? []), score]);
  }

  /** Names the problems, whatever their order. */
  get problems(): string {
    return hashJson([...this.#scores.keys()].sort());
  }

  /** Over the samples of each. */
  means(): Map<string, number> {
    return new Map([...this.#scores].map(([problem, own]) => [problem, mean(own)]));
  }
}

const NAMES: Readonly<Record<Method, string>> = {
  ...{ ucb: "UCB tree", "ucb-se": "UCB tree by standard errors", best: "best-first", chain: "chain" },
  ...{ pareto: "Pareto frontier", textgrad: "TextGrad", gepa: "GEPA" },
};

/** What a run is one of: the choice of nodes, and who writes the edits. */
export function methodOf({ evolve, evolver }: RunConfig): string {
  const files = [evolver.model, evolver.adapter].flatMap((path) =>
    path === undefined ? [] : [basename(path, ".gguf")],
  );
  const constant = evolve.method.startsWith("ucb") ? ` (c = ${evolve.ucbC})` : "";
  return `${NAMES[evolve.method]}${constant}${files.length === 0 ? "" : `, edits by ${files.join(" with ")}`}`;
}

function describe({ comparable, reasons, methods, differences }: Comparison): string {
  const text = ({ mean, low, high }: Interval) =>
    `${mean.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
  const rows = [
    ["method", "test", "best on its holdout", "answers"],
    ...methods.map(({ method, honest, paper, answers }) => [
      method,
      honest === null ? "no test" : text(honest),
      text(paper),
      answers.toFixed(0),
    ]),
  ];
  const lines = [textTable(rows)];
  for (const { a, b, ...interval } of differences)
    lines.push("", `${a} − ${b} on the test: ${text(interval)}`);
  lines.push(
    "",
    "In brackets: 95 % intervals, bootstrapped over problems, or over databases if there are several.",
  );
  if (!comparable) lines.push("", "Not comparable:", ...reasons.map((reason) => `- ${reason}`));
  return lines.join("\n");
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
