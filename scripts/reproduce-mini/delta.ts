/**
 * Changes of single rules beside rewrites: an evolver that learnt them from the same demonstrators, untrained and after
 * LSE, beside the one that rewrites. The policy, databases, seeds and numbers of answers are the same for all.
 */
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Comparison, compareRuns } from "#lse/evolve/compare.js";
import type { EvolveConfig } from "#lse/evolve/config.js";
import { MemoryJournal } from "#lse/journal/journal.js";
import { readJson } from "#lse/lib/json-file.js";
import { bootstrapMean, type Interval } from "#lse/lib/statistics.js";
import { MiniGrader } from "#lse/mini/task.js";
import type { RunConfig } from "#lse/runs/config.js";
import { finishedRun } from "#lse/runs/finished-run.js";
import { runFolders } from "#lse/runs/run-folders.js";
import { resumePretraining, startPretraining, stepsOf } from "#lse/runs/training/pretrain.js";
import { checkPretrainConfig } from "#lse/runs/training/pretrain-config.js";
import { AdaptedModel } from "#lse/runtime/adapted-model.js";
import { CachedModel } from "#lse/runtime/cached-model.js";
import { intervalText, signed } from "#lse/terminal/numbers.js";
import { Progress } from "#lse/terminal/progress.js";
import { CURVE } from "#lse/train/curve.js";
import { HOME, openEngine } from "./models.js";
import { FULL, TIMEOUT_MS } from "./plan.js";
import { differenceOf, SingleEditStarts } from "./single-edits.js";
import { collected, commit, configOf, summaryOf, trained } from "./steps.js";

/** How much of everything. */
interface DeltaPlan {
  /** Changes of configs/mini-delta.json, and of configs/mini-delta-lse.json. */
  readonly pretraining: object;
  readonly training: object;
  /** Databases of the trees that are learnt from, and of those that training is validated on. */
  readonly trees: readonly string[];
  readonly validation: readonly string[];
  /** Test databases. */
  readonly databases: number;
  readonly seeds: number;
  /** Of the evolver; the policy is greedy. */
  readonly temperatures: readonly number[];
  readonly rounds: number;
  /** Of the engines; the configurations say how many train. */
  readonly threads: number;
}

const WHOLE: DeltaPlan = {
  pretraining: {},
  training: {},
  trees: FULL.trainDatabases,
  validation: FULL.validationDatabases,
  databases: FULL.testDatabases,
  seeds: FULL.seeds,
  temperatures: [1, 0],
  rounds: 8,
  threads: 2,
};

/** Shows that the path works, and nothing else: so short a training teaches nothing. */
const SMOKE: DeltaPlan = {
  pretraining: {
    stages: [{ name: "both", steps: 4, evolve: 0.5, delta: 1, sloppy: false }],
    development: { databases: 1, problems: 2 },
    threads: 1,
  },
  training: { updates: 2, nodes: 2, validateEvery: 2, validationNodes: 2, threads: 1 },
  trees: ["train/0-1"],
  validation: ["dev/0"],
  databases: 2,
  seeds: 1,
  temperatures: [1],
  rounds: 2,
  threads: 1,
};

/** What the evolver that knows deltas is trained with before LSE. */
const PRETRAINING = "configs/mini-delta.json";
/** The model that answers; all evolvers write edits for it. */
const POLICY = "models/mini-q8_0.gguf";

/** Who writes edits of which kind. */
interface Arm {
  readonly name: string;
  readonly edits: EvolveConfig["edits"];
  readonly model: string;
  readonly adapter?: string;
}

/** Of each other's: the kinds of edits before and after training, and what training brings each of them. */
const COMPARED = [
  ["deltas, untrained", "rewrites, untrained"],
  ["deltas, LSE", "rewrites, LSE"],
  ["deltas, LSE", "deltas, untrained"],
  ["rewrites, LSE", "rewrites, untrained"],
] as const;

type Compared = Interval & { readonly a: string; readonly b: string };

/** Scores of single edits, or of runs. */
interface Table {
  readonly methods: readonly (Interval & { readonly name: string })[];
  readonly differences: readonly Compared[];
}

