/** OpenAI's service, and servers that speak like it. */
import OpenAI from "openai";
import type { GenerateRequest } from "../../model.js";
import {
  askWithout,
  type ChatReply,
  type ChatService,
  explainedError,
  type ServiceOptions,
} from "./service.js";

/**
 * OpenAI's chat completions, or those of any server that speaks like it (vLLM, llama-server, Ollama …). Such servers get
 * top_k and min_p too, which OpenAI's own does not know (so does the published code: lse/agents/base.py:262-375).
 */
export function openAiService(options: ServiceOptions): ChatService {
  const { model, baseUrl, apiKey, attempts, timeoutMs, onDropped } = options;
  const isOpenAi = baseUrl === undefined;
  const client = new OpenAI({
    // The SDK insists on a key; a server of one's own may need none.
    apiKey: apiKey ?? "none",
    ...(isOpenAi ? {} : { baseURL: baseUrl }),
    maxRetries: attempts - 1,
    timeout: timeoutMs,
    logLevel: "off" as const,
  });
  const dropped = new Set<string>();

  const parametersOf = ({ messages, sampling, seed, sample }: GenerateRequest) => ({
    model,
    messages: messages.map(({ role, content }) => ({ role, content })),
    temperature: sampling.temperature,
    top_p: sampling.topP,
    presence_penalty: sampling.presencePenalty,
    // 32 bits, and another one for each sample.
    seed: (seed ^ Math.imul(sample, 0x9e3779b1)) >>> 0,
    ...(sampling.stop.length === 0 ? {} : { stop: [...sampling.stop] }),
    ...(isOpenAi
      ? { max_completion_tokens: sampling.maxTokens }
      : { max_tokens: sampling.maxTokens, top_k: sampling.topK, min_p: sampling.minP }),
  });

  return {
    name: `openai:${model}${isOpenAi ? "" : ` at ${baseUrl}`}`,
    async ask(request, signal) {
      const answer = await askWithout(
        parametersOf(request),
        dropped,
        (parameters) => client.chat.completions.create(parameters, { signal: signal ?? null }),
        (error) => (error instanceof OpenAI.BadRequestError ? error.message : null),
        onDropped,
      ).catch((error) => {
        throw explained(error, apiKey);
      });
      return replyOf(answer);
    },
  };
}

/** @throws Error for an answer that is none: it may be tried again */
function replyOf(answer: OpenAI.ChatCompletion): ChatReply {
  const choice = answer.choices?.[0];
  if (choice?.message === undefined) throw new Error("the answer has no choices");
  return {
    // A refusal has no content.
    text: choice.message.content ?? "",
    finishReason: choice.finish_reason === "length" ? "length" : "stop",
    promptTokens: answer.usage?.prompt_tokens ?? null,
    generatedTokens: answer.usage?.completion_tokens ?? null,
  };
}

/** What the SDK gave up on, in words without the key; other errors as they are. */
function explained(error: unknown, apiKey: string | undefined): unknown {
  if (!(error instanceof OpenAI.APIError) || error instanceof OpenAI.APIUserAbortError) return error;
  return explainedError(error.status, error.message, apiKey, "OPENAI_API_KEY");
}
