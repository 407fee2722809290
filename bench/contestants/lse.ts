/** The contestant `lse`: this project's own engine. */
import { type GenerateRequest, PAPER_SAMPLING, type Sampling } from "#lse/model.js";
import { LlamaModel } from "#lse/runtime/llama/llama-model.js";
import type { Work } from "../workloads.js";
import { type Contestant, type Outcome, parallel, type Session, type Setup } from "./contestant.js";

/**
 * This program's engine through `LanguageModel`: from messages to texts and logprobs. How many sequences are
 * fastest, with or without flash attention, is found out here as for every other contestant; a run of evolution
 * leaves that to the tuner.
 */
export const lse: Contestant = {
  name: "lse",
  repeats: true,
  settings: (size) =>
    parallel(size, [8, 16, 32]).flatMap((count) =>
      [false, true].map((flashAttention) => ({
        label: `sequences: ${count}, flash attention: ${flashAttention ? "on" : "off"}`,
        open: (setup: Setup) => openLse(setup, count, flashAttention),
      })),
    ),
};

async function openLse(
  { modelPath, threads }: Setup,
  sequences: number,
  flashAttention: boolean,
): Promise<Session> {
  const model = await LlamaModel.open({ modelPath, threads, gpuLayers: 0, sequences, flashAttention });
  const run = async (work: Work, sampling: Sampling): Promise<Outcome> => {
    const requests = requestsOf(work, { ...sampling, maxTokens: work.generate });
    const before = { ...model.usage, decodeSeconds: model.decodeSeconds };
    const started = performance.now();
    const completions = await model.generate(requests);
    const seconds = (performance.now() - started) / 1000;
    for (const [i, { promptTokens }] of completions.entries()) {
      const { tokens } = promptOf(work, i);
      if (promptTokens !== tokens.length) throw new Error("the engine saw another prompt than the peers");
    }
    return {
      seconds,
      promptTokens: model.usage.promptTokensEvaluated - before.promptTokensEvaluated,
      generatedTokens: model.usage.tokensGenerated - before.tokensGenerated,
      decodeSeconds: model.decodeSeconds - before.decodeSeconds,
    };
  };
  return {
    run: (work) => run(work, { ...PAPER_SAMPLING, temperature: 0, presencePenalty: 0, ignoreEos: true }),
    runSampled: (work) => run(work, PAPER_SAMPLING),
    close: () => model[Symbol.asyncDispose](),
  };
}

const promptOf = ({ prompts, samples }: Work, request: number) =>
  prompts[Math.floor(request / samples)] as Work["prompts"][number];

function requestsOf(work: Work, sampling: Sampling): GenerateRequest[] {
  return Array.from({ length: work.prompts.length * work.samples }, (_, i) => ({
    messages: promptOf(work, i).messages,
    sampling,
    seed: 1,
    sample: i % work.samples,
  }));
}
