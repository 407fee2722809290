/** A run that is over, as `compareRuns` takes it. */
import { basename } from "node:path";
import { describeStrategy } from "../answer/strategy.js";
import { LseError } from "../errors.js";
import { type FinishedRun, STRATEGY } from "../evolve/compare.js";
import type { EditContext } from "../evolve/config.js";
import { METHODS, settled } from "../evolve/methods.js";
import { SavedJournal } from "../journal/journal-file.js";
import { RunFolder } from "../journal/run-folder.js";
import { hashJson } from "../lib/hash.js";
import { mean } from "../lib/statistics.js";
import { type RunConfig, resolveConfig } from "./config.js";

/** @throws LseError for a run that is not over */
export function finishedRun(path: string): FinishedRun {
  const folder = RunFolder.open(path);
  const config = resolveConfig(folder.readConfig(), folder.configPath);
  const events = new SavedJournal(folder.eventsPath);
  const inputs = events.recall("inputs", "inputs");
  const done = events.recall("done", "done");
  if (inputs === undefined || done === undefined)
    throw new LseError(`${path}: this run is not over`, `Finish it with \`lse evolve --resume ${path}\``);
  const scores = { batch: new Scores(), gate: new Scores(), holdout: new Scores(), test: new Scores() };
  const chosen = { holdout: new Scores(), test: scores.test };
  let [answers, testAnswers, completions] = [0, 0, 0];
  for (const { phase, problem, node, outcome, completions: own = 1 } of events.all("answer")) {
    scores[phase].add(problem, outcome.score);
    if (phase === "test") testAnswers++;
    else answers++;
    completions += own;
    if (phase === "holdout" && node === done.best) chosen.holdout.add(problem, outcome.score);
  }
  const { task, evolve } = config;
  const database = `${task.name}/${task.db ?? ""}`;
  const { sampling, editTemperature, samples, strategy } = evolve;
  return {
    path,
    method: methodOf(config),
    hasEdits: evolve.rounds > 0,
    instructions: hashJson(events.recall("node", "0")?.instructions ?? "").slice(0, 8),
    pair: `${database} seed ${evolve.seed}`,
    database,
    answers,
    testAnswers,
    completions,
    conditions: {
      "model that answers": inputs.model,
      "data or time limit": inputs.task,
      holdout: scores.holdout.problems,
      "test problems": scores.test.problems,
      "sampling of answers": hashJson([sampling, samples]),
      [STRATEGY]: describeStrategy(strategy),
      "temperature of edits": String(editTemperature ?? sampling.temperature),
    },
    testScores: chosen.test.means(),
    holdoutScores: chosen.holdout.means(),
  };
}

const SHOWN: Readonly<Record<EditContext, string>> = {
  prompt: "the whole prompt",
  names: "names",
  none: "answers alone",
};

/** What a run is one of: its method, and the model that writes the edits where it is another one. */
export function methodOf({ evolve, evolver }: RunConfig): string {
  if (evolve.rounds === 0) return `no edits: ${describeStrategy(evolve.strategy)}`;
  const files = [evolver.model, evolver.adapter].flatMap((path) =>
    path === undefined ? [] : [basename(path, ".gguf")],
  );
  const { edits } = settled(evolve);
  const { label, edits: own } = METHODS[evolve.method];
  const kind = edits === own[0] ? "" : `, ${edits} edits`;
  const batches = evolve.preferWrong ? ", wrong problems preferred" : "";
  const { editContext, editReports } = evolve;
  const context = editContext === undefined ? "" : `, evolver shown ${SHOWN[editContext]}`;
  const reports = editReports === undefined ? "" : `, ${editReports} answers of a batch shown`;
  return `${label(evolve)}${kind}${batches}${context}${reports}${files.length === 0 ? "" : `, edits by ${files.join(" with ")}`}`;
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
