/** The contract of a chat service, and its errors in words. */
import { reasonOf } from "../../lib/printable.js";
import { LONGEST_RETRY_AFTER_MS } from "../../lib/retry-after.js";
import type { GenerateRequest } from "../../model.js";
import { Refusal, refusalOf } from "./refusal.js";
import { fetchWhole, Unreadable } from "./transport.js";

/** What a service answered to one request. */
export interface ChatReply {
  readonly text: string;
  /** What the model thought before, where the service tells; it is no part of the answer. */
  readonly reasoning: string;
  readonly finishReason: "stop" | "length";
  /** As the service counted them; null where it did not. */
  readonly promptTokens: number | null;
  readonly generatedTokens: number | null;
}

/** A service of chat completions behind its official SDK. */
export interface ChatService {
  /** Where it is and which model, without anything secret. */
  readonly name: string;
  /** The environment variable with the key. */
  readonly variable: string;
  /**
   * Asks once.
   * @throws Refusal, Unreadable or NoAnswer
   */
  ask(request: GenerateRequest, signal: AbortSignal | undefined): Promise<ChatReply>;
}

/** No connection, or nothing within the time limit. */
export class NoAnswer extends Error {}

export interface ServiceOptions {
  readonly model: string;
  /** Of a server other than the provider's own. */
  readonly baseUrl?: string | undefined;
  readonly apiKey: string | undefined;
  /** Time limit of one attempt: connection, headers and body together. */
  readonly timeoutMs: number;
  /** Told once for each parameter that the model refuses, with the name that replaces it from then on or null. */
  readonly onRefused: (parameter: string, replacement: string | null) => void;
}

/** Longest time that a timer can wait. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** What both SDKs are given: attempts and reading of answers are not theirs. */
export const clientOptions = ({ apiKey, timeoutMs }: ServiceOptions) => ({
  // The SDKs insist on a key; a server of one's own may need none.
  apiKey: apiKey ?? "none",
  maxRetries: 0,
  timeout: Math.min(Math.max(1, Math.round(timeoutMs)), LONGEST_TIMER_MS),
  logLevel: "off" as const,
  /** An SDK keeps of an error what its own service would send: others' words are put where it looks for them. */
  fetch: async (url: string | URL | Request, init?: RequestInit) => {
    const response = await fetchWhole(url, init);
    if (response.ok) return response;
    const { status, headers } = response;
    const location = headers.get("location");
    const text = location === null ? await response.text() : redirection(location);
    const { message, parameter: param } = refusalOf(status, text, headers, apiKey);
    const error = { message, param };
    return new Response(JSON.stringify({ ...error, error }), { status, headers });
  },
});

function redirection(location: string): string {
  const url = URL.canParse(location) ? new URL(location) : null;
  return `it redirects to ${url === null ? "another path" : url.origin + url.pathname}`;
}

/** An error of an SDK. */
interface SdkError {
  readonly status: number | undefined;
  readonly headers: Headers | undefined;
  readonly error: unknown;
  readonly message: string;
  readonly cause?: unknown;
}

/** What an SDK's error says, as one of the three kinds; nothing else of it goes on, for it may hold what was sent. */
export function kindOf(
  { status, headers, error, message, cause }: SdkError,
  { timeoutMs, apiKey }: ServiceOptions,
): Error {
  if (cause instanceof Unreadable) return cause;
  if (status !== undefined)
    return refusalOf(status, JSON.stringify(error ?? message), headers ?? new Headers(), apiKey);
  // The SDK's timer ends a request with this alone.
  if (message === "Request timed out.")
    return new NoAnswer(`nothing came whole within ${timeoutMs / 1000} s`);
  const { code } = (cause ?? {}) as NodeJS.ErrnoException;
  return new NoAnswer(cause instanceof Error ? cause.message || code || message : message);
}

/** A failure in words, and what the user can do about it. */
export function explained(
  error: unknown,
  attempts: number,
  variable: string,
): { problem: string; nextStep: string } {
  const said = reasonOf(error);
  const later = "Resume when the service is well again; what was answered is kept";
  if (error instanceof Unreadable)
    return { problem: `${attempts} answers could not be read, the last because ${said}`, nextStep: later };
  if (!(error instanceof Refusal)) return { problem: `no answer came (${said})`, nextStep: later };
  const { status, waitMs } = error;
  if (waitMs !== null && waitMs > LONGEST_RETRY_AFTER_MS) {
    const [asked, most] = [Math.ceil(waitMs / 1000), LONGEST_RETRY_AFTER_MS / 1000];
    return {
      problem: `it asks to wait for ${asked} s, and at most ${most} s are waited for (${status} ${said})`,
      nextStep: "Resume then; what was answered is kept",
    };
  }
  if (status === 401 || status === 403)
    return { problem: `access was denied (${status} ${said})`, nextStep: `Check the key in ${variable}` };
  if (status === 404)
    return {
      problem: `it is not there (${status} ${said})`,
      nextStep: "Check the model's name and the base URL",
    };
  if (status === 429)
    return {
      problem: `too many requests (${status} ${said})`,
      nextStep: "Lower parallel or requestsPerMinute in the configuration, then resume",
    };
  if (status >= 300 && status < 400)
    return { problem: `no answer came (${status} ${said})`, nextStep: "Set the base URL to where it is now" };
  if (status >= 400 && status < 500)
    return {
      problem: `the request was refused (${status} ${said})`,
      nextStep: "Change the model or the sampling",
    };
  return { problem: `no answer came (${status} ${said})`, nextStep: later };
}
