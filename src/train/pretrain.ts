/** Supervised training from random weights, in a folder: it can be killed at any moment and goes on from there. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Row } from "./batch.js";
import { CHECKPOINT } from "./checkpoint.js";
import { CURVE, Curve, readCurve } from "./curve.js";
import type { StepResult, TrainerOptions } from "./engine.js";
import type { Parameters } from "./model/spec.js";
import { Trainer } from "./trainer.js";

export interface PretrainOptions {
  readonly trainer: Omit<TrainerOptions, "start" | "loss">;
  /** Of the first weights. */
  readonly seed: number;
  readonly lookupHeads: boolean;
  readonly steps: number;
  /** What is trained on at a step, from 1; the same whenever it is asked. */
  readonly rowsOf: (step: number) => readonly Row[];
  /** An existing folder: `checkpoint.safetensors`, `curve.jsonl`. */
  readonly folder: string;
  /** Steps between checkpoints; what is done since the last one is lost with the process. */
  readonly checkpointEvery: number;
  /** Steps between evaluations; the last step is followed by one in any case. */
  readonly evaluateEvery: number;
  /** @returns figures by name, which go into the curve */
  readonly evaluate: (parameters: Parameters, step: number) => Promise<Record<string, number>>;
  /** Told how many steps are done already. */
  readonly onStart?: (done: number) => void;
  readonly onStep?: (result: StepResult) => void;
  readonly onEvaluation?: (step: number, figures: Readonly<Record<string, number>>) => void;
  readonly signal?: AbortSignal | undefined;
}

/** A line of `curve.jsonl`: a step, or an evaluation after one. */
export type CurvePoint =
  | ({ readonly seconds: number } & StepResult)
  | { readonly step: number; readonly evaluation: Record<string, number> };

/**
 * Trains up to `steps`, from the folder's checkpoint if it has one. The same options give the same weights to the
 * last bit, however often it was killed on the way.
 * @returns all parameters
 * @throws `signal.reason` when aborted, after a checkpoint
 */
export async function pretrain(options: PretrainOptions): Promise<Parameters> {
  const { folder, seed, lookupHeads, steps, signal } = options;
  const checkpoint = join(folder, CHECKPOINT);
  await using trainer = await Trainer.open({
    ...options.trainer,
    ...(existsSync(checkpoint) ? { checkpoint } : {}),
    loss: { kind: "cross-entropy" },
    start: { from: "random", seed, lookupHeads },
  });
  const curve = new Curve<CurvePoint>(join(folder, CURVE), trainer.startStep);
  options.onStart?.(trainer.startStep);
  for (let step = trainer.startStep + 1; step <= steps; step++) {
    const started = performance.now();
    const result = await trainer.step(options.rowsOf(step));
    curve.add({ ...result, seconds: (performance.now() - started) / 1000 });
    options.onStep?.(result);
    const isLast = step === steps;
    if (isLast || step % options.evaluateEvery === 0) {
      const evaluation = await options.evaluate(await trainer.parameters(), step);
      curve.add({ step, evaluation });
      options.onEvaluation?.(step, evaluation);
    }
    if (isLast || signal?.aborted || step % options.checkpointEvery === 0) {
      curve.write();
      await trainer.save(checkpoint);
    }
    signal?.throwIfAborted();
  }
  return await trainer.parameters();
}

/** The figures of the latest evaluation in a folder; null when there is none. */
export function latestEvaluation(folder: string): Record<string, number> | null {
  const evaluations = readCurve<CurvePoint>(join(folder, CURVE)).flatMap((point) =>
    "evaluation" in point ? [point.evaluation] : [],
  );
  return evaluations.at(-1) ?? null;
}
