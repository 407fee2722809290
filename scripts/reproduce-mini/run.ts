/**
 * The paper in miniature: trees, training by improvement and by the score after the edit, and all methods compared on
 * test databases that nothing has seen. What is done in --out is not done again: kill it and start it again.
 *
 *   npm run reproduce:mini                    about three hours on two cores
 *   npm run reproduce:mini -- --quick         a few minutes: trains a little, and measures single edits only
 */
import { execFileSync } from "node:child_process";
import { appendFileSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "@commander-js/extra-typings";
import { collect, databasesOf } from "#lse/cli/collect.js";
import { type EditGain, editGains } from "#lse/cli/mini-edits.js";
import { Progress } from "#lse/cli/progress.js";
import { resolveConfig } from "#lse/cli/run-config.js";
import { prepareTraining, train } from "#lse/cli/train.js";
import { checkTrainConfig } from "#lse/cli/train-config.js";
import type { EvolveConfig } from "#lse/evolve/config.js";
import { MemoryJournal } from "#lse/journal.js";
import { readJson } from "#lse/json-file.js";
import { MiniGrader, MiniTask } from "#lse/mini/task.js";
import { AdaptedModel } from "#lse/runtime/adapted-model.js";
import { LlamaModel } from "#lse/runtime/llama/open.js";
import type { LanguageModel } from "#lse/runtime/model.js";
import { bootstrapMean } from "#lse/statistics.js";
import { evaluate, type RunResult } from "./evaluate.js";
import { type EvolverName, FULL, type Method, type Plan, QUICK } from "./plan.js";
import { type Cell, printTable, tableOf } from "./table.js";

const HOME = fileURLToPath(new URL("../../", import.meta.url));
const TIMEOUT_MS = 2000;
/** Test databases at a time. */
const CHUNK = 16;

const {
  quick,
  out,
  results: resultsPath,
} = new Command("reproduce:mini")
  .description("The paper's experiment in the miniature world.")
  .option("--quick", "a few minutes: trains a little, and measures single edits only")
  .option("--out <folder>", "where trees, adapters and runs are kept (runs/mini, or runs/mini-quick)")
  .option("--results <file>", "where the table goes; without it, it is only printed")
  .parse()
  .opts();
const plan: Plan = quick ? QUICK : FULL;
const folder = out ?? join(HOME, quick ? "runs/mini-quick" : "runs/mini");
const at = (...parts: string[]) => join(folder, ...parts);

mkdirSync(folder, { recursive: true });
const treesConfigPath = join(HOME, "configs/mini-trees.json");
const treesConfig = resolveConfig(readJson(treesConfigPath), treesConfigPath);
for (const [databases, path] of [
  [plan.trainDatabases, at("trees")],
  [plan.validationDatabases, at("validation")],
] as const) {
  await collect({ config: treesConfig, databases: databasesOf(databases), runs: 1, atOnce: 32, out: path });
}
const adapters = {
  lse: await trained("lse", {}),
  "post-edit": plan.methods.length > 0 ? await trained("post-edit", { estimator: "grpo-score" }) : null,
};
const edits = await measureEdits();
console.log(edits.text);
if (plan.methods.length > 0) await compare();

/** Trains an evolver, or finishes that. @returns its adapter */
async function trained(name: string, changes: object): Promise<string> {
  const path = join(HOME, "configs/mini-lse.json");
  const config = checkTrainConfig(
    {
      ...(readJson(path) as object),
      ...{ model: join(HOME, "models/mini.gguf"), trees: at("trees"), validation: at("validation") },
      ...plan.training,
      ...changes,
    },
    path,
  );
  if (!existsSync(at(name))) prepareTraining(at(name), config);
  const { adapter, step, reward, untrained } = await train(at(name), config);
  console.error(
    `${name}: update ${step}; an edit of validation trees brings ${reward.toFixed(3)}, untrained ${untrained.toFixed(3)}`,
  );
  return adapter;
}

/** Opens the models of both roles; adapters are on `mini`. */
async function openModels() {
  const { threads, context, sequences, decodeBatch, kvCells, flashAttention } = treesConfig.model;
  const open = (name: string) =>
    LlamaModel.open({
      modelPath: join(HOME, "models", name),
      ...{ gpuLayers: 0, repeatable: true, contextSize: context ?? 768, batchSize: decodeBatch ?? 512 },
      ...{ threads: threads ?? 2, sequences: sequences ?? 32, kvCells: kvCells ?? 1536 },
      flashAttention: flashAttention ?? true,
    });
  const mini = await open("mini.gguf");
  const second = plan.methods.some(({ policy }) => policy === "mini-b") ? await open("mini-b.gguf") : null;
  const evolvers: Record<EvolverName, LanguageModel | null> = {
    untrained: mini,
    lse: await AdaptedModel.open(mini, adapters.lse),
    "post-edit": adapters["post-edit"] === null ? null : await AdaptedModel.open(mini, adapters["post-edit"]),
    "mini-b": second,
  };
  const chosen = ({ policy, evolver }: Pick<Method, "policy" | "evolver">) => {
    const models = { policy: policy === "mini" ? mini : second, evolver: evolvers[evolver] };
    if (models.policy === null || models.evolver === null) throw new Error("a model is not open");
    return { policy: models.policy, evolver: models.evolver };
  };
  return {
    chosen,
    async [Symbol.asyncDispose]() {
      await second?.[Symbol.asyncDispose]();
      await mini[Symbol.asyncDispose]();
    },
  };
}

/** The improvement of one edit on test databases, by the trained and the untrained evolver. */
async function measureEdits() {
  await using models = await openModels();
  await using grader = new MiniGrader(TIMEOUT_MS);
  const tasks = Array.from({ length: plan.testDatabases }, (_, seed) =>
    MiniTask.open({ split: "test", seed }, grader),
  );
  const { evolve } = treesConfig;
  const sampling = { ...evolve.sampling, temperature: 1 };
  const gains = async (evolver: EvolverName) => {
    const parts: EditGain[][] = [];
    for (const state of ["none", "half", "partial", "wrong"] as const)
      parts.push(
        await editGains(models.chosen({ policy: "mini", evolver }), tasks, state, evolve, {
          sampling,
          samples: 4,
        }),
      );
    return tasks.map((_, i) => parts.reduce((sum, part) => sum + (part[i]?.gain ?? 0), 0) / parts.length);
  };
  const before = await gains("untrained");
  const after = await gains("lse");
  const rows = {
    untrained: bootstrapMean(before, 1),
    lse: bootstrapMean(after, 1),
    difference: bootstrapMean(
      after.map((gain, i) => gain - (before[i] as number)),
      1,
    ),
  };
  const text = Object.entries(rows).map(
    ([name, { mean, low, high }]) =>
      `  ${name.padEnd(10)} ${mean.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`,
  );
  const title = `Improvement of one edit at temperature 1 on ${tasks.length} test databases, from four kinds of instructions:`;
  return { rows, text: [title, ...text].join("\n") };
}

/** Runs what is missing of all methods, prints the table and writes it. */
async function compare(): Promise<void> {
  const runsPath = at("runs.jsonl");
  const done = new Map<string, RunResult[]>();
  if (existsSync(runsPath)) {
    for (const line of readFileSync(runsPath, "utf8").split("\n").slice(0, -1)) {
      const { key, runs } = JSON.parse(line) as { key: string; runs: RunResult[] };
      done.set(key, runs);
    }
  }
  const chunks = Array.from({ length: Math.ceil(plan.testDatabases / CHUNK) }, (_, i) => i * CHUNK);
  const cells = plan.temperatures.flatMap((temperature) =>
    plan.methods.map((method) => ({ method, temperature })),
  );
  const keyOf = (cell: (typeof cells)[number], from: number) =>
    `${cell.method.name}/${cell.temperature}/${from}`;
  {
    using progress = new Progress("parts", cells.length * chunks.length);
    await using models = await openModels();
    await using grader = new MiniGrader(TIMEOUT_MS);
    for (const temperature of plan.temperatures) {
      for (const from of chunks) {
        const answered = new MemoryJournal();
        const count = Math.min(CHUNK, plan.testDatabases - from);
        const tasks = Array.from({ length: count }, (_, i) =>
          MiniTask.open({ split: "test", seed: from + i }, grader),
        );
        for (const cell of cells.filter((other) => other.temperature === temperature)) {
          const key = keyOf(cell, from);
          if (done.has(key)) {
            progress.skip(1);
            continue;
          }
          const { method } = cell;
          const configs = Array.from(
            { length: plan.seeds },
            (_, seed): EvolveConfig => ({
              ...treesConfig.evolve,
              ...{
                seed: seed + 1,
                select: method.select,
                editTemperature: temperature,
                rounds: plan.rounds[1],
              },
            }),
          );
          const runs = await evaluate(models.chosen(method), tasks, configs, plan.rounds, answered);
          appendFileSync(runsPath, `${JSON.stringify({ key, runs })}\n`);
          done.set(key, runs);
          progress.tick();
          const honest =
            runs.reduce((sum, { after }) => sum + (after[plan.rounds[1]]?.honest ?? 0), 0) / runs.length;
          progress.say(`${key}: ${honest.toFixed(3)} after ${plan.rounds[1]} rounds`);
        }
      }
    }
  }
  const table = tableOf(
    cells.map(
      (cell): Cell => ({
        ...{ method: cell.method.name, temperature: cell.temperature },
        runs: chunks.flatMap((from) => done.get(keyOf(cell, from)) ?? []),
      }),
    ),
  );
  console.log(`\n${printTable(table)}`);
  if (resultsPath === undefined) return;
  const commit = execFileSync("git", ["rev-parse", "HEAD"], { cwd: HOME, encoding: "utf8" }).trim();
  const about = { command: "npm run reproduce:mini", date: new Date().toISOString(), commit, seed: 1 };
  const single = { edits: edits.rows };
  writeFileSync(resultsPath, `${JSON.stringify({ ...about, ...single, ...table }, null, 2)}\n`);
  for (const name of ["lse", "post-edit"])
    copyFileSync(at(name, "curve.jsonl"), resultsPath.replace(/table\.json$/, `${name}-curve.jsonl`));
}
