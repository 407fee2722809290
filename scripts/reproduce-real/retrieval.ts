/**
 * Which solved questions help: ways of finding them beside each other, by what their queries have in common with the
 * gold query of the question. No model answers anything, so it takes seconds; hidden states take a model, and minutes.
 *
 *   npm run reproduce:retrieval -- --dev bird/dev --train bird/train
 *   npm run reproduce:retrieval -- … --hidden models/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf
 */
import { resolve } from "node:path";
import { Command } from "@commander-js/extra-typings";
import MiniSearch from "minisearch";
import { getLlama } from "node-llama-cpp";
import { ExampleIndex, type SolvedProblem } from "#lse/answer/examples.js";
import { BirdTask } from "#lse/bird/task.js";
import { hashJson } from "#lse/lib/hash.js";
import { mean } from "#lse/lib/statistics.js";
import { textTable } from "#lse/terminal/text-table.js";
import { DATABASES, type Database } from "./cells.js";
import { divide } from "./measure.js";

const { dev, train, examples, hidden } = new Command("reproduce:retrieval")
  .option("--dev <folder>", "BIRD's dev folder", "../shared/bird/dev")
  .option("--train <folder>", "BIRD's train folder", "../shared/bird/train")
  .option("--examples <count>", "solved questions for each", Number, 4)
  .option("--hidden <file>", "a GGUF file whose hidden states are compared as well")
  .parse()
  .opts();

/** Words of SQL that are no names. */
const KEYWORDS = new Set(
  "select from where and or inner left join on as order by limit desc asc group having distinct case when then else end in not null is like between union all".split(
    " ",
  ),
);

interface Problem extends SolvedProblem {
  readonly sql: string;
  /** Its last hidden state, in the mean over its tokens; empty without a model. */
  readonly state: readonly number[];
}

/** Solved problems in order of similarity, the most similar first. */
type Ranking = (problem: Problem, solved: readonly Problem[]) => readonly string[];

const bm25 =
  (textOf: (problem: Problem) => string): Ranking =>
  (problem, solved) => {
    const index = new MiniSearch({ fields: ["text"] });
    index.addAll(solved.map((each) => ({ id: each.id, text: textOf(each) })));
    return index.search(textOf(problem)).map(({ id }) => id as string);
  };

const bySimilarity =
  (similarity: (a: Problem, b: Problem) => number): Ranking =>
  (problem, solved) =>
    solved
      .map((other) => ({ id: other.id, value: similarity(problem, other) }))
      .sort((a, b) => b.value - a.value)
      .map(({ id }) => id);

const RANKINGS: Readonly<Record<string, Ranking>> = {
  chance: bySimilarity((a, b) => Number.parseInt(hashJson([a.id, b.id]).slice(0, 8), 16)),
  "shared words (cosine)": bySimilarity((a, b) => overlap(wordsOf(a.text), wordsOf(b.text))),
  BM25: bm25(({ text }) => text),
  "BM25, values masked": bm25(({ text }) => masked(text)),
  "BM25, parts of words and near words count (lse)": (problem, solved) =>
    new ExampleIndex(solved).similarTo({ text: problem.text, twinKeys: [], count: solved.length }).reverse(),
  ...(hidden === undefined
    ? {}
    : { "hidden states of the model (cosine)": bySimilarity((a, b) => dot(a.state, b.state)) }),
};

const llama = hidden === undefined ? null : await getLlama({ gpu: false, logLevel: "error" as never });
const embedding =
  llama === null || hidden === undefined
    ? null
    : await (await llama.loadModel({ modelPath: hidden })).createEmbeddingContext({ contextSize: 1024 });
const rows: string[][] = [];
const columns = new Map<string, string[]>();
for (const [database, part] of Object.entries(DATABASES) as [Database, "dev" | "train"][]) {
  await using task = await BirdTask.open({
    dataPath: resolve(part === "dev" ? dev : train),
    dbId: database,
    timeoutMs: 30_000,
  });
  const problems = await problemsOf(task);
  const { test, solved } = divide(task);
  const of = (ids: readonly string[]) => ids.map((id) => problems.get(id) as Problem);
  for (const [name, rank] of Object.entries(RANKINGS)) {
    const values = of(test).map((problem) => {
      const allowed = of(solved).filter(
        ({ twinKeys }) => !twinKeys.some((key) => problem.twinKeys.includes(key)),
      );
      const found = rank(problem, allowed)
        .slice(0, examples)
        .map((id) => namesOf((problems.get(id) as Problem).sql));
      const wanted = namesOf(problem.sql);
      const known = new Set(found.flatMap((names) => [...names]));
      return {
        covered: [...wanted].filter((each) => known.has(each)).length / wanted.size,
        nearest: Math.max(0, ...found.map((names) => jaccard(wanted, names))),
      };
    });
    const cell = [mean(values.map(({ covered }) => covered)), mean(values.map(({ nearest }) => nearest))];
    columns.set(name, [
      ...(columns.get(name) ?? []),
      cell.map((value) => (100 * value).toFixed(0)).join(" / "),
    ]);
  }
}
for (const [name, cells] of columns) rows.push([name, ...cells]);
console.log(textTable([["found by", ...Object.keys(DATABASES)], ...rows]));
console.log(
  `\nOf ${examples} examples, without twins: share of the names in the gold query that their queries have, and how similar the most similar query is (shared names ÷ all names), in per cent.`,
);
process.exit();

async function problemsOf(task: BirdTask): Promise<Map<string, Problem>> {
  const problems = new Map<string, Problem>();
  for (const id of task.problemIds) {
    const text = task.parts.question(id);
    const vector = (await embedding?.getEmbeddingFor(text))?.vector ?? [];
    const state = [...vector];
    problems.set(id, { id, text, twinKeys: task.parts.twinKeys(id), sql: task.describe(id).gold, state });
  }
  if (embedding === null) return problems;
  // All states share one large direction, which says nothing about a question.
  const all = [...problems.values()].map(({ state }) => state);
  const middle = (all[0] ?? []).map((_, i) => mean(all.map((state) => state[i] as number)));
  for (const [id, problem] of problems) {
    const centred = problem.state.map((value, i) => value - (middle[i] as number));
    const length = Math.hypot(...centred);
    problems.set(id, { ...problem, state: centred.map((value) => value / length) });
  }
  return problems;
}

/** What stands for a value: texts in quotes, numbers, and names that begin with a capital inside a sentence. */
function masked(text: string): string {
  return text
    .replace(/'[^']*'|"[^"]*"|\d[\d.,]*/g, " ")
    .replace(/(?<=[a-z,] )[A-Z][\w'-]*(?: [A-Z][\w'-]*)*/g, " ");
}

/** Tables, columns and functions of a query: its words without keywords and values. */
function namesOf(sql: string): Set<string> {
  const words =
    sql
      .replace(/'(?:[^']|'')*'/g, " ")
      .toLowerCase()
      .match(/[a-z_][a-z_0-9]*/g) ?? [];
  return new Set(words.filter((word) => !KEYWORDS.has(word) && !/^t\d+$/.test(word)));
}

function wordsOf(text: string): Set<string> {
  return new Set(text.toLowerCase().match(/[a-z_]+/g) ?? []);
}

function shared(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  return [...a].filter((word) => b.has(word)).length;
}

function overlap(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  return shared(a, b) / Math.sqrt(a.size * b.size);
}

function jaccard(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  return shared(a, b) / (a.size + b.size - shared(a, b));
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
}
