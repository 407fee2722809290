/** How fast a model is on this machine, in the three ways in which answers are made. */
import { PAPER_SAMPLING } from "../../model.js";
import { type FastLlamaOptions, LlamaModel } from "./llama-model.js";
import { typicalPrompts } from "./typical-workload.js";

/** Tokens a second. */
export interface Speed {
  /** Of a prompt that is evaluated. */
  readonly prompt: number;
  /** Of one answer by itself. */
  readonly single: number;
  /** Of many answers together. */
  readonly together: number;
}

const ANSWERS = 16;
/** Of a message: enough for a full batch, few enough for a tokenizer of single letters. */
const MOST_CHARACTERS = 800;
const [SINGLE_TOKENS, TOGETHER_TOKENS] = [24, 12];

/** Opens a model and times it once. @throws as `LlamaModel.open` */
export async function speedOf(options: FastLlamaOptions): Promise<Speed> {
  await using model = await LlamaModel.open({ ...options, sequences: ANSWERS, drafts: false });
  const prompts = typicalPrompts().map((messages) =>
    messages.map(({ role, content }) => ({ role, content: content.slice(0, MOST_CHARACTERS) })),
  );
  /** Tokens that were evaluated, prompts and answers, a second. */
  const rate = async (answers: number, maxTokens: number) => {
    const before = { ...model.usage };
    await model.generate(
      prompts.slice(0, answers).map((messages) => ({
        messages,
        sampling: { ...PAPER_SAMPLING, temperature: 0, maxTokens, ignoreEos: true },
        seed: 0,
        sample: 0,
      })),
    );
    const { usage } = model;
    const tokens =
      usage.promptTokensEvaluated -
      before.promptTokensEvaluated +
      (usage.tokensGenerated - before.tokensGenerated);
    return tokens / (usage.seconds - before.seconds);
  };
  const prompt = await rate(1, 1);
  // Its prompt is in the cache, but for the last token.
  const single = await rate(1, SINGLE_TOKENS);
  await rate(ANSWERS, 1);
  const together = await rate(ANSWERS, TOGETHER_TOKENS);
  return { prompt, single, together };
}
