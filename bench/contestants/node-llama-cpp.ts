/** What both node-llama-cpp contestants share: opening sequences, generating, cutting back. */
import type { LlamaContextSequence, Token } from "node-llama-cpp";
import { loadModel } from "#lse/runtime/llama/load.js";
import type { Size } from "../workloads.js";
import { longest, parallel, type Session, type Setting, type Setup } from "./contestant.js";

/** Settings that differ in how many sequences the context has. */
export const sequenceSettings = (
  size: Size,
  counts: readonly number[],
  open: (setup: Setup, sequences: number) => Promise<Session>,
): Setting[] =>
  parallel(size, counts).map((count) => ({
    label: `sequences: ${count}`,
    open: (setup) => open(setup, count),
  }));

/** A model in node-llama-cpp with one context of so many sequences, with the library's own defaults otherwise. */
export async function openSequences(
  { modelPath, threads, size }: Setup,
  count: number,
): Promise<{ sequences: readonly LlamaContextSequence[]; close(): Promise<void> }> {
  const { model } = await loadModel({ modelPath, threads, gpuLayers: 0 });
  const context = await model.createContext({
    sequences: count,
    // The library keeps the last cell of a sequence for itself.
    contextSize: longest(size) + 1,
    threads: { ideal: threads, min: threads },
  });
  return {
    sequences: Array.from({ length: count }, () => context.getSequence()),
    close: () => model.dispose(),
  };
}

/** Evaluates `tokens` after what the sequence holds and generates greedily. @returns the tokens generated */
export async function generate(
  sequence: LlamaContextSequence,
  tokens: readonly number[],
  count: number,
): Promise<number> {
  let generated = 0;
  for await (const _ of sequence.evaluate(tokens as Token[], { temperature: 0, yieldEogToken: true })) {
    if (++generated === count) break;
  }
  return generated;
}

/** Cuts a sequence back to its first `length` tokens. */
export async function cutBack(sequence: LlamaContextSequence, length: number): Promise<void> {
  await sequence.eraseContextTokenRanges([{ start: length, end: sequence.nextTokenIndex }]);
}
