/** A run's folder as what a page shows of it. Everything comes from its files; a run may still go on. */
import { existsSync } from "node:fs";
import { ratedAnswers, reliability } from "../answer/reliability.js";
import { treeFromJson } from "../evolve/tree-file.js";
import type { RunEvent } from "../journal/journal.js";
import { SavedJournal } from "../journal/journal-file.js";
import type { RunFolder } from "../journal/run-folder.js";
import type { ProblemText } from "../task.js";
import type {
  AnswerData,
  ExampleData,
  NodeData,
  PhaseData,
  ProblemData,
  RoundData,
  RunData,
} from "./types.js";

/** What the folder itself does not say, or says in words of its configuration. */
export interface RunSource {
  readonly folder: RunFolder;
  readonly name: string;
  readonly task: string;
  readonly method: string;
  /** Answers that its strategy draws for each question. */
  readonly draws: number;
  readonly settings: readonly (readonly [string, string])[];
  /** Null where the task could not be opened. */
  readonly describe: ((problem: string) => ProblemText) | null;
}

/** Longest answer and error that a page shows, in characters. */
const MAX_TEXT = 2000;

type AnswerEvent = Extract<RunEvent, { type: "answer" }>;

/** @throws LseError when a file of the run cannot be read */
export function runData(source: RunSource): RunData {
  const { folder, name, task, method, draws, settings, describe } = source;
  const events = new SavedJournal(folder.eventsPath);
  const nodes = nodesOf(folder, events);
  const answers = [...events.all("answer")];
  const holdout = answers.filter(({ phase }) => phase === "holdout");
  const problems = [...new Set(holdout.map(({ problem }) => problem))];
  const cells = cellsOf(holdout, nodes.length, problems);
  const texts = textsOf(holdout, problems, describe);
  const done = events.recall("done", "done");
  const [test] = events.all("test");
  const [crossValidation] = events.all("kfold");
  const best = done?.best ?? bestOf(nodes);
  return {
    name,
    task,
    method,
    settings,
    nodes,
    ...cells,
    ...texts,
    draws,
    reliability: reliability(ratedAnswers(answers, best)),
    ended: done?.reason ?? null,
    best,
    rejected: [...events.all("edit")].flatMap(({ round, parent, kind, rejected }) =>
      rejected === null
        ? []
        : [{ round, parent, why: kind === undefined ? rejected : `${kind}: ${rejected}` }],
    ),
    test: test ?? null,
    crossValidation: crossValidation ?? null,
    phases: phasesOf(answers, [...events.all("edit")]),
    rounds: [...events.all("usage")].map(roundOf),
    generations: events.count("generation"),
  };
}

/** From tree.json; a round that has just ended, or a run without tree.json yet, has its nodes in the events alone. */
function nodesOf(folder: RunFolder, events: SavedJournal): NodeData[] {
  const saved = existsSync(folder.treePath)
    ? treeFromJson(folder.readTree(), folder.treePath).tree.nodes
    : [];
  const refined = new Map([...events.all("refined")].map((event) => [event.node, event]));
  const rounds = [...events.all("round")];
  const kinds = new Map([...events.all("edit")].map(({ round, kind }) => [round, kind]));
  const nodes: NodeData[] = [];
  for (const event of events.all("node")) {
    if (event.node !== nodes.length) continue;
    const { score, standardError } = refined.get(event.node) ?? event;
    const kind = kinds.get(event.round);
    nodes.push({
      id: event.node,
      parent: event.parent,
      round: event.round,
      depth: event.parent === null ? 0 : (nodes[event.parent]?.depth ?? 0) + 1,
      visits: saved[event.node]?.visits ?? rounds.filter(({ selected }) => selected === event.node).length,
      score: finite(score),
      standardError: finite(standardError),
      instructions: event.instructions ?? saved[event.node]?.instructions ?? "",
      ...(kind === undefined ? {} : { editKind: kind }),
    });
  }
  return nodes;
}

/** NaN is null in JSON. */
const finite = (value: number | null): number | null => (Number.isFinite(value) ? value : null);

const bestOf = (nodes: readonly NodeData[]): number =>
  nodes.reduce((best, node) => ((node.score ?? -1) > (nodes[best]?.score ?? -1) ? node.id : best), 0);

