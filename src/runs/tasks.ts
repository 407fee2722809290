/** The tasks of runs: their configuration, by kind, and how each is opened. */
import { resolve } from "node:path";
import { z } from "zod";
import { BirdTask } from "../bird/task.js";
import { LseError } from "../errors.js";
import { TransferTask } from "../evolve/transfer-task.js";
import { checked } from "../lib/json-file.js";
import { limitMs } from "../lib/time-limit.js";
import { parseAddress } from "../mini/splits.js";
import { MiniGrader, MiniTask } from "../mini/task.js";
import { GOLD_RULES, type GoldRules } from "../mmlu/gold.js";
import { MmluTask } from "../mmlu/task.js";
import type { Task } from "../task.js";
import { DEFAULT_GRADE_SECONDS, openTaskFile } from "../task-file/task-file.js";
import { WorkspaceTask } from "../workspace/task.js";

const path = z.string().min(1);
const shared = {
  /** Folder for gold results and measured settings. */
  cache: path.optional(),
  /** A database beside the task's own, whose problems are the test. */
  testDb: z.string().min(1).optional(),
};
const sql = {
  /** Seconds a predicted query may take. */
  timeout: z.number().positive().default(30),
};

const birdSchema = z.strictObject({
  name: z.literal("bird"),
  data: path,
  db: z.string().min(1).optional(),
  /** How queries are taken out of responses: between tags, or from fences as Arctic-Text2SQL writes them. */
  answers: z.enum(["tags", "fenced"]).default("tags"),
  /** Whether what a model repeats at the end is cut off before. */
  cutRepetition: z.boolean().default(false),
  /** What runs the queries. Scores in DuckDB are not BIRD's. */
  sqlEngine: z.enum(["sqlite", "duckdb"]).default("sqlite"),
  ...sql,
  ...shared,
});

const miniSchema = z.strictObject({
  name: z.literal("mini"),
  /** Split and seed, or the seed of a test database. */
  db: z.string().min(1).default("test/0"),
  ...sql,
  ...shared,
});

const mmluSchema = z.strictObject({
  name: z.literal("mmlu"),
  data: path,
  /** The subject. */
  db: z.string().min(1).optional(),
  /** Whether the published code's oddities in what counts as right are corrected or kept (mmlu/gold.ts). */
  goldRules: z.enum(Object.keys(GOLD_RULES) as GoldRules[]).default("corrected"),
  ...shared,
});

const moduleSchema = z.strictObject({
  name: z.literal("module"),
  /** A file that makes a task. */
  path,
  /** What it is called with. */
  options: z.record(z.string(), z.string()).default({}),
  /** Seconds that grading an answer may take; one that takes longer counts as wrong. */
  timeout: z.number().positive().default(DEFAULT_GRADE_SECONDS),
  /** In tables of several runs, what tells tasks of one file apart; handed over as the option `db`. */
  db: z.string().min(1).optional(),
  ...shared,
});

const ownSchema = z.strictObject({
  name: z.literal("own"),
  /** A folder of `lse init`, or the problems of one of its runs. */
  data: path,
  /** The folder's name, for tables of several runs. */
  db: z.string().optional(),
  ...sql,
  ...shared,
});

/** The task of a run's configuration. */
export const taskConfigSchema = z.discriminatedUnion("name", [
  birdSchema,
  miniSchema,
  mmluSchema,
  moduleSchema,
  ownSchema,
]);

export type TaskConfig = z.infer<typeof taskConfigSchema>;

/** What a kind of task is made of. */
interface TaskKind<Name extends TaskConfig["name"]> {
  /** What differs from the paper's protocol, for models made for this task. */
  readonly evolve: { readonly sampling?: object } & Readonly<Record<string, unknown>>;
  /** Paths become absolute. */
  resolve(config: Extract<TaskConfig, { name: Name }>): TaskConfig;
  open(config: Extract<TaskConfig, { name: Name }>, pool: TaskPool | null): Promise<Task>;
}

