/** OpenAI's service, and servers that speak like it. */
import OpenAI from "openai";
import type { GenerateRequest } from "../../model.js";
import { contentOf, countIn, isObject, objectIn, reasoningIn } from "./content.js";
import { Parameters } from "./parameters.js";
import { refusalOf } from "./refusal.js";
import { type ChatReply, type ChatService, clientOptions, kindOf, type ServiceOptions } from "./service.js";
import { Unreadable } from "./transport.js";

const OFFICIAL = "https://api.openai.com/v1";

/**
 * OpenAI's chat completions, or those of any server that speaks like it (vLLM, llama-server, Ollama …). Such servers get
 * top_k and min_p too, which OpenAI's own does not know (so does the published code: lse/agents/base.py:262-375).
 */
export function openAiService(options: ServiceOptions): ChatService {
  const { model, baseUrl, apiKey, onRefused } = options;
  const isOpenAi = baseUrl === undefined;
  const client = new OpenAI({ ...clientOptions(options), baseURL: baseUrl ?? OFFICIAL });
  const accepted = new Parameters(onRefused);

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
    variable: "OPENAI_API_KEY",
    ask: (request, signal) =>
      accepted.ask(parametersOf(request), async (parameters) => {
        try {
          const sent = client.chat.completions.create(parameters, { signal: signal ?? null });
          const response = await sent.asResponse();
          return replyOf(await response.text(), response.headers, apiKey);
        } catch (error) {
          signal?.throwIfAborted();
          throw error instanceof OpenAI.APIError ? kindOf(error, options) : error;
        }
      }),
  };
}

/** @throws Refusal for an error; Unreadable for what is no completion */
function replyOf(text: string, headers: Headers, apiKey: string | undefined): ChatReply {
  const { choices, usage } = objectIn(text, headers, apiKey);
  if (!Array.isArray(choices) || choices.length === 0) throw new Unreadable("it has no choices");
  const choice: unknown = choices[0];
  if (!isObject(choice)) throw new Unreadable("its choice is no object");
  const { message, finish_reason: finish, error } = choice;
  if (finish === "error" || isObject(error))
    throw refusalOf(200, JSON.stringify(error ?? { message: "the model failed" }), headers, apiKey);
  if (!isObject(message)) throw new Unreadable("its choice has no message");
  const { content, refusal } = message;
  // A refusal has no content, and neither has a model that came to no end of its reasoning.
  const isEmpty = content === null || content === undefined;
  if (isEmpty && typeof finish !== "string" && typeof refusal !== "string")
    throw new Unreadable("its message has neither content nor a reason why it ended");
  const parts = contentOf(isEmpty ? "" : content);
  const counts = isObject(usage) ? usage : {};
  return {
    text: parts.text,
    reasoning: parts.reasoning + reasoningIn(message.reasoning_content ?? message.reasoning),
    finishReason: LENGTH.includes(String(finish)) ? "length" : "stop",
    promptTokens: countIn(counts.prompt_tokens),
    generatedTokens: countIn(counts.completion_tokens),
  };
}

const LENGTH = ["length", "max_tokens", "model_length"];
