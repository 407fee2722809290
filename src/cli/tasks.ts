import { resolve } from "node:path";
import { z } from "zod";
import { BirdTask } from "../bird/task.js";
import { parseAddress } from "../mini/splits.js";
import { MiniTask } from "../mini/task.js";
import type { Task } from "../task.js";

const path = z.string().min(1);
const shared = {
  /** Seconds a predicted query may take. */
  timeout: z.number().positive().default(30),
  /** Folder for gold results and measured settings. */
  cache: path.optional(),
};

const birdSchema = z.strictObject({
  name: z.literal("bird"),
  data: path,
  db: z.string().min(1).optional(),
  ...shared,
});

const miniSchema = z.strictObject({
  name: z.literal("mini"),
  /** Split and seed, or the seed of a test database. */
  db: z.string().min(1).default("test/0"),
  ...shared,
});

/** The task of a run's configuration. */
export const taskConfigSchema = z.discriminatedUnion("name", [birdSchema, miniSchema]);

export type TaskConfig = z.infer<typeof taskConfigSchema>;

/** The domains that `lse evolve` knows, by name. */
interface TaskKind<Name extends TaskConfig["name"]> {
  /** Options that have to be given. */
  readonly required: readonly (keyof Extract<TaskConfig, { name: Name }> & string)[];
  /** What differs from the paper's protocol, for models made for this task. */
  readonly evolve: { readonly sampling?: object } & Readonly<Record<string, unknown>>;
  /** Paths become absolute. */
  resolve(config: Extract<TaskConfig, { name: Name }>): TaskConfig;
  open(config: Extract<TaskConfig, { name: Name }>): Promise<Task>;
}

const KINDS: { readonly [Name in TaskConfig["name"]]: TaskKind<Name> } = {
  bird: {
    required: ["data"],
    evolve: {},
    resolve: (config) => ({ ...config, data: resolve(config.data) }),
    open: ({ data, db, timeout, cache }) =>
      BirdTask.open({ dataPath: data, dbId: db, timeoutMs: timeout * 1000, cacheFolder: cache }),
  },
  mini: {
    required: [],
    // Its models are trained without penalties, at temperature 1, on batches of this size.
    evolve: {
      ...{ rounds: 12, batch: 5, holdout: 20, ucbC: 0.3 },
      sampling: { temperature: 1, topK: 0, topP: 1, presencePenalty: 0, maxTokens: 160 },
    },
    resolve: (config) => config,
    open: async ({ db, timeout }) => MiniTask.open(parseAddress(db), timeout * 1000),
  },
};

const kindOf = (name: TaskConfig["name"]) => KINDS[name] as TaskKind<TaskConfig["name"]>;

/** Names of the tasks there are. */
export const TASK_NAMES = Object.keys(KINDS) as TaskConfig["name"][];

/** Options that a task cannot do without; none for what is no task. */
export const requiredOptions = (name: unknown): readonly string[] =>
  TASK_NAMES.includes(name as TaskConfig["name"]) ? kindOf(name as TaskConfig["name"]).required : [];

/** Parameters of evolution in which a task differs from the paper's protocol. */
export const evolveDefaults = (name: unknown): TaskKind<"bird">["evolve"] =>
  TASK_NAMES.includes(name as TaskConfig["name"]) ? kindOf(name as TaskConfig["name"]).evolve : {};

export function resolveTask(config: TaskConfig): TaskConfig {
  const resolved = kindOf(config.name).resolve(config);
  return resolved.cache === undefined ? resolved : { ...resolved, cache: resolve(resolved.cache) };
}

export const openTask = ({ task }: { task: TaskConfig }): Promise<Task> => kindOf(task.name).open(task);
