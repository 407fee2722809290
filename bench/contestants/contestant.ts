/** What every contestant of the bench provides: its settings, and sessions that do the work. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Size, Work } from "../workloads.js";

/** What a contestant is opened for. */
export interface Setup {
  /** A GGUF file. */
  readonly modelPath: string;
  /** CPU threads that evaluate; nothing runs on a GPU. */
  readonly threads: number;
  /** The size of the largest work to come; contexts are made to fit it. */
  readonly size: Size;
}

/** What one run of a work took. */
export interface Outcome {
  /** Wall time, without loading the model. */
  readonly seconds: number;
  /** Prompt tokens that went through the model; what came out of a cache is not in it. */
  readonly promptTokens: number;
  readonly generatedTokens: number;
  /** For our engine: seconds of these in which it waited for llama.cpp. */
  readonly decodeSeconds?: number;
}

/** A loaded model, ready to run. */
export interface Session {
  /** Greedily, all of it. */
  run(work: Work): Promise<Outcome>;
  /** The same with the sampling of the paper, which may end a completion early. Only our engine has it. */
  runSampled?(work: Work): Promise<Outcome>;
  close(): Promise<void>;
}

export const CONTESTANTS = [
  "lse",
  "cpp_bound",
  "node_llama_cpp_plain",
  "node_llama_cpp_best",
  "llama_server",
  "transformers_js",
] as const;
export type ContestantName = (typeof CONTESTANTS)[number];

/** One way for a contestant to run. */
export interface Setting {
  /** In words for the report. */
  readonly label: string;
  open(setup: Setup): Promise<Session>;
}

/** Something that can do the work, in one or several ways of which the fastest counts. */
export interface Contestant {
  readonly name: ContestantName;
  /** Whether it keeps prompts from one run to the next, so that a second round on one prefix says something. */
  readonly repeats: boolean;
  /** The ways to run; they are tried on a part of the work before anything is measured. */
  settings(size: Size): readonly Setting[];
}

/** The longest prompt and its completion, in tokens. */
export const longest = ({ prefix, suffix, generate }: Size) => Math.max(prefix, 32) + suffix + generate;

/** Completions at once: this many, or all there are. Without those that come to the same. */
export function parallel(size: Size, counts: readonly number[]): number[] {
  return [...new Set(counts.map((count) => Math.min(count, size.prompts * size.samples)))];
}

/** Resolves when the program has ended. */
export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}