/** Problems of the holdout and their examples, which are the same under every node. */
function textsOf(
  holdout: readonly AnswerEvent[],
  problems: readonly string[],
  describe: RunSource["describe"],
): { problems: ProblemData[]; examples: ExampleData[] } {
  const shown = new Map(holdout.map(({ problem, examples = [] }) => [problem, examples]));
  const ids = [...new Set([...shown.values()].flat())];
  const indexes = new Map(ids.map((id, i) => [id, i]));
  const textOf = (id: string) => describe?.(id) ?? { question: "", gold: "" };
  return {
    problems: problems.map((id) => {
      const examples = (shown.get(id) ?? []).map((example) => indexes.get(example) as number);
      return { id, ...textOf(id), ...(examples.length === 0 ? {} : { examples }) };
    }),
    examples: ids.map((id) => ({ id, question: textOf(id).question })),
  };
}

/** How far the best node's answers can be trusted: those that score it, and those of the test. */
/** Scores and answers by node and problem. Of several samples the first wrong answer is shown, or else the first. */
function cellsOf(answers: readonly AnswerEvent[], nodes: number, problems: readonly string[]) {
  const column = new Map(problems.map((id, i) => [id, i]));
  const empty = () => problems.map(() => ({ sum: 0, count: 0, shown: -1, isWrong: false }));
  const cells = Array.from({ length: nodes }, empty);
  const distinct: AnswerData[] = [];
  const indexes = new Map<string, number>();
  const indexOf = ({ outcome: { answer, error }, confidence, repaired }: AnswerEvent): number => {
    const data: AnswerData = {
      answer: cut(answer),
      error: error === null ? null : cut(error),
      ...(confidence === undefined ? {} : { confidence }),
      ...(repaired === undefined ? {} : { repaired }),
    };
    const key = JSON.stringify(data);
    const known = indexes.get(key);
    if (known !== undefined) return known;
    indexes.set(key, distinct.length);
    return distinct.push(data) - 1;
  };
  for (const event of answers) {
    const { node, problem, outcome } = event;
    const cell = cells[node]?.[column.get(problem) as number];
    if (cell === undefined) continue;
    cell.sum += outcome.score;
    cell.count++;
    if (cell.shown >= 0 && (cell.isWrong || outcome.correct)) continue;
    cell.shown = indexOf(event);
    cell.isWrong = !outcome.correct;
  }
  return {
    scores: cells.map((row) => row.map(({ sum, count }) => (count === 0 ? null : sum / count))),
    shown: cells.map((row) => row.map(({ shown }) => shown)),
    answers: distinct,
  };
}

const cut = (text: string) => (text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}…`);

/** What an answer or an edit took. */
type Paid = Pick<AnswerEvent, "completions" | "promptTokens" | "tokens">;

function phasesOf(
  answers: readonly AnswerEvent[],
  edits: readonly Extract<RunEvent, { type: "edit" }>[],
): PhaseData[] {
  const phases = new Map<string, PhaseData>();
  const add = (phase: string, { completions = 1, promptTokens, tokens }: Paid) => {
    const sum = phases.get(phase) ?? { phase, asked: 0, completions: 0, promptTokens: 0, tokens: 0 };
    phases.set(phase, {
      phase,
      asked: sum.asked + 1,
      completions: sum.completions + completions,
      promptTokens: sum.promptTokens + promptTokens,
      tokens: sum.tokens + tokens,
    });
  };
  for (const answer of answers) add(answer.phase, answer);
  for (const edit of edits) add("edit", edit);
  return [...phases.values()];
}

function roundOf({ round, seconds, models }: Extract<RunEvent, { type: "usage" }>): RoundData {
  const sum = (of: (usage: (typeof models)[number]) => number) =>
    models.reduce((total, usage) => total + of(usage), 0);
  return {
    round,
    seconds,
    modelSeconds: sum((usage) => usage.seconds),
    promptTokensAsked: sum((usage) => usage.promptTokensAsked),
    promptTokensEvaluated: sum((usage) => usage.promptTokensEvaluated),
    tokensGenerated: sum((usage) => usage.tokensGenerated),
  };
}
