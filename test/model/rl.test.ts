import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MemoryJournal } from "#lse/journal/journal.js";
import { uniformStream } from "#lse/lib/random.js";
import type { Completion, GenerateRequest } from "#lse/model.js";
import { readCheckpoint } from "#lse/train/checkpoint.js";
import { TrainEngine, type TrainerOptions } from "#lse/train/engine.js";
import { initialParameters } from "#lse/train/model/initial.js";
import type { ModelSpec } from "#lse/train/model/spec.js";
import { adamW } from "#lse/train/optimizer/groups.js";
import { CONSTANT } from "#lse/train/optimizer/schedule.js";
import { advantages, ESTIMATORS, type ScoredEdit } from "#lse/train/rl/advantages.js";
import { type EditState, editStates, statesOf } from "#lse/train/rl/edit-states.js";
import { figuresOf, learn } from "#lse/train/rl/learn.js";
import { rollOut } from "#lse/train/rl/rollouts.js";
import { answersByInstructions, ScriptedModel } from "../fakes.js";
import { savedRun } from "../saved-run.js";

const NO_PROMPT = { selfEvolvePrompt: null, editKind: null };
const sampling = {
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  presencePenalty: 0,
  maxTokens: 200,
  stop: [],
};

describe("the data of training", () => {
  it("has each prompt once, without nodes that have no score or no prompt", () => {
    const run = savedRun("a", [0, 2, 1, 3]);
    run.tree.node(2).score = Number.NaN;
    const states = editStates([{ ...run, records: run.records.with(3, NO_PROMPT) }, run], "potential", 1);
    expect(states.map(({ node, potential }) => [node, potential])).toEqual([
      [0, 0.75],
      [1, 0.25],
      [3, 0],
    ]);
  });

  it("is ordered by how far a node lies below its tree's best, backwards, or by the seed", () => {
    const runs = [savedRun("a", [0, 2, 1, 3]), savedRun("b", [4, 1])];
    const potentials = (order: "potential" | "reverse" | "random", seed = 1) =>
      editStates(runs, order, seed).map(({ potential }) => potential);
    expect(potentials("potential")).toEqual([0.75, 0.75, 0.5, 0.25, 0, 0]);
    expect(potentials("reverse")).toEqual([0, 0, 0.25, 0.5, 0.75, 0.75]);
    const orders = new Set([1, 2, 3, 4].map((seed) => potentials("random", seed).join()));
    expect(orders.size).toBeGreaterThan(1);
    expect(potentials("random", 2)).toEqual(potentials("random", 2));
  });

  it("goes round and round, so that every state gets its turn", () => {
    const states = editStates([savedRun("a", [0, 2, 1, 3])], "potential", 1);
    const seen = [1, 2, 3, 4].flatMap((update) => statesOf(states, 3, update)).map(({ node }) => node);
    expect(seen).toEqual([0, 2, 1, 3, 0, 2, 1, 3, 0, 2, 1, 3]);
  });

  it("needs a node to train on", () => {
    expect(() => editStates([{ ...savedRun("a", [1]), records: [NO_PROMPT] }], "random", 1)).toThrow(
      /lse collect/,
    );
  });
});

