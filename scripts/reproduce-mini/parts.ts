/** The comparison in parts: each is one method at one temperature on some databases, and is done once. */
import { appendFileSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { EvolveConfig } from "#lse/evolve/config.js";
import { MemoryJournal } from "#lse/journal/journal.js";
import { MiniGrader, MiniTask } from "#lse/mini/task.js";
import { evaluate, type RunResult } from "./evaluate.js";
import type { Models } from "./models.js";
import { type Method, type Plan, TIMEOUT_MS } from "./plan.js";

/** Databases of a part. */
const CHUNK = 16;

export interface Part {
  readonly key: string;
  readonly method: Method;
  readonly temperature: number;
  /** The first of its databases. */
  readonly from: number;
}

/** In the order in which they are done: what one chunk of databases was answered is known to its next methods. */
export function partsOf(plan: Plan): Part[] {
  const chunks = Array.from({ length: Math.ceil(plan.testDatabases / CHUNK) }, (_, i) => CHUNK * i);
  return plan.temperatures.flatMap((temperature) =>
    chunks.flatMap((from) =>
      plan.methods.map((method) => ({
        method,
        temperature,
        from,
        key: `${method.name} / ${temperature} / ${from}`,
      })),
    ),
  );
}

/** What has been done in a folder, by the key of the part. */
export function partsDone(folder: string): Map<string, RunResult[]> {
  const files = existsSync(folder)
    ? readdirSync(folder).filter((name) => /^parts-\d+\.jsonl$/.test(name))
    : [];
  const lines = files.flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n").slice(0, -1));
  return new Map(
    lines.map((line) => {
      const { key, runs } = JSON.parse(line) as { key: string; runs: RunResult[] };
      return [key, runs];
    }),
  );
}

/** Which parts are carried out, where, and by whom. */
export interface PartsOptions {
  readonly plan: Plan;
  readonly folder: string;
  readonly models: Models;
  readonly config: EvolveConfig;
  readonly worker: number;
  readonly workers: number;
  /** Told of each part that is done. */
  readonly onPart: (part: Part, runs: readonly RunResult[]) => void;
}

/** Carries out the parts that are missing, every `workers`-th chunk of databases. */
export async function carryOut(options: PartsOptions): Promise<void> {
  const { plan, folder, models, config, worker, workers, onPart } = options;
  const done = partsDone(folder);
  const missing = partsOf(plan).filter(
    ({ key, from }) => !done.has(key) && (from / CHUNK) % workers === worker,
  );
  await using grader = new MiniGrader(TIMEOUT_MS);
  let answered = new MemoryJournal();
  let last = "";
  for (const part of missing) {
    const { method, temperature, from, key } = part;
    // Other databases or another temperature: nothing of it will be asked again.
    if (last !== `${temperature} ${from}`) answered = new MemoryJournal();
    last = `${temperature} ${from}`;
    const count = Math.min(CHUNK, plan.testDatabases - from);
    const tasks = Array.from({ length: count }, (_, i) =>
      MiniTask.open({ split: "test", seed: from + i }, grader),
    );
    const configs = Array.from({ length: plan.seeds }, (_, i) => ({
      ...config,
      seed: i + 1,
      method: method.method,
      editTemperature: temperature,
      rounds: Math.max(...plan.rounds),
    }));
    const runs = await evaluate(models.of(method), tasks, configs, plan.rounds, answered);
    appendFileSync(join(folder, `parts-${worker}.jsonl`), `${JSON.stringify({ key, runs })}\n`);
    onPart(part, runs);
  }
}
