/** The contestant `node_llama_cpp_plain`: node-llama-cpp without reusing anything. */
import type { Contestant, Session, Setup } from "./contestant.js";
import { generate, openSequences, sequenceSettings } from "./node-llama-cpp.js";

/** node-llama-cpp as documented: sequences evaluated in parallel, each prompt from its beginning. */
export const nodeLlamaCppPlain: Contestant = {
  name: "node_llama_cpp_plain",
  repeats: false,
  settings: (size) => sequenceSettings(size, [8, 32], openPlain),
};

async function openPlain(setup: Setup, count: number): Promise<Session> {
  const { sequences, close } = await openSequences(setup, count);
  return {
    async run(work) {
      const waiting = work.prompts.flatMap((prompt) => Array.from({ length: work.samples }, () => prompt));
      let promptTokens = 0;
      let generatedTokens = 0;
      const started = performance.now();
      await Promise.all(
        sequences.map(async (sequence) => {
          for (let prompt = waiting.shift(); prompt !== undefined; prompt = waiting.shift()) {
            await sequence.clearHistory();
            const generated = await generate(sequence, prompt.tokens, work.generate);
            promptTokens += prompt.tokens.length;
            generatedTokens += generated;
          }
        }),
      );
      return { seconds: (performance.now() - started) / 1000, promptTokens, generatedTokens };
    },
    close,
  };
}
