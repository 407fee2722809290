/** What is compared, on what, and how much of it. */
import type { EvolveConfig } from "#lse/evolve/config.js";

/** Time limit of a predicted query. */
export const TIMEOUT_MS = 2000;

/** Who writes the edits. */
export type EvolverName = "untrained" | "lse" | "post-edit" | "mini-b";

export interface Method {
  readonly name: string;
  readonly policy: "mini" | "mini-b";
  readonly evolver: EvolverName;
  readonly method: EvolveConfig["method"];
}

export const METHODS: readonly Method[] = [
  { name: "untrained, chain", policy: "mini", evolver: "untrained", method: "chain" },
  { name: "untrained, best-first", policy: "mini", evolver: "untrained", method: "best" },
  { name: "untrained, UCB tree", policy: "mini", evolver: "untrained", method: "ucb" },
  { name: "trained on the post-edit score, UCB tree", policy: "mini", evolver: "post-edit", method: "ucb" },
  { name: "LSE, UCB tree", policy: "mini", evolver: "lse", method: "ucb" },
  { name: "LSE, chain", policy: "mini", evolver: "lse", method: "chain" },
  { name: "mini-b alone, UCB tree", policy: "mini-b", evolver: "mini-b", method: "ucb" },
  { name: "LSE guiding mini-b, UCB tree", policy: "mini-b", evolver: "lse", method: "ucb" },
];

/** The comparisons that the experiment is made for: how much the first is above the second. */
export const COMPARISONS: readonly (readonly [string, string])[] = [
  ["LSE, UCB tree", "untrained, UCB tree"],
  ["LSE, UCB tree", "trained on the post-edit score, UCB tree"],
  ["untrained, UCB tree", "untrained, chain"],
  ["LSE, UCB tree", "LSE, chain"],
  ["LSE guiding mini-b, UCB tree", "mini-b alone, UCB tree"],
];

export interface Plan {
  readonly trainDatabases: readonly string[];
  readonly validationDatabases: readonly string[];
  readonly testDatabases: number;
  /** Edits of each summary where single edits are measured. */
  readonly editSamples: number;
  /** Seeds of evolution for each test database. */
  readonly seeds: number;
  readonly methods: readonly Method[];
  /** Of the evolver; the policy is greedy. */
  readonly temperatures: readonly number[];
  readonly rounds: readonly [number, number];
  /** Overrides of configs/mini-lse.json. */
  readonly training: Readonly<Record<string, unknown>>;
}

export const FULL: Plan = {
  // 45 has too few questions.
  trainDatabases: ["train/0-44", "train/46-64"],
  validationDatabases: ["dev/0-23"],
  testDatabases: 64,
  editSamples: 1,
  seeds: 3,
  methods: METHODS,
  temperatures: [1, 0, 0.5],
  rounds: [4, 8],
  training: {},
};

/** Enough to see the improvement per edit rise. */
export const QUICK: Plan = {
  trainDatabases: ["train/0-7"],
  validationDatabases: ["dev/0-3"],
  testDatabases: 12,
  editSamples: 1,
  seeds: 1,
  methods: [],
  temperatures: [],
  rounds: [4, 8],
  training: { updates: 12, nodes: 8, validateEvery: 6, validationNodes: 16 },
};
