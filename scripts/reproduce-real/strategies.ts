/**
 * What strategies bring with real models on real databases. Every call of a model is kept, so it may be killed and
 * started again; calls in the results folder are known as well.
 *
 *   LSE_REAL_MODELS=models npm run reproduce:real -- --dev bird/dev --train bird/train     some hours on two cores
 *   LSE_REAL_MODELS=models npm run reproduce:real -- --dev bird/dev --quick                ten minutes
 *   … npm run reproduce:real -- --stored --results bench/results                           the committed results, anew
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join, resolve } from "node:path";
import { BirdTask } from "#lse/bird/task.js";
import type { LanguageModel } from "#lse/model.js";
import { openLlama } from "#lse/runtime/llama/open.js";
import { Progress } from "#lse/terminal/progress.js";
import { textTable } from "#lse/terminal/text-table.js";
import { CallStore, type StoredCall, StoredModel } from "./call-store.js";
import { DATABASES, type Database, MODELS, type ModelName, QUICK, TEST_QUESTIONS, WAYS } from "./cells.js";
import { measuringCommand, modelFolder, requireKnown } from "./command.js";
import { measure, rightByDraws } from "./measure.js";
import { readRows, writeRows } from "./parquet.js";
import { answerRows, type Cell, type CellRow, resultsOf } from "./results.js";

/** Tokens of a prompt with eight examples, its answer and a repair. */
const CONTEXT = 6144;

const options = measuringCommand("What strategies bring with real models on real databases.")
  .option("--models <names...>", "some of them", Object.keys(MODELS))
  .option("--ways <names...>", "some of them", Object.keys(WAYS))
  .option("--stored", "score what is stored, and leave out what would need a model")
  .option("--quick", `${QUICK.questions} questions of superhero, ${QUICK.ways.length} ways, one model`)
  .option("--threads <count>", "CPU threads", Number, availableParallelism())
  .option("--out <folder>", "where calls are kept", "runs/real")
  .option(
    "--results <folder>",
    "where results go, and calls of before are found; without it they are printed",
  )
  .parse()
  .opts();

/** A call that would need a model, which is not to be opened. */
class NotStored extends Error {}

const folder = options.stored ? "" : modelFolder();
const plan = options.quick
  ? { databases: ["superhero"], models: ["qwen2.5-coder-1.5b"], ways: QUICK.ways, questions: QUICK.questions }
  : { ...options, questions: TEST_QUESTIONS };
requireKnown(plan.databases, DATABASES);
requireKnown(plan.models, MODELS);
requireKnown(plan.ways, WAYS);

const FILES = {
  results: "real-strategies.json",
  answers: "real-answers.parquet",
  calls: "real-calls.parquet",
};
const at = (name: keyof typeof FILES) => join(options.results ?? "", FILES[name]);
mkdirSync(options.out, { recursive: true });
const hasCalls = options.results !== undefined && existsSync(at("calls"));
const earlier = hasCalls ? await readRows<StoredCall>(at("calls")) : [];
const store = new CallStore(join(options.out, "calls.jsonl"), earlier);
const cells: Cell[] = [];
const jobs = plan.models.flatMap((model) =>
  plan.ways.flatMap((way) => plan.databases.map((database) => ({ model, way, database }))),
);
const started = performance.now();
{
  using progress = new Progress("answers", jobs.length * plan.questions);
  for (const model of plan.models as ModelName[]) {
    await using policy = new StoredModel(
      {
        name: model,
        contextSize: CONTEXT,
        open: () => (options.stored ? Promise.reject(new NotStored()) : openModel(model)),
      },
      store,
    );
    for (const way of plan.ways)
      for (const database of plan.databases as Database[]) {
        if ((performance.now() - started) / 60_000 > options.minutes) break;
        const cell = await measureCell(policy, model, way, database, progress).catch((error) => {
          if (error instanceof NotStored) return null;
          throw error;
        });
        if (cell === null) continue;
        cells.push(cell);
        progress.say(cellText(resultsOf([cell], "").cells[0] as CellRow));
      }
  }
}
const results = resultsOf(cells, `${cpus()[0]?.model}, ${options.threads} threads`);
const gains = results.gains.map(({ database, model, strategy, n, mean, low, high }) => [
  database,
  model,
  strategy,
  String(n),
  ...[mean, low, high].map((value) => `${value < 0 ? "" : "+"}${(100 * value).toFixed(1)}`),
]);
if (gains.length > 0)
  console.log(
    textTable([["database", "model", "gain over the paper's way", "n", "points", "low", "high"], ...gains]),
  );
if (options.results !== undefined) {
  mkdirSync(options.results, { recursive: true });
  writeFileSync(at("results"), `${JSON.stringify(results, null, 1)}\n`);
  await writeRows(at("answers"), answerRows(cells));
  await writeRows(at("calls"), store.all);
}

async function measureCell(
  policy: LanguageModel,
  model: ModelName,
  name: string,
  database: Database,
  progress: Progress,
): Promise<Cell> {
  await using task = await BirdTask.open({
    dataPath: resolve(DATABASES[database] === "dev" ? options.dev : options.train),
    dbId: database,
    timeoutMs: 30_000,
  });
  const way = WAYS[name] as (typeof WAYS)[string];
  const measured = await measure(task, policy, way, plan.questions, (count) => progress.advance(count));
  const cell = { database, model, strategy: name, measured };
  const { samples, repair } = way.strategy;
  if (samples === 1 || repair > 0) return cell;
  return { ...cell, rightByDraws: await rightByDraws(task, policy, way, plan.questions) };
}

async function openModel(name: ModelName): Promise<LanguageModel> {
  return await openLlama({
    modelPath: join(folder, MODELS[name]),
    contextSize: CONTEXT,
    threads: options.threads,
    sequences: 32,
    batchSize: 512,
    flashAttention: true,
    kvCells: 16_384,
    repeatable: true,
    tuning: null,
  });
}

function cellText({ database, model, strategy, n, right, score, low, high, seconds }: CellRow): string {
  const percent = (share: number) => (100 * share).toFixed(0);
  return `${database}, ${model}, ${strategy}: ${right} of ${n}, ${percent(score)} % [${percent(low)}, ${percent(high)}], ${(seconds / n).toFixed(1)} s a question`;
}
