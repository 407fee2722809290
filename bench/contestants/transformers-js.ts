/** The contestant `transformers_js`: the same weights as an ONNX model. */
import { AutoModelForCausalLM, type PreTrainedModel, Tensor } from "@huggingface/transformers";
import { onnxOf } from "../models.js";
import type { Contestant, Session, Setup } from "./contestant.js";

/** transformers.js as documented: `generate` with its KV cache, one prompt after another, on ONNX Runtime's CPU kernels. */
export const transformersJs: Contestant = {
  name: "transformers_js",
  repeats: false,
  settings: () => [{ label: "one at a time, f32", open }],
};

async function open({ modelPath, threads }: Setup): Promise<Session> {
  const folder = await onnxOf(modelPath);
  const model = await AutoModelForCausalLM.from_pretrained(folder, {
    local_files_only: true,
    dtype: "fp32",
    device: "cpu",
    session_options: { intraOpNumThreads: threads, interOpNumThreads: 1 },
  });
  return {
    async run({ prompts, samples, generate }) {
      let generatedTokens = 0;
      const started = performance.now();
      for (const { tokens } of prompts)
        for (let sample = 0; sample < samples; sample++)
          generatedTokens += await complete(model, tokens, generate);
      const promptTokens = samples * prompts.reduce((sum, { tokens }) => sum + tokens.length, 0);
      return { seconds: (performance.now() - started) / 1000, promptTokens, generatedTokens };
    },
    async close() {
      await model.dispose();
    },
  };
}

/** No token ends a completion: `eos_token_id` may be left out of a call, but then it is the model's. */
const NO_TOKEN = -1;

/** Greedily, and past the end of a turn. @returns the tokens generated */
async function complete(model: PreTrainedModel, prompt: readonly number[], count: number): Promise<number> {
  const dims = [1, prompt.length];
  const sequence = await model.generate({
    inputs: new Tensor("int64", BigInt64Array.from(prompt, BigInt), dims),
    attention_mask: new Tensor("int64", new BigInt64Array(prompt.length).fill(1n), dims),
    max_new_tokens: count,
    do_sample: false,
    eos_token_id: NO_TOKEN,
  });
  return (sequence as Tensor).size - prompt.length;
}
