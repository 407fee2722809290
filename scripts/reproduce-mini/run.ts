/**
 * The paper in miniature: trees, training by improvement and by the score after the edit, and all methods compared on
 * test databases that nothing has seen. What is done in --out is not done again: kill it and start it again.
 *
 *   npm run reproduce:mini                    some hours on two cores
 *   npm run reproduce:mini -- --quick         a few minutes: trains a little, and measures single edits only
 *   npm run reproduce:mini -- --part delta    changes of single rules beside rewrites (delta.ts)
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, Option } from "@commander-js/extra-typings";
import { readJson } from "#lse/lib/json-file.js";
import { Progress } from "#lse/terminal/progress.js";
import { CURVE } from "#lse/train/curve.js";
import { compareDeltas } from "./delta.js";
import type { RunResult } from "./evaluate.js";
import { type Adapters, HOME, openModels } from "./models.js";
import { carryOut, type Part, partsDone, partsOf } from "./parts.js";
import { FULL, type Plan, QUICK } from "./plan.js";
import { describeSingleEdits, measureSingleEdits, type SingleEdits } from "./single-edits.js";
import { collected, commit, configOf, summaryOf, trained } from "./steps.js";
import { type Cell, printTable, tableOf } from "./table.js";

const { quick, part, out, workers, worker, ...options } = new Command("reproduce:mini")
  .description("The paper's experiment in the miniature world.")
  .option("--quick", "a few minutes: trains a little, and measures single edits only")
  .addOption(
    new Option("--part <name>", "the paper's comparison, or changes of single rules beside rewrites")
      .choices(["paper", "delta"] as const)
      .default("paper" as const),
  )
  .option("--out <folder>", "where trees, adapters and runs are kept (runs/mini, runs/mini-delta; -quick)")
  .option("--results <file>", "where the table goes; without it, it is only printed")
  .option("--workers <count>", "processes that compare methods, one thread each", Number, 2)
  .option("--worker <number>", "only the part of one of them, after everything before it is done", Number)
  .parse()
  .opts();
const plan: Plan = quick ? QUICK : FULL;
const home = `runs/mini${part === "delta" ? "-delta" : ""}${quick ? "-quick" : ""}`;
const folder = resolve(out ?? join(HOME, home));
const results = options.results === undefined ? undefined : resolve(options.results);
const at = (...parts: string[]) => join(folder, ...parts);

// Paths in the configurations are the project's.
process.chdir(HOME);
const config = configOf("configs/mini-trees.json");
if (part === "delta") await compareDeltas({ folder, quick: quick === true, results });
else if (worker === undefined) await experiment();
else await work(worker);

async function experiment(): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await collected(config, plan.trainDatabases, at("trees"));
  await collected(config, plan.validationDatabases, at("validation"));
  const data = { trees: at("trees"), validation: at("validation"), ...plan.training };
  await trained(at("lse"), "configs/mini-lse.json", data);
  if (plan.methods.length > 0)
    await trained(at("post-edit"), "configs/mini-lse.json", { ...data, estimator: "grpo-score" });

  const edits = await singleEdits();
  console.log(describeSingleEdits(edits, plan.testDatabases));
  if (plan.methods.length === 0) {
    if (results !== undefined) writeResults({ edits });
    return;
  }
  await compare();
  const done = partsDone(folder);
  const cells = new Map<string, Cell>();
  for (const { key, method, temperature } of partsOf(plan)) {
    const name = `${method.name} ${temperature}`;
    const runs = [...(cells.get(name)?.runs ?? []), ...(done.get(key) ?? [])];
    cells.set(name, { method: method.name, temperature, runs });
  }
  const { batch, holdout } = config.evolve;
  const table = tableOf([...cells.values()], (rounds) => holdout * (rounds + 1) + batch * rounds);
  console.log(`\n${printTable(table)}`);
  if (results !== undefined) writeResults({ edits, ...table });
}

async function singleEdits(): Promise<SingleEdits> {
  const kept = at("single-edits.json");
  if (existsSync(kept)) return readJson(kept) as SingleEdits;
  await using models = await openModels(adapters(), config.model.threads ?? 1);
  const edits = await measureSingleEdits(models, config.evolve, plan.testDatabases, plan.editSamples);
  writeFileSync(kept, JSON.stringify(edits));
  return edits;
}

function adapters(): Adapters {
  const path = (name: string) => (existsSync(at(name, "best.gguf")) ? at(name, "best.gguf") : null);
  return { lse: path("lse"), "post-edit": path("post-edit") };
}

/** Lets the workers do what is missing: two engines of one thread each do more than one of two threads. */
async function compare(): Promise<void> {
  const missing = partsOf(plan).filter(({ key }) => !partsDone(folder).has(key)).length;
  if (missing === 0) return;
  using progress = new Progress("parts", missing);
  const processes = Array.from({ length: workers }, (_, i) => {
    const args = [...process.argv.slice(2), "--worker", String(i)];
    const child = fork(fileURLToPath(import.meta.url), args, { execArgv: process.execArgv });
    child.on("message", (line: string) => {
      progress.tick();
      progress.say(line);
    });
    return once(child, "exit");
  });
  const codes = (await Promise.all(processes)).map(([code]) => code);
  if (codes.some((code) => code !== 0)) throw new Error(`a worker ended with code ${codes.join(", ")}`);
}

/** What one worker does. */
async function work(worker: number): Promise<void> {
  await using models = await openModels(adapters(), 1);
  const last = Math.max(...plan.rounds);
  const onPart = ({ key }: Part, runs: readonly RunResult[]) => {
    const honest = runs.reduce((sum, { after }) => sum + (after[last]?.honest ?? 0), 0) / runs.length;
    const line = `${key}: ${honest.toFixed(3)} after ${last} rounds`;
    if (process.send === undefined) console.error(line);
    else process.send(line);
  };
  await carryOut({ plan, folder, models, config: config.evolve, worker, workers, onPart });
  process.disconnect?.();
}

function writeResults(found: object): void {
  if (results === undefined) return;
  const about = {
    runs: [summaryOf(at("trees")), summaryOf(at("validation"))],
    command: "npm run reproduce:mini",
    date: new Date().toISOString(),
    commit: commit(),
    seed: 1,
  };
  writeFileSync(results, `${JSON.stringify({ ...about, ...found }, null, 2)}\n`);
  for (const name of ["lse", "post-edit"]) {
    const curve = at(name, CURVE);
    if (existsSync(curve)) copyFileSync(curve, results.replace(/(-table)?\.json$/, `-${name}-curve.jsonl`));
  }
}