describe("rollouts", () => {
  const edit = (text: string) => `<prompt>known: 100 ${text}</prompt>`;

  it("reward an edit by the change of the score, equal ones paid for once", async () => {
    const states = editStates([savedRun("a", [2, 1])], "reverse", 1);
    const evolver = new ScriptedModel(
      ({ sample }) =>
        [edit("0 1 2"), edit("0 1"), edit("0 1 2"), "<prompt>0</prompt>", "no tags", edit("3")][sample] ?? "",
    );
    const policy = new ScriptedModel(answersByInstructions);
    const plan = { states: states.slice(0, 1), rollouts: 6, sampling, seed: 1, round: 1 };
    const { rollouts, times } = await rollOut(plan, { evolver, policy }, new MemoryJournal());
    expect(rollouts.map(({ score }) => score)).toEqual([0.75, 0.5, 0.75, -1, -1, 0.25]);
    expect(rollouts.map(({ reward }) => reward)).toEqual([0.25, 0, 0.25, -1, -1, -0.25]);
    // The edit that changes nothing is known already; the other two are answered on four problems each.
    expect(policy.requests).toHaveLength(8);
    expect(times.asked).toBe(8);
    expect(rollouts[0]?.standardError).toBeCloseTo(Math.hypot(0.25, 0.1), 6);
    const figures = figuresOf(rollouts);
    expect(figures.invalid).toBeCloseTo(1 / 3);
    expect(figures.improvement).toBeCloseTo(0.25 / 4);
    expect(figures.reward).toBeCloseTo((0.25 - 2) / 6);
    expect(figures.distinct).toBeCloseTo(5 / 6);
  });

  it("make the changes that an edit of rules has", async () => {
    const state = editStates([savedRun("a", [2, 1])], "reverse", 1)[0] as EditState;
    const evolver = new ScriptedModel(
      ({ sample }) => ["<add>known: 0 1 2</add>", edit("0 1 2")][sample] ?? "",
    );
    const policy = new ScriptedModel(answersByInstructions);
    const plan = { states: [{ ...state, kind: "delta" as const }], rollouts: 2, sampling, seed: 1, round: 1 };
    const { rollouts } = await rollOut(plan, { evolver, policy }, new MemoryJournal());
    expect(rollouts.map(({ isValid }) => isValid)).toEqual([true, false]);
    expect(rollouts[0]?.instructions).toBe(`${state.instructions}\n\nRules:\n1. known: 0 1 2`);
  });

  it("score an edit with its own run's problems, and treat one that leaves no room as invalid", async () => {
    const states = editStates([savedRun("a", [0]), savedRun("b", [0])], "random", 1);
    const evolver = new ScriptedModel(({ messages, sample }) =>
      sample === 1 ? edit("9 ".repeat(2000)) : edit(messages[0]?.content.startsWith("a") ? "0" : "0 1 2 3"),
    );
    const policy = new ScriptedModel(answersByInstructions, 3000);
    const plan = { states, rollouts: 2, sampling, seed: 1, round: 1 };
    const { rollouts } = await rollOut(plan, { evolver, policy }, new MemoryJournal());
    const rewards = rollouts.map(({ state, reward }) => `${state.run.origin} ${reward}`).sort();
    expect(rewards).toEqual(["a -1", "a 0.25", "b -1", "b 1"]);
  });
});

const SPEC: ModelSpec = {
  family: "qwen2",
  shape: { layers: 1, embedding: 16, heads: 1, kvHeads: 1, headDim: 16, feedForward: 16 },
  vocabulary: 16,
  contextLength: 16,
};
const TRAINER: Omit<TrainerOptions, "start"> = {
  spec: SPEC,
  lora: { rank: 4, alpha: 8 },
  loss: { kind: "policy-gradient", clip: 0.2 },
  groups: adamW(0.02),
  schedule: CONSTANT,
  clipNorm: 1,
  provider: "cpu",
  threads: 1,
  microTokens: 256,
};

/** The arm in whose part of the whole a point lies. */
function drawArm(logprobs: readonly number[], point: number): number {
  let end = 0;
  for (const [arm, logprob] of logprobs.entries()) {
    end += Math.exp(logprob);
    if (point < end) return arm;
  }
  return logprobs.length - 1;
}

describe("a bandit with one best arm", () => {
  const PROMPT = [1, 2];
  /** Scores after an edit of a node that scores 0.5: only arm 5 improves it. */
  const ARMS = [0.3, 0.45, 0.4, 0.2, 0.45, 0.8, 0.35, 0.3];
  const BEFORE = 0.5;

  it.each(ESTIMATORS)("is learnt with %s", { timeout: 60_000 }, async (estimator) => {
    for (let seed = 1; seed <= 5; seed++) {
      const start = { from: "parameters", parameters: initialParameters(SPEC, seed), seed } as const;
      const { lora: _, ...whole } = TRAINER;
      const engine = await TrainEngine.open({ ...whole, start }, false);
      const uniform = uniformStream(seed);
      let updates = 0;
      for (let chance = 0; chance < 0.9; updates++) {
        const all = { prefix: PROMPT, continuations: ARMS.map((_, arm) => ({ tokens: [arm] })) };
        const [row] = await engine.logprobs([all]);
        const logprobs = (row ?? []).map(([logprob]) => logprob as number);
        const total = logprobs.reduce((sum, logprob) => sum + Math.exp(logprob), 0);
        chance = Math.exp(logprobs[5] as number) / total;
        const drawn = Array.from({ length: 16 }, () => drawArm(logprobs, uniform() * total));
        const edits = drawn.map((arm): ScoredEdit => {
          const score = Math.min(1, Math.max(0, (ARMS[arm] as number) + 0.1 * (uniform() - 0.5)));
          return { group: 0, score, reward: score - BEFORE };
        });
        const weights = advantages(edits, estimator);
        const continuations = drawn.map((arm, i) => ({
          tokens: [arm],
          oldLogprobs: [logprobs[arm] as number],
          advantage: weights[i] as number,
        }));
        await engine.train([{ prefix: PROMPT, continuations }]);
        expect(updates, `seed ${seed}`).toBeLessThan(60);
      }
      await engine.release();
    }
  });
});

