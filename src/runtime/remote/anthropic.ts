/** Anthropic's service. */
import Anthropic from "@anthropic-ai/sdk";
import type { GenerateRequest } from "../../model.js";
import { contentOf, countIn, isObject, objectIn } from "./content.js";
import { Parameters } from "./parameters.js";
import { type ChatReply, type ChatService, clientOptions, kindOf, type ServiceOptions } from "./service.js";
import { Unreadable } from "./transport.js";

const OFFICIAL = "https://api.anthropic.com";

/** Anthropic's messages. They take neither a seed nor min_p nor a presence penalty, and a temperature of at most 1. */
export function anthropicService(options: ServiceOptions): ChatService {
  const { model, baseUrl, apiKey, onRefused } = options;
  const clientSettings = clientOptions(options);
  const client = new Anthropic({ ...clientSettings, baseURL: baseUrl ?? OFFICIAL });
  const accepted = new Parameters(onRefused);

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
    variable: "ANTHROPIC_API_KEY",
    ask: (request, signal) =>
      accepted.ask(parametersOf(request), async (parameters) => {
        try {
          const { timeout } = clientSettings;
          const sent = client.messages.create(parameters, { signal: signal ?? null, timeout });
          const response = await sent.asResponse();
          return replyOf(await response.text(), response.headers, apiKey);
        } catch (error) {
          signal?.throwIfAborted();
          throw error instanceof Anthropic.APIError ? kindOf(error, options) : error;
        }
      }),
  };
}

/** @throws Refusal for an error; Unreadable for what is no message */
function replyOf(text: string, headers: Headers, apiKey: string | undefined): ChatReply {
  const { content, stop_reason: stop, usage } = objectIn(text, headers, apiKey);
  if (content === null && typeof stop !== "string")
    throw new Unreadable("it has neither content nor a reason why it ended");
  const counts = isObject(usage) ? usage : {};
  const input = countIn(counts.input_tokens);
  // Of long prompts, parts may be counted apart because they were cached.
  const cached =
    (countIn(counts.cache_read_input_tokens) ?? 0) + (countIn(counts.cache_creation_input_tokens) ?? 0);
  return {
    ...contentOf(content ?? (stop === undefined ? undefined : "")),
    finishReason: LENGTH.includes(String(stop)) ? "length" : "stop",
    promptTokens: input === null ? null : input + cached,
    generatedTokens: countIn(counts.output_tokens),
  };
}

const LENGTH = ["max_tokens", "model_context_window_exceeded"];
