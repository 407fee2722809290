/** The contract of a chat service, and its errors in words. */
import type { GenerateRequest } from "../../model.js";

/** What a service answered to one request. */
export interface ChatReply {
  readonly text: string;
  readonly finishReason: "stop" | "length";
  /** As the service counted them; null where it did not. */
  readonly promptTokens: number | null;
  readonly generatedTokens: number | null;
}

/** A service of chat completions behind its official SDK, which retries what can be retried before an answer begins. */
export interface ChatService {
  /** Where it is and which model, without anything secret. */
  readonly name: string;
  /**
   * @throws ServiceError for what no further attempt mends; any other error may be tried again
   */
  ask(request: GenerateRequest, signal: AbortSignal | undefined): Promise<ChatReply>;
}

/** A request that cannot be answered: the service refused it, or did not manage in all attempts. */
export class ServiceError extends Error {
  constructor(
    message: string,
    /** What the user can do. */
    readonly nextStep: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export interface ServiceOptions {
  readonly model: string;
  /** Of a server other than the provider's own. */
  readonly baseUrl?: string | undefined;
  readonly apiKey: string | undefined;
  /** Attempts at one request. */
  readonly attempts: number;
  /** Time limit of one attempt. */
  readonly timeoutMs: number;
  /** Told once for each parameter that the model refuses and that is left out from then on. */
  readonly onDropped: (parameter: string) => void;
}

/**
 * Asks with all of `parameters` but those that the model has refused before; when it refuses one, asks again without it.
 * @param refusal what an error says against the request, or null for an error of another kind
 */
export async function askWithout<P extends object, T>(
  parameters: P,
  dropped: Set<string>,
  ask: (parameters: P) => Promise<T>,
  refusal: (error: unknown) => string | null,
  onDropped: (parameter: string) => void,
): Promise<T> {
  for (;;) {
    const kept = Object.entries(parameters).filter(([name]) => !dropped.has(name));
    try {
      return await ask(Object.fromEntries(kept) as P);
    } catch (error) {
      const said = refusal(error);
      const refused = said === null ? undefined : DROPPABLE.find((name) => isNamed(said, name, kept));
      if (refused === undefined) throw error;
      dropped.add(refused);
      onDropped(refused);
    }
  }
}

/** Of two that a model does not take together the first here goes: the temperature matters most. */
const DROPPABLE = ["top_p", "min_p", "top_k", "presence_penalty", "seed", "stop", "temperature"];

const isNamed = (said: string, name: string, kept: readonly [string, unknown][]) =>
  new RegExp(`\\b${name}\\b`).test(said) && kept.some(([given]) => given === name);

/**
 * What an SDK gave up on, in words without the key.
 * @param status of HTTP; none where no answer came
 * @param variable of the environment that the key is in
 */
export function explainedError(
  status: number | undefined,
  message: string,
  apiKey: string | undefined,
  variable: string,
): ServiceError {
  const said = apiKey === undefined ? message : message.replaceAll(apiKey, "…");
  if (status === 401 || status === 403)
    return new ServiceError(`access was denied (${said})`, `Check the key in ${variable}`);
  if (status === 404)
    return new ServiceError(`it is not there (${said})`, "Check the model's name and the base URL");
  if (status === 429)
    return new ServiceError(
      `too many requests (${said})`,
      "Lower parallel or requestsPerMinute in the configuration, then resume",
    );
  if (status !== undefined && status < 500)
    return new ServiceError(`the request was refused (${said})`, "Change the model or the sampling");
  return new ServiceError(`no answer came (${said})`, "Resume when the service is well again");
}
