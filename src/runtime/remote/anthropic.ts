/** Anthropic's service. */
import Anthropic from "@anthropic-ai/sdk";
import type { GenerateRequest } from "../../model.js";
import {
  askWithout,
  type ChatReply,
  type ChatService,
  explainedError,
  type ServiceOptions,
} from "./service.js";

/** Anthropic's messages. They take neither a seed nor min_p nor a presence penalty, and a temperature of at most 1. */
export function anthropicService(options: ServiceOptions): ChatService {
  const { model, baseUrl, apiKey, attempts, timeoutMs, onDropped } = options;
  const client = new Anthropic({
    apiKey: apiKey ?? "none",
    ...(baseUrl === undefined ? {} : { baseURL: baseUrl }),
    maxRetries: attempts - 1,
    timeout: timeoutMs,
    logLevel: "off" as const,
  });
  const dropped = new Set<string>();

  const parametersOf = ({ messages, sampling }: GenerateRequest) => {
    const system = messages.filter(({ role }) => role === "system").map(({ content }) => content);
    return {
      model,
      max_tokens: sampling.maxTokens,
      ...(system.length === 0 ? {} : { system: system.join("\n\n") }),
      messages: messages.flatMap(({ role, content }) => (role === "system" ? [] : [{ role, content }])),
      temperature: Math.min(1, sampling.temperature),
      top_p: sampling.topP,
      ...(sampling.topK === 0 ? {} : { top_k: sampling.topK }),
      ...(sampling.stop.length === 0 ? {} : { stop_sequences: [...sampling.stop] }),
    };
  };

  return {
    name: `anthropic:${model}${baseUrl === undefined ? "" : ` at ${baseUrl}`}`,
    async ask(request, signal) {
      const answer = await askWithout(
        parametersOf(request),
        dropped,
        (parameters) => client.messages.create(parameters, { signal: signal ?? null, timeout: timeoutMs }),
        (error) => (error instanceof Anthropic.BadRequestError ? error.message : null),
        onDropped,
      ).catch((error) => {
        if (!(error instanceof Anthropic.APIError) || error instanceof Anthropic.APIUserAbortError)
          throw error;
        throw explainedError(error.status, error.message, apiKey, "ANTHROPIC_API_KEY");
      });
      return replyOf(answer);
    },
  };
}

/** @throws Error for an answer that is none: it may be tried again */
function replyOf({ content, stop_reason, usage }: Anthropic.Message): ChatReply {
  if (!Array.isArray(content)) throw new Error("the answer has no content");
  // Of long prompts, parts may be counted apart because they were cached.
  const { input_tokens, cache_read_input_tokens, cache_creation_input_tokens } = usage ?? {};
  return {
    text: content.map((block) => (block.type === "text" ? block.text : "")).join(""),
    finishReason: stop_reason === "max_tokens" ? "length" : "stop",
    promptTokens:
      input_tokens === undefined
        ? null
        : input_tokens + (cache_read_input_tokens ?? 0) + (cache_creation_input_tokens ?? 0),
    generatedTokens: usage?.output_tokens ?? null,
  };
}
