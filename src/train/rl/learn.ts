/** LSE: the evolver is trained by the improvement its edits bring (paper §4), in a folder that survives a kill. */
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { JournalFile } from "../../journal/journal-file.js";
import { mean } from "../../lib/statistics.js";
import type { ChatMessage, LanguageModel, Sampling } from "../../model.js";
import type { Row } from "../batch.js";
import { CHECKPOINT } from "../checkpoint.js";
import { CURVE, Curve } from "../curve.js";
import type { Start, StepResult, TrainerOptions } from "../engine.js";
import type { Parameters } from "../model/spec.js";
import { Trainer } from "../trainer.js";
import { advantages, type Estimator } from "./advantages.js";
import { type EditState, statesOf } from "./edit-states.js";
import { type Rollout, rollOut } from "./rollouts.js";

/** A whole training of an evolver. */
export interface LearnOptions {
  /** The evolver's model, and the adapter that is trained on it. */
  readonly trainer: Omit<TrainerOptions, "start" | "checkpoint" | "loss">;
  /** Its weights before training. */
  readonly start: Start;
  /**
   * Clipping of the ratio of the trainer's probability to the one that an edit's token was drawn with. As each edit is
   * used in one update only, they are the same but for the engine's rounding (`logprobGap`).
   */
  readonly clip: number;
  /** Prompts in tokens, as the engine puts them. */
  readonly encode: (messages: readonly ChatMessage[]) => readonly number[];
  /** How much of the divergence from the evolver before training is added to the loss; 0 for none. */
  readonly kl: number;
  /** The model that answers. */
  readonly policy: LanguageModel;
  /** The evolver with these parameters: those that are trained. */
  readonly evolverOf: (parameters: Parameters) => Promise<LanguageModel>;
  /** In the order of training. */
  readonly states: readonly EditState[];
  /** Nodes of other trees, which show whether edits really get better. */
  readonly validation: readonly EditState[];
  readonly updates: number;
  /** Nodes of an update, and edits of each. */
  readonly nodes: number;
  readonly rollouts: number;
  readonly estimator: Estimator;
  /** How edits are drawn. */
  readonly sampling: Sampling;
  readonly seed: number;
  readonly validateEvery: number;
  /** An existing folder: `checkpoint.safetensors`, `curve.jsonl`, and in `in-work` what the next one will hold. */
  readonly folder: string;
  readonly onStart?: (done: number) => void;
  readonly onUpdate?: (point: UpdatePoint) => void;
  /** Told of a validation, before the evolver changes again. */
  readonly onValidation?: (point: ValidationPoint) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Figures of a set of edits. */
export interface EditFigures {
  /** Mean reward over all edits, invalid ones at −1, with its standard error over nodes. */
  readonly reward: number;
  readonly rewardError: number;
  /** Mean improvement over the valid ones. */
  readonly improvement: number;
  readonly invalid: number;
  /** Distinct ones among the edits, and tokens of one, as means. */
  readonly distinct: number;
  readonly editTokens: number;
}

export interface UpdatePoint extends StepResult, EditFigures {
  readonly kind: "update";
  /** Where the time went. */
  readonly seconds: {
    readonly edits: number;
    readonly answers: number;
    readonly gradient: number;
    readonly rest: number;
  };
}

export interface ValidationPoint extends EditFigures {
  readonly kind: "validation";
  readonly step: number;
}

export type LearnPoint = UpdatePoint | ValidationPoint;

/**
 * Trains up to `updates`, from the folder's checkpoint if it has one. A killed training goes on with the identical
 * next update: completions that were paid for are kept, and everything else depends on the checkpoint.
 * @throws `signal.reason` when aborted
 */
export async function learn(options: LearnOptions): Promise<void> {
  const { folder, updates, validateEvery, signal, seed, clip, kl, start } = options;
  const checkpoint = join(folder, CHECKPOINT);
  const loss = { kind: "policy-gradient", clip, ...(kl > 0 ? { kl } : {}) } as const;
  const beginning = { ...options.trainer, loss, start };
  await using trainer = await Trainer.open({ ...beginning, ...(existsSync(checkpoint) && { checkpoint }) });
  await using reference = kl > 0 ? await Trainer.open(beginning) : null;
  const curve = new Curve<LearnPoint>(join(folder, CURVE), trainer.startStep);
  options.onStart?.(trainer.startStep);

  const inWork = new InWork(join(folder, "in-work"));
  const validate = async (step: number) => {
    const { validation, sampling, policy } = options;
    const plan = { states: validation, rollouts: 1, sampling, seed, round: 0 };
    using journal = inWork.open(`validation-${step}`);
    const { rollouts } = await rollOut(plan, { evolver, policy }, journal, signal);
    const point = { kind: "validation", step, ...figuresOf(rollouts) } as const;
    curve.add(point);
    options.onValidation?.(point);
  };

  let evolver = await options.evolverOf(await trainer.parameters());
  if (trainer.startStep === 0) await validate(0);
  for (let step = trainer.startStep + 1; step <= updates; step++) {
    using journal = inWork.open(`update-${step}`);
    const point = await update(step, options, { trainer, reference }, evolver, journal);
    curve.add(point);
    options.onUpdate?.(point);
    evolver = await options.evolverOf(await trainer.parameters());
    if (step === updates || step % validateEvery === 0) await validate(step);
    curve.write();
    await trainer.save(checkpoint);
    inWork.clear();
    signal?.throwIfAborted();
  }
}

/** One update: the evolver edits, the policy answers, the gradient moves the evolver. */
async function update(
  step: number,
  options: LearnOptions,
  { trainer, reference }: { readonly trainer: Trainer; readonly reference: Trainer | null },
  evolver: LanguageModel,
  journal: JournalFile,
): Promise<UpdatePoint> {
  const { states, nodes, rollouts: each, sampling, seed, policy, estimator, encode, signal } = options;
  const started = performance.now();
  const plan = { states: statesOf(states, nodes, step), rollouts: each, sampling, seed, round: step };
  const { rollouts, times } = await rollOut(plan, { evolver, policy }, journal, signal);
  const rows = rowsOf(rollouts, advantages(rollouts, estimator), encode);
  const before = performance.now();
  const result = await trainer.step(
    reference === null ? rows : withReference(rows, await reference.logprobs(rows)),
  );
  const gradient = (performance.now() - before) / 1000;
  const total = (performance.now() - started) / 1000;
  const { edits, answers } = times;
  const seconds = { edits, answers, gradient, rest: total - edits - answers - gradient };
  return { kind: "update", ...result, ...figuresOf(rollouts), seconds };
}

/** Edits of one node share its prompt, so they make one row. */
function rowsOf(
  rollouts: readonly Rollout[],
  weights: readonly number[],
  encode: LearnOptions["encode"],
): Row[] {
  const rows = new Map<
    number,
    { prefix: readonly number[]; continuations: Row["continuations"][number][] }
  >();
  for (const [i, { group, state, completion }] of rollouts.entries()) {
    const row = rows.get(group) ?? { prefix: encode(state.messages), continuations: [] };
    const { tokens, logprobs } = completion;
    row.continuations.push({ tokens, oldLogprobs: logprobs, advantage: weights[i] as number });
    rows.set(group, row);
  }
  return [...rows.values()];
}

function withReference(rows: readonly Row[], logprobs: readonly Float32Array[][]): Row[] {
  return rows.map(({ prefix, continuations }, r) => ({
    prefix,
    continuations: continuations.map((continuation, c) => ({
      ...continuation,
      referenceLogprobs: [...(logprobs[r]?.[c] ?? [])],
    })),
  }));
}

export function figuresOf(rollouts: readonly Rollout[]): EditFigures {
  const valid = rollouts.filter(({ isValid }) => isValid);
  const groups = new Map<number, number[]>();
  for (const { group, reward } of rollouts) groups.set(group, [...(groups.get(group) ?? []), reward]);
  const means = [...groups.values()].map(mean);
  const reward = mean(means);
  const variance = means.reduce((sum, value) => sum + (value - reward) ** 2, 0) / (means.length - 1);
  const names = new Set(rollouts.map(({ group, instructions }) => `${group} ${instructions}`));
  return {
    reward,
    rewardError: Math.sqrt(variance / means.length),
    improvement: mean(valid.map((rollout) => rollout.reward)),
    invalid: 1 - valid.length / rollouts.length,
    distinct: names.size / rollouts.length,
    editTokens: mean(rollouts.map(({ completion }) => completion.tokens.length)),
  };
}

/** The completions since the last checkpoint: a killed training pays for none of them again. */
class InWork {
  constructor(private readonly path: string) {
    mkdirSync(path, { recursive: true });
  }

  open(name: string): JournalFile {
    return new JournalFile(join(this.path, `${name}.jsonl`));
  }

  /** A checkpoint holds what came of them. */
  clear(): void {
    for (const name of readdirSync(this.path)) rmSync(join(this.path, name));
  }
}