describe("learning", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "lse-rl-"));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  /** Trains for four updates; `killed` says after how many answers and edits the process dies. */
  async function train(name: string, killed = Number.POSITIVE_INFINITY, kl = 0): Promise<void> {
    let left = killed;
    const dying = (answer: (request: GenerateRequest) => string | Partial<Completion>) =>
      new ScriptedModel((request) => {
        if (left-- <= 0) throw new Error("killed");
        return answer(request);
      });
    const path = join(folder, name);
    await mkdir(path, { recursive: true });
    const runs = [savedRun("a", [0, 2, 1]), savedRun("b", [1, 3])];
    await learn({
      folder: path,
      start: { from: "parameters", parameters: initialParameters(SPEC, 3), seed: 1 },
      clip: 0.2,
      kl,
      encode: () => [1, 2, 3],
      trainer: TRAINER,
      policy: dying(answersByInstructions),
      // What it writes depends on what has been learnt: a resumed training must bring the same parameters.
      evolverOf: async (parameters) =>
        dying(({ seed, sample }) => {
          const learnt = Math.abs(Math.round(1e6 * (parameters["blk.0.attn_q.weight.lora_b"]?.[0] ?? 0)));
          const number = (seed + sample + learnt) % 5;
          const tokens = [4 + number, 15];
          return { text: `<prompt>known: 100 ${number}</prompt>`, tokens, logprobs: [-2.5, -2.8] };
        }),
      states: editStates(runs, "potential", 1),
      validation: editStates([savedRun("c", [0, 1])], "random", 1),
      updates: 4,
      nodes: 2,
      rollouts: 2,
      estimator: "delta",
      sampling,
      seed: 1,
      validateEvery: 2,
    });
  }
  /** The curve without times, and the bytes of the checkpoint. */
  async function outcome(name: string) {
    const curve = await readFile(join(folder, name, "curve.jsonl"), "utf8");
    const checkpoint = await readFile(join(folder, name, "checkpoint.safetensors"));
    return { curve: curve.replace(/,"seconds":\{[^}]*\}/g, ""), checkpoint: checkpoint.toString("base64") };
  }

  it("moves the evolver, and reports each update", { timeout: 60_000 }, async () => {
    await train("whole");
    const points = (await outcome("whole")).curve.trim().split("\n");
    const kinds = points.map((line) => JSON.parse(line)).map(({ kind, step }) => `${kind} ${step}`);
    expect(kinds).toEqual([
      "validation 0",
      "update 1",
      "update 2",
      "validation 2",
      "update 3",
      "update 4",
      "validation 4",
    ]);
    expect(await readdir(join(folder, "whole", "in-work"))).toEqual([]);
  });

  it("stays near where it began as far as it is told to", { timeout: 60_000 }, async () => {
    const moved = async (name: string) => {
      const { tensors } = await readCheckpoint(join(folder, name, "checkpoint.safetensors"));
      const b = Object.entries(tensors).filter(([tensor]) => tensor.endsWith(".lora_b"));
      return Math.hypot(...b.flatMap(([, values]) => [...values]));
    };
    await train("held", Number.POSITIVE_INFINITY, 100);
    expect(await moved("whole")).toBeGreaterThan(0);
    expect(await moved("held")).toBeLessThan(0.9 * (await moved("whole")));
  });

  it.each([3, 21, 33])("killed after %i completions, it goes on identically", {
    timeout: 60_000,
  }, async (moment) => {
    await expect(train(`killed ${moment}`, moment)).rejects.toThrow("killed");
    await train(`killed ${moment}`);
    expect(await outcome(`killed ${moment}`)).toEqual(await outcome("whole"));
  });
});