/** @param results where the figures go; they are printed, too */
export async function compareDeltas(options: {
  readonly folder: string;
  readonly quick: boolean;
  readonly results: string | undefined;
}): Promise<void> {
  const { folder, quick, results } = options;
  const plan = quick ? SMOKE : WHOLE;
  const at = (...parts: string[]) => join(folder, ...parts);
  mkdirSync(folder, { recursive: true });

  const model = await pretrained(at("pretrain"), plan.pretraining);
  const given = configOf("configs/mini-delta-trees.json");
  const config: RunConfig = {
    ...given,
    model: { ...given.model, threads: plan.threads },
    evolver: { model },
    evolve: { ...given.evolve, rounds: plan.rounds },
  };
  await collected(config, plan.trees, at("trees"));
  await collected(config, plan.validation, at("validation"));
  const data = { model, trees: at("trees"), validation: at("validation") };
  await trained(at("lse"), "configs/mini-delta-lse.json", { ...data, ...plan.training });

  const rewriter = join(HOME, "models/mini.gguf");
  const arms: readonly Arm[] = [
    { name: "rewrites, untrained", edits: "rewrite", model: rewriter },
    { name: "rewrites, LSE", edits: "rewrite", model: rewriter, adapter: join(HOME, "models/mini-lse.gguf") },
    { name: "deltas, untrained", edits: "delta", model },
    { name: "deltas, LSE", edits: "delta", model, adapter: at("lse", "best.gguf") },
  ];
  const edits = await singleEdits(at("single-edits.json"), arms, config.evolve, plan);
  print("Change of EX by one edit at temperature 1", edits);

  const runs = [];
  for (const temperature of plan.temperatures) {
    const path = (arm: Arm) => at("runs", `T${temperature}`, arm.name.replace(/\W+/g, "-"));
    for (const arm of arms)
      await collected(
        runConfig(config, arm, temperature),
        [`test/0-${plan.databases - 1}`],
        path(arm),
        plan.seeds,
      );
    const finished = arms.flatMap((arm) =>
      runFolders(path(arm)).map((run) => ({ ...finishedRun(run), method: arm.name })),
    );
    const table = { temperature, ...tableOf(compareRuns(finished)) };
    print(`Score on the test at temperature ${temperature}, ${table.answers} answers a run`, table);
    runs.push(table);
  }
  if (results === undefined) return;
  const about = {
    command: "npm run reproduce:mini -- --part delta",
    date: new Date().toISOString(),
    commit: commit(),
    evolver: PRETRAINING,
    trees: [summaryOf(at("trees")), summaryOf(at("validation"))],
  };
  writeFileSync(results, `${JSON.stringify({ ...about, edits, runs }, null, 2)}\n`);
  copyFileSync(at("lse", CURVE), results.replace(/\.json$/, "-lse-curve.jsonl"));
}

/** The evolver that knows deltas: the one in models/ if it is there, or else one that is trained here. */
async function pretrained(folder: string, changes: object): Promise<string> {
  const shipped = join(HOME, "models/mini-delta.gguf");
  if (existsSync(shipped)) return shipped;
  const given = readJson(PRETRAINING) as object;
  const config = checkPretrainConfig({ ...given, ...changes }, PRETRAINING);
  using progress = new Progress("steps", stepsOf(config));
  const hooks = {
    onStart: (done: number) => progress.skip(done),
    onStep: (step: number, loss: number, stage: string) => {
      progress.tick();
      if (step % 50 === 0) progress.say(`step ${step}, ${stage}: loss ${loss.toFixed(3)}`);
    },
  };
  const training = existsSync(folder)
    ? resumePretraining(folder, hooks)
    : startPretraining(folder, config, hooks);
  return (await training).model;
}

/** Runs of an arm: answers that are left, after rounds without a usable edit, score the best node again. */
function runConfig(config: RunConfig, { edits, model, adapter }: Arm, editTemperature: number): RunConfig {
  const { test: _, ...evolve } = config.evolve;
  return {
    ...config,
    evolver: adapter === undefined ? { model } : { model, adapter },
    evolve: { ...evolve, editTemperature, edits, spendAll: true },
  };
}

async function singleEdits(
  kept: string,
  arms: readonly Arm[],
  config: EvolveConfig,
  { databases, threads }: DeltaPlan,
): Promise<Table> {
  if (existsSync(kept)) return readJson(kept) as Table;
  await using grader = new MiniGrader(TIMEOUT_MS);
  await using engine = await openEngine(join(HOME, POLICY), threads);
  // All arms start from the same instructions, which are scored once.
  const policy = new CachedModel(engine, new MemoryJournal());
  const gains = new Map<string, number[]>();
  for (const { name, edits, model, adapter } of arms) {
    const starts = await SingleEditStarts.of(policy, grader, { ...config, edits }, databases);
    await using base = await openEngine(model, threads);
    const evolver = adapter === undefined ? base : await AdaptedModel.open(base, adapter);
    gains.set(name, await starts.gainsOf({ policy, evolver }, FULL.editSamples));
  }
  const of = (name: string) => gains.get(name) as number[];
  const table: Table = {
    methods: arms.map(({ name }) => ({ name, ...bootstrapMean(of(name), 1) })),
    differences: COMPARED.map(([a, b]) => ({ a, b, ...differenceOf(of(a), of(b)) })),
  };
  writeFileSync(kept, JSON.stringify(table));
  return table;
}

/** @throws Error for runs that may not be compared, such as those with other numbers of answers */
function tableOf({ comparable, reasons, methods, differences }: Comparison): Table & { answers: number } {
  if (!comparable) throw new Error(reasons.join("; "));
  const between = (a: string, b: string): Compared => {
    const found = differences.find((one) => one.a === a && one.b === b);
    if (found !== undefined) return found;
    const { mean, low, high } = differences.find((one) => one.a === b && one.b === a) as Compared;
    return { a, b, mean: -mean, low: -high, high: -low };
  };
  return {
    answers: methods[0]?.answers ?? 0,
    methods: methods.map(({ method: name, honest }) => ({ name, ...(honest as Interval) })),
    differences: COMPARED.map(([a, b]) => between(a, b)),
  };
}

function print(title: string, { methods, differences }: Table): void {
  console.log(`\n${title}:`);
  for (const { name, ...score } of methods) console.log(`  ${name.padEnd(22)} ${intervalText(score)}`);
  for (const { a, b, mean, low, high } of differences)
    console.log(`  ${a} − ${b}: ${signed(mean)} [${signed(low)}, ${signed(high)}]`);
}
