/** Opening a model behind a service, with its key from the environment. */
import { LseError } from "../../errors.js";
import type { Price, Purse } from "../price.js";
import { anthropicService } from "./anthropic.js";
import { type ServiceName, serviceAndModel } from "./names.js";
import { openAiService } from "./openai.js";
import { RemoteModel } from "./remote-model.js";

const SERVICES = {
  openai: { variable: "OPENAI_API_KEY", open: openAiService, serversOfOnesOwn: true },
  anthropic: { variable: "ANTHROPIC_API_KEY", open: anthropicService, serversOfOnesOwn: false },
} as const satisfies Record<ServiceName, object>;

/** Which service's model, and how it is asked. */
export interface RemoteSettings {
  /** `openai:` or `anthropic:` and the model's name. */
  readonly name: string;
  readonly baseUrl?: string | undefined;
  readonly contextSize: number;
  readonly parallel: number;
  readonly requestsPerMinute?: number | undefined;
  readonly attempts: number;
  /** Seconds that one attempt may take. */
  readonly timeout: number;
  readonly price?: Price | undefined;
}

/**
 * Opens a model behind a service. The key comes from the environment (OPENAI_API_KEY, ANTHROPIC_API_KEY) and is kept
 * nowhere else; a server of one's own that speaks like OpenAI's needs none.
 * @throws LseError without a key, or for a base URL with a password in it
 */
export function openRemote(settings: RemoteSettings, purse: Purse | undefined): RemoteModel {
  const { service, model } = serviceAndModel(settings.name);
  const { variable, open, serversOfOnesOwn } = SERVICES[service];
  const { baseUrl, attempts, timeout, ...options } = settings;
  requirePlain(baseUrl);
  const apiKey = process.env[variable] || undefined;
  if (apiKey === undefined && (baseUrl === undefined || !serversOfOnesOwn))
    throw new LseError(`${settings.name}: ${variable} is not set`, `Put the key into ${variable}`);
  const onDropped = (parameter: string) =>
    console.error(`${settings.name} does not take ${parameter}: it is left out from now on`);
  const timeoutMs = timeout * 1000;
  return new RemoteModel(open({ model, baseUrl, apiKey, attempts, timeoutMs, onDropped }), {
    ...options,
    attempts,
    purse,
  });
}

function requirePlain(baseUrl: string | undefined): void {
  if (baseUrl === undefined) return;
  const { username, password, search } = new URL(baseUrl);
  if (username === "" && password === "" && search === "") return;
  throw new LseError(
    "The base URL has a user, a password or a query in it, which would be written to the run's folder",
    "Give it without, and the key in the environment",
  );
}
