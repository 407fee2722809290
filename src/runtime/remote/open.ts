/** Opening a model behind a service, with its key from the environment. */
import { LseError } from "../../errors.js";
import { secretIn } from "../../lib/secret.js";
import type { Price, Purse } from "../price.js";
import { anthropicService } from "./anthropic.js";
import { type ServiceName, serviceAndModel } from "./names.js";
import { openAiService } from "./openai.js";
import { RemoteModel } from "./remote-model.js";

const SERVICES = {
  openai: {
    variable: "OPENAI_API_KEY",
    baseUrlVariable: "OPENAI_BASE_URL",
    open: openAiService,
    serversOfOnesOwn: true,
  },
  anthropic: {
    variable: "ANTHROPIC_API_KEY",
    baseUrlVariable: "ANTHROPIC_BASE_URL",
    open: anthropicService,
    serversOfOnesOwn: false,
  },
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
 * nowhere else; a server of one's own that speaks like OpenAI's needs none. Without `baseUrl`, OPENAI_BASE_URL or
 * ANTHROPIC_BASE_URL holds, as in the services' own clients.
 * @throws LseError without a key, or for a base URL with a password in it
 */
export function openRemote(settings: RemoteSettings, purse: Purse | undefined): RemoteModel {
  const { service, model } = serviceAndModel(settings.name);
  const { variable, baseUrlVariable, open, serversOfOnesOwn } = SERVICES[service];
  const { baseUrl = process.env[baseUrlVariable]?.trim() || undefined, timeout, ...options } = settings;
  requirePlain(baseUrl);
  const apiKey = secretIn(variable);
  if (apiKey === undefined && (baseUrl === undefined || !serversOfOnesOwn))
    throw new LseError(`${settings.name}: ${variable} is not set`, `Put the key into ${variable}`);
  const say = (line: string) => console.error(`${settings.name} ${line}`);
  const onRefused = (parameter: string, replacement: string | null) =>
    say(
      replacement === null
        ? `does not take ${parameter}: it is left out from now on`
        : `does not take ${parameter}: it is sent as ${replacement} from now on`,
    );
  const asked = open({ model, baseUrl, apiKey, timeoutMs: timeout * 1000, onRefused });
  return new RemoteModel(asked, { ...options, say, purse });
}

function requirePlain(baseUrl: string | undefined): void {
  if (baseUrl === undefined) return;
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : null;
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new LseError(
      "The base URL is no http or https address",
      "Give one such as http://127.0.0.1:8000/v1",
    );
  const { username, password, search, hash } = url;
  if (username === "" && password === "" && search === "" && hash === "") return;
  throw new LseError(
    "The base URL has a user, a password, a query or a # in it, which would be written to the run's folder",
    "Give it without, and the key in the environment",
  );
}
