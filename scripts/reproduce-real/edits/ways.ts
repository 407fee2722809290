/** The runs that show what kinds of edits bring: how each evolves, with which evolver, on which databases. */
import type { PartialConfig } from "#lse/runs/config.js";
import { DATABASES, type Database, MODELS, type ModelName, WAYS, type Way } from "../cells.js";

/** A way of evolving that gets a row of its own. */
export interface EditWay {
  readonly evolve: Readonly<Record<string, unknown>>;
  /** What writes the edits: a model, or null for none; left out: the model that answers. */
  readonly evolver?: ModelName | null;
  /** Whether it is a method of others, for comparison. */
  readonly isRival?: true;
  /** The way without edits that it is compared with; left out: "seed". */
  readonly base?: string;
}

/** Of every run. It takes 378 answers at most: 30 for the seed, 6 and 30 for each round, 60 for the test. */
const SIZES = { rounds: 8, batch: 6, holdout: 30, test: 60 };

/**
 * Answers are greedy and without thought, since those of a small model are no better for it, and a score without chance
 * tells nodes apart sooner. The tree is nearly best-first: eight rounds are too few to look at every node twice.
 */
const COMMON = {
  ...SIZES,
  ucbC: 0.1,
  sampling: { temperature: 0, presencePenalty: 0, maxTokens: 512 },
  editTemperature: 0.7,
  editMaxTokens: 512,
  strategy: { reasoning: "none" },
};

const NONE = { evolver: null } as const;
const RIVAL = { isRival: true } as const;
const delta = { edits: "delta", constrainEdits: true };
/** Joins that a query lacks are added: what the model learns comes on top of that. */
const joins = { strategy: { ...COMMON.strategy, mend: true } };
/** Draws of an answer by vote, with which the seed takes as many completions as a run. */
const DRAWS = Math.round(
  (SIZES.holdout + SIZES.rounds * (SIZES.batch + SIZES.holdout) + SIZES.test) / (SIZES.holdout + SIZES.test),
);

/** In the order in which they are measured. */
export const EDIT_WAYS: Readonly<Record<string, EditWay>> = {
  seed: { evolve: { rounds: 0 } },
  example: { evolve: { edits: "example" }, ...NONE },
  mixed: { evolve: { edits: "mixed", constrainEdits: true } },
  delta: { evolve: delta },
  rewrite: { evolve: { edits: "rewrite" } },
  bootstrap: { evolve: { method: "bootstrap" }, ...NONE, ...RIVAL },
  "seed, joins": { evolve: { rounds: 0, ...joins } },
  "example, joins": { evolve: { edits: "example", ...joins }, ...NONE, base: "seed, joins" },
  "mixed, joins": { evolve: { edits: "mixed", constrainEdits: true, ...joins }, base: "seed, joins" },
  "seed, vote": {
    evolve: {
      rounds: 0,
      sampling: (WAYS["no examples, vote"] as Way).sampling,
      strategy: { ...COMMON.strategy, samples: DRAWS },
    },
    ...NONE,
    ...RIVAL,
  },
  skillopt: { evolve: { method: "skillopt", constrainEdits: true }, ...RIVAL },
  ace: { evolve: { method: "ace", constrainEdits: true }, ...RIVAL },
  gepa: { evolve: { method: "gepa" }, ...RIVAL },
  textgrad: { evolve: { method: "textgrad" }, ...RIVAL },
  "delta by the 0.5B": { evolve: delta, evolver: "qwen2.5-coder-0.5b" },
  "rewrite by the 0.5B": { evolve: { edits: "rewrite" }, evolver: "qwen2.5-coder-0.5b" },
};

/** Whether a way is one that others are compared with. */
export const isBase = (way: string): boolean =>
  way === "seed" || Object.values(EDIT_WAYS).some(({ base }) => base === way);

/** The model that answers. */
export const ACTOR: ModelName = "qwen2.5-coder-1.5b";
export const SEEDS = 3;

/** One run. */
export interface EditRun {
  readonly way: string;
  readonly database: Database;
  readonly seed: number;
  /** Of its folder. */
  readonly name: string;
}

/** All runs, those of one seed before those of the next, so that what is there early is worth looking at. */
export function editRuns(ways: readonly string[], databases: readonly Database[], seeds: number): EditRun[] {
  return Array.from({ length: seeds }, (_, seed) => seed).flatMap((seed) =>
    ways.flatMap((way) =>
      databases.map((database) => {
        const name = `${way.replace(/[^\w.]+/g, "-")}-${database}-seed${seed}`;
        return { way, database, seed, name };
      }),
    ),
  );
}

/** Where data and models are. */
export interface Places {
  readonly dev: string;
  readonly train: string;
  readonly models: string;
  /** Where the runs' folders lie, if there are some already: what one has generated, the others use. */
  readonly runs?: string | undefined;
}

export function configOf(
  { way, database, seed }: EditRun,
  { dev, train, models, runs }: Places,
): PartialConfig {
  const { evolve, evolver } = EDIT_WAYS[way] as EditWay;
  const file = (model: ModelName) => `${models}/${MODELS[model]}`;
  return {
    task: { name: "bird", data: DATABASES[database] === "dev" ? dev : train, db: database },
    model: {
      path: file(ACTOR),
      context: 6144,
      threads: 2,
      decodeBatch: 512,
      sequences: 32,
      flashAttention: true,
      kvCells: 16_384,
    },
    ...(evolver == null ? {} : { evolver: { model: file(evolver) } }),
    ...(runs === undefined ? {} : { reuse: runs }),
    evolve: { ...COMMON, ...evolve, seed },
  };
}
