/** The runs that show what kinds of edits bring: how each evolves, with which evolver, on which databases. */
import type { PartialConfig } from "#lse/runs/config.js";
import { DATABASES, type Database, MODELS, type ModelName } from "../cells.js";

/** A way of evolving that gets a row of its own. */
export interface EditWay {
  readonly evolve: Readonly<Record<string, unknown>>;
  /** What writes the edits; left out: the model that answers. */
  readonly evolver?: ModelName;
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

/** The kinds of edits first, in the order in which they are measured. */
export const EDIT_WAYS: Readonly<Record<string, EditWay>> = {
  seed: { evolve: { rounds: 0 } },
  example: { evolve: { edits: "example" } },
  mixed: { evolve: { edits: "mixed", constrainEdits: true } },
  delta: { evolve: { edits: "delta", constrainEdits: true } },
  rewrite: { evolve: { edits: "rewrite" } },
  "delta, 0.5B": { evolve: { edits: "delta", constrainEdits: true }, evolver: "qwen2.5-coder-0.5b" },
};

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
    ...(evolver === undefined ? {} : { evolver: { model: file(evolver) } }),
    ...(runs === undefined ? {} : { reuse: runs }),
    evolve: { ...COMMON, ...evolve, seed },
  };
}
