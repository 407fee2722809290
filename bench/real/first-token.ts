/** How long a new process takes to the first token of an answer, the opening of the model included. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type ChatMessage, PAPER_SAMPLING } from "#lse/model.js";
import { type FastLlamaOptions, LlamaModel } from "#lse/runtime/llama/llama-model.js";

/** @returns seconds since that process began */
export async function firstToken(
  options: FastLlamaOptions,
  messages: readonly ChatMessage[],
): Promise<number> {
  const self = fileURLToPath(import.meta.url);
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...process.execArgv,
    self,
    JSON.stringify({ options, messages }),
  ]);
  return Number(stdout);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { options, messages } = JSON.parse(process.argv[2] as string) as {
    options: FastLlamaOptions;
    messages: ChatMessage[];
  };
  await using model = await LlamaModel.open(options);
  const sampling = { ...PAPER_SAMPLING, temperature: 0, maxTokens: 1 };
  await model.generate([{ messages, sampling, seed: 1, sample: 0 }]);
  process.stdout.write(String(performance.now() / 1000));
}
