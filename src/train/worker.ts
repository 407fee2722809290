/** The thread that a Trainer computes on: it owns an Engine and answers one request after another. */
import { parentPort } from "node:worker_threads";
import { LseError } from "../errors.js";
import type { Row } from "./batch.js";
import { type StepResult, TrainEngine, type TrainerOptions } from "./engine.js";
import type { Parameters } from "./model/spec.js";

/** What can be asked for: name, arguments, result. */
export interface Calls {
  open: [
    args: [options: TrainerOptions, check: boolean, ggml: string | undefined],
    result: { step: number; progress: unknown },
  ];
  train: [args: [rows: readonly Row[]], result: StepResult];
  logprobs: [args: [rows: readonly Row[]], result: Float32Array[][]];
  parameters: [args: [], result: Parameters];
  save: [args: [path: string, progress: unknown], result: undefined];
  close: [args: [], result: undefined];
}
export type CallName = keyof Calls;

export interface TrainerRequest {
  readonly id: number;
  readonly name: CallName;
  readonly args: readonly unknown[];
}

export type TrainerReply =
  | { readonly id: number; readonly result: unknown }
  /** `nextStep` is there for errors that a user can act on. */
  | { readonly id: number; readonly problem: string; readonly nextStep?: string };

const handlers: { [N in CallName]: (...args: Calls[N][0]) => Promise<Calls[N][1]> } = {
  async open(options, check, ggml) {
    engine = await TrainEngine.open(options, check, ggml);
    return { step: engine.step, progress: engine.progress };
  },
  train: (rows) => opened().train(rows),
  logprobs: (rows) => opened().logprobs(rows),
  parameters: async () => opened().trained,
  save: (path, progress) => opened().save(path, progress) as Promise<undefined>,
  async close() {
    await engine?.release();
    engine = undefined;
    return undefined;
  },
};

let engine: TrainEngine | undefined;

function opened(): TrainEngine {
  if (engine === undefined) throw new Error("the trainer is not open");
  return engine;
}

async function answer({ id, name, args }: TrainerRequest): Promise<TrainerReply> {
  try {
    const handler = handlers[name] as (...args: readonly unknown[]) => Promise<unknown>;
    return { id, result: await handler(...args) };
  } catch (error) {
    if (error instanceof LseError) return { id, problem: error.problem, nextStep: error.nextStep };
    return { id, problem: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

let last: Promise<void> = Promise.resolve();
parentPort?.on("message", (request: TrainerRequest) => {
  last = last.then(async () => parentPort?.postMessage(await answer(request)));
});
