/** The contestant `node_llama_cpp_best`: node-llama-cpp, reusing shared prefixes. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LlamaContextSequence, Token } from "node-llama-cpp";
import type { Work } from "../workloads.js";
import type { Contestant, Outcome, Session, Setup } from "./contestant.js";
import { cutBack, generate, openSequences, sequenceSettings } from "./node-llama-cpp.js";

/** Prefixes shorter than this are evaluated in each sequence rather than copied through a file. */
const WORTH_COPYING = 32;

/**
 * node-llama-cpp with the most reuse that its public API allows: the shared prefix is evaluated once and brought
 * into the other sequences through a state file; each sequence is then cut back to what its next prompt shares
 * with its last, so further samples of a prompt cost one token. One sequence is the way without a file.
 */
export const nodeLlamaCppBest: Contestant = {
  name: "node_llama_cpp_best",
  repeats: false,
  settings: (size) => sequenceSettings(size, [1, 8, 32], openReusing),
};

async function openReusing(setup: Setup, count: number): Promise<Session> {
  const { sequences, close } = await openSequences(setup, count);
  const folder = await mkdtemp(join(tmpdir(), "lse-bench-"));
  return {
    async run(work) {
      const started = performance.now();
      const counts = await runReusing(sequences, work, join(folder, "prefix"));
      return { seconds: (performance.now() - started) / 1000, ...counts };
    },
    async close() {
      await close();
      await rm(folder, { recursive: true });
    },
  };
}

async function runReusing(
  sequences: readonly LlamaContextSequence[],
  work: Work,
  stateFile: string,
): Promise<Omit<Outcome, "seconds">> {
  const [first, ...others] = inUse(sequences, work) as [LlamaContextSequence, ...LlamaContextSequence[]];
  const prefix = work.prompts[0]?.tokens.slice(0, work.sharedTokens) ?? [];
  let promptTokens = 0;
  let generatedTokens = 0;
  if (prefix.length >= WORTH_COPYING) {
    await first.clearHistory();
    await first.evaluateWithoutGeneratingNewTokens(prefix as Token[]);
    promptTokens += prefix.length;
    if (others.length > 0) await first.saveStateToFile(stateFile);
    for (const sequence of others) await sequence.loadStateFromFile(stateFile, { acceptRisk: true });
  }
  const waiting = shares(work, others.length + 1);
  const runShares = async (sequence: LlamaContextSequence) => {
    for (let share = waiting.shift(); share !== undefined; share = waiting.shift()) {
      const tokens = share.tokens;
      for (let sample = 0; sample < share.samples; sample++) {
        const { firstDifferentIndex } = sequence.compareContextTokens(tokens as Token[]);
        const kept = Math.min(firstDifferentIndex, tokens.length - 1);
        await cutBack(sequence, kept);
        promptTokens += tokens.length - kept;
        const generated = await generate(sequence, tokens.slice(kept), work.generate);
        generatedTokens += generated;
      }
    }
  };
  await Promise.all([first, ...others].map(runShares));
  return { promptTokens, generatedTokens };
}

/** Samples of one prompt that one sequence generates one after the other. */
interface Share {
  readonly tokens: readonly number[];
  readonly samples: number;
}

/** Whole prompts where that keeps all sequences busy; otherwise each prompt's samples over several sequences. */
function shares(work: Work, sequences: number): Share[] {
  const pieces = Math.min(work.samples, Math.max(1, Math.ceil(sequences / work.prompts.length)));
  return work.prompts.flatMap(({ tokens }) =>
    Array.from({ length: pieces }, (_, i) => ({
      tokens,
      samples: Math.floor((work.samples + i) / pieces),
    })),
  );
}

/** As many sequences as get equally long queues, so that none idles at the end. */
function inUse(sequences: readonly LlamaContextSequence[], work: Work): readonly LlamaContextSequence[] {
  const count = shares(work, sequences.length).length;
  const turns = Math.ceil(count / sequences.length);
  return sequences.slice(0, Math.ceil(count / turns));
}