const KINDS: { readonly [Name in TaskConfig["name"]]: TaskKind<Name> } = {
  bird: {
    evolve: {},
    resolve: (config) => ({ ...config, data: resolve(config.data) }),
    open: ({ data, db, timeout, cache, answers, cutRepetition, sqlEngine }) =>
      BirdTask.open({
        dataPath: data,
        dbId: db,
        timeoutMs: limitMs(timeout),
        cacheFolder: cache,
        sqlEngine,
        reading: { answers, cutRepetition },
      }),
  },
  mini: {
    // Its models are trained without penalties, at temperature 1, on batches of this size.
    evolve: {
      rounds: 12,
      batch: 5,
      holdout: 20,
      ucbC: 0.3,
      sampling: { temperature: 1, topK: 0, topP: 1, presencePenalty: 0, maxTokens: 160 },
    },
    resolve: (config) => config,
    open: async ({ db, timeout }, pool) =>
      MiniTask.open(parseAddress(db), pool?.graderFor(limitMs(timeout)) ?? limitMs(timeout)),
  },
  mmlu: {
    evolve: {},
    resolve: (config) => ({ ...config, data: resolve(config.data) }),
    open: ({ data, db, goldRules }) => MmluTask.open({ dataPath: data, subject: db, goldRules }),
  },
  module: {
    evolve: {},
    resolve: (config) => ({ ...config, path: resolve(config.path) }),
    open: ({ path: file, options, db, timeout }) =>
      openTaskFile(file, db === undefined ? options : { ...options, db }, limitMs(timeout)),
  },
  own: {
    evolve: {},
    resolve: (config) => {
      if (config.testDb !== undefined)
        throw new LseError("field task.testDb: a workspace has a test of its own", "Leave it out");
      return { ...config, data: resolve(config.data) };
    },
    open: ({ data, timeout, cache }) =>
      WorkspaceTask.open({ dataPath: data, timeoutMs: limitMs(timeout), cacheFolder: cache }),
  },
};

const kindOf = (name: TaskConfig["name"]) => KINDS[name] as TaskKind<TaskConfig["name"]>;

/** Names of the tasks there are. */
export const TASK_NAMES = Object.keys(KINDS) as TaskConfig["name"][];

/** Parameters of evolution in which a task differs from the paper's protocol. */
export const evolveDefaults = (name: unknown): TaskKind<"bird">["evolve"] =>
  TASK_NAMES.includes(name as TaskConfig["name"]) ? kindOf(name as TaskConfig["name"]).evolve : {};

/**
 * Checks the fields of a task.
 * @param origin where they are from, for error messages
 * @throws LseError naming a field that is missing or wrong
 */
export function taskConfigOf(fields: unknown, origin: string): TaskConfig {
  const schema = z.object({ task: taskConfigSchema });
  return resolveTask(checked(schema, { task: fields }, origin, "Correct that field").task);
}

/** The configuration with absolute paths. */
export function resolveTask(config: TaskConfig): TaskConfig {
  const resolved = kindOf(config.name).resolve(config);
  return resolved.cache === undefined ? resolved : { ...resolved, cache: resolve(resolved.cache) };
}

/** Opens a task on its own. @throws LseError for data that cannot be used */
export const openTask = (config: TaskConfig): Promise<Task> => open(config, null);

async function open(config: TaskConfig, pool: TaskPool | null): Promise<Task> {
  const kind = kindOf(config.name);
  const task = await kind.open(config, pool);
  if (config.testDb === undefined) return task;
  try {
    return new TransferTask(task, await kind.open({ ...config, db: config.testDb }, pool));
  } catch (error) {
    await task[Symbol.asyncDispose]();
    throw error;
  }
}

/** The tasks of many runs: each is opened once, and those of the miniature world share the processes for SQL. */
export class TaskPool implements AsyncDisposable {
  readonly #tasks = new Map<string, Promise<Task>>();
  readonly #graders = new Map<number, MiniGrader>();

  open(config: TaskConfig): Promise<Task> {
    const key = JSON.stringify(config);
    let task = this.#tasks.get(key);
    if (task === undefined) {
      task = open(config, this);
      this.#tasks.set(key, task);
    }
    return task;
  }

  graderFor(timeoutMs: number): MiniGrader {
    let grader = this.#graders.get(timeoutMs);
    if (grader === undefined) {
      grader = new MiniGrader(timeoutMs);
      this.#graders.set(timeoutMs, grader);
    }
    return grader;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const opened = await Promise.allSettled(this.#tasks.values());
    for (const task of opened) if (task.status === "fulfilled") await task.value[Symbol.asyncDispose]();
    for (const grader of this.#graders.values()) await grader[Symbol.asyncDispose]();
  }
}
