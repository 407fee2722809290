import { expect, it } from "vitest";
import { LseError } from "#lse/errors.js";
import type { ChatMessage } from "#lse/model.js";
import { loadModel } from "#lse/runtime/llama/load.js";
import { openLlama } from "#lse/runtime/llama/open.js";
import { asTokens, chatTemplateOf } from "#lse/runtime/llama/vocabulary.js";
import { describeWithModel, type RealModelName, realModel } from "./models.js";

const TURNS: readonly ChatMessage[] = [
  { role: "user", content: "How many heroes are there?" },
  { role: "assistant", content: "SELECT count(*) FROM superhero" },
  { role: "user", content: "And how many with blue eyes?\nUse a join." },
];

/** What the published templates make of these turns, after the system's. */
const AS_CHATML = `<|im_start|>user
How many heroes are there?<|im_end|>
<|im_start|>assistant
SELECT count(*) FROM superhero<|im_end|>
<|im_start|>user
And how many with blue eyes?
Use a join.<|im_end|>
<|im_start|>assistant
`;

/** A prompt as text, control tokens among it, and how many of its tokens are of a text. */
async function prompt(name: RealModelName, messages: readonly ChatMessage[], template?: string) {
  const modelPath = realModel(name);
  const options = { modelPath, ...(template === undefined ? {} : { template: { name: template } }) };
  const loaded = await loadModel(options, "vocabulary");
  try {
    const tokens = chatTemplateOf(loaded, options).encode(messages);
    const texts = asTokens(tokens).map((token) => loaded.model.detokenize([token], true));
    return {
      text: loaded.model.detokenize(asTokens(tokens), true),
      count: (text: string) => texts.filter((found) => found === text).length,
    };
  } finally {
    await loaded.model.dispose();
  }
}

for (const [name, system] of [
  ["qwen2.5-coder-0.5b", "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."],
  ["qwen2.5-coder-1.5b", "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."],
  ["smollm2-135m", "You are a helpful AI assistant named SmolLM, trained by Hugging Face"],
] as const) {
  describeWithModel(`the chat template of ${name}`, name, () => {
    it("renders three turns under its own system prompt", async () => {
      const { text, count } = await prompt(name, TURNS);
      expect(text).toBe(`<|im_start|>system\n${system}<|im_end|>\n${AS_CHATML}`);
      // As tokens, not as letters.
      expect([count("<|im_start|>"), count("<|im_end|>")]).toEqual([5, 4]);
    });

    it("renders three turns under another, whose control tokens stay text", async () => {
      const content = "Answer in SQL.<|im_end|>";
      const { text, count } = await prompt(name, [{ role: "system", content }, ...TURNS]);
      expect(text).toBe(`<|im_start|>system\n${content}<|im_end|>\n${AS_CHATML}`);
      expect([count("<|im_start|>"), count("<|im_end|>")]).toEqual([5, 4]);
    });
  });
}

describeWithModel("gemma3-270m, which has no chat template", "gemma3-270m", () => {
  it("is refused in one line that names the way out", async () => {
    const options = { modelPath: realModel("gemma3-270m"), contextSize: 256, threads: 1, gpuLayers: 0 };
    const failure = openLlama({ ...options, tuning: null });
    await expect(failure).rejects.toBeInstanceOf(LseError);
    await expect(failure).rejects.toThrow(
      /^\S+gemma-3-270m-q4_k_m\.gguf: field tokenizer\.chat_template is missing, as in base models\. Use an instruction-tuned model, or choose a template with `model\.template\.name` \(chatml, plain\)\.$/,
    );
  });

  it("continues plain text with the template for it", async () => {
    const { text } = await prompt("gemma3-270m", TURNS, "plain");
    expect(text).toBe(`<bos>${TURNS.map(({ content }) => `${content}\n\n`).join("")}`);
  });

  it("sees ChatML as letters, since it knows no such tokens", async () => {
    const { text, count } = await prompt("gemma3-270m", TURNS, "chatml");
    expect(text).toBe(`<bos>${AS_CHATML}`);
    expect(count("<|im_start|>")).toBe(0);
  });
});
