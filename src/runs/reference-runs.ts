/**
 * Runs of the published code (https://github.com/chenyn66/learning-to-self-evolve): `tree/tree.json`,
 * `env/info.json` and `env/config.yaml` in a folder (lse/simulators/bird_simulator.py, verl/utils/dataset/lse_dataset.py).
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { LseError } from "../errors.js";
import { evolveConfigSchema } from "../evolve/config.js";
import { treeFromJson } from "../evolve/tree-file.js";
import { checked, readJson } from "../lib/json-file.js";
import type { SavedRun } from "../train/rl/edit-states.js";
import type { TaskPool } from "./tasks.js";

const MAKE_AGAIN = "Leave this run out, or make it again";
/** Seconds that the published code gives a predicted query. */
const TIMEOUT = 30;
/** What sampling is forced to where scores are means over samples (lse_reward_fn.py). */
const FORCED_TEMPERATURE = 0.7;

const infoSchema = z.object({
  db_id: z.string({ error: "only runs on BIRD can be read: it has no database" }),
  holdout_qids: z
    .array(z.union([z.int(), z.string()]))
    .min(1, { error: "the run has no holdout: collect with task.dev_size of at least 1" }),
});

const configSchema = z.object({
  seed: z.int().min(0),
  test_n_eval: z.int().min(1).default(1),
  tree: z.object({
    metric: z.enum(["dev", "test"], {
      error:
        "nodes were scored on the problems of their rounds, but edits would be on the holdout: collect with tree.metric=dev",
    }),
  }),
  truncate_repetitive: z.object({ enabled: z.boolean() }).default({ enabled: false }),
  model: z.object({
    name: z.string().default(""),
    sample_agent: z.boolean().default(true),
    sampling: z.object({
      temperature: z.number(),
      top_p: z.number(),
      top_k: z.int(),
      min_p: z.number().default(0),
      presence_penalty: z.number().default(0),
      max_tokens: z.int(),
    }),
  }),
});

export const isReferenceRun = (path: string) => existsSync(join(path, "tree", "tree.json"));

/**
 * @param data BIRD's folder, which such a run does not name
 * @throws LseError naming file and field of what cannot be used, such as nodes scored on other problems
 */
export async function referenceRun(
  path: string,
  data: string | undefined,
  tasks: TaskPool,
): Promise<SavedRun> {
  const infoPath = join(path, "env", "info.json");
  const info = checked(infoSchema, readJson(infoPath), infoPath, MAKE_AGAIN);
  const configPath = join(path, "env", "config.yaml");
  const settings = checked(configSchema, readYaml(configPath), configPath, MAKE_AGAIN);
  const { seed, test_n_eval: samples, model, truncate_repetitive } = settings;
  if (data === undefined)
    throw new LseError(
      `${path}: a run of the published code, which does not say where its database lies`,
      "Give the field data: BIRD's folder",
    );
  const task = await tasks.open({
    name: "bird",
    data,
    db: info.db_id,
    timeout: TIMEOUT,
    // There, the name of the model decides (lse/simulators/bird_simulator.py).
    answers: model.name.toLowerCase().includes("arctic") ? "fenced" : "tags",
    cutRepetition: truncate_repetitive.enabled,
    sqlEngine: "sqlite",
  });
  const holdout = info.holdout_qids.map(String);
  const unknown = holdout.find((id) => !task.problemIds.includes(id));
  if (unknown !== undefined)
    throw new LseError(
      `${infoPath}: ${data} has no question ${unknown}`,
      "Name the data that the run was made with",
    );
  const { sampling } = model;
  const config = evolveConfigSchema.parse({
    holdout: holdout.length,
    samples,
    seed,
    sampling: {
      ...(model.sample_agent || samples > 1
        ? {
            temperature: sampling.temperature > 0 ? sampling.temperature : FORCED_TEMPERATURE,
            topP: sampling.top_p,
            topK: Math.max(0, sampling.top_k),
            minP: sampling.min_p,
          }
        : { temperature: 0, topP: 1, topK: 1, minP: 0 }),
      presencePenalty: sampling.presence_penalty,
      maxTokens: sampling.max_tokens,
    },
  });
  const treePath = join(path, "tree", "tree.json");
  const { tree, records } = treeFromJson(readFileSync(treePath, "utf8"), treePath);
  return {
    origin: path,
    policy: null,
    task,
    config,
    tree,
    records,
    holdout,
  };
}

function readYaml(path: string): unknown {
  try {
    return parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new LseError(
      `${path} cannot be read (${(cause as Error).message.split("\n")[0]})`,
      "Restore the run's folder",
      {
        cause,
      },
    );
  }
}
