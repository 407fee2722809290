/** Requests, further attempts, stalled connections. */
import { setTimeout as pause } from "node:timers/promises";
import { LseError } from "../errors.js";
import { shortLine } from "../lib/printable.js";
import { LONGEST_RETRY_AFTER_MS, retryAfterMs } from "../lib/retry-after.js";
import type { DownloadContext } from "./settings.js";

/** Where something is fetched. */
export interface FileAddress {
  readonly url: string;
  /** Goes to the host of `url` alone: fetch drops it when it follows a redirect to another one. */
  readonly token: string | null;
  /** The page for people, with the licence. */
  readonly page: string;
}

/** A failure that the next try may not meet: a cut connection, an overloaded server. */
export class ConnectionLost extends Error {
  constructor(
    message: string,
    /** Milliseconds that the server asks to wait; null where it does not say. */
    readonly waitMs: number | null = null,
    /** Whether the server counts requests, and this was one too many. */
    readonly isRateLimited = false,
  ) {
    super(message);
  }
}

/**
 * Further tries where requests are counted: with the usual pauses, they last longer than the 300 s in which the hub
 * counts.
 */
const RATE_LIMIT_TRIES = 4;
const TOO_MANY = 429;

const RANGE_NOT_SATISFIABLE = 416;
const OVERLOADED = [408, 425, 429];

/**
 * Asks for what is at an address, its bytes as they are stored.
 * @returns an answer with status 2xx, or 416
 * @throws ConnectionLost when another try may help, else LseError; neither contains the token
 */
export async function request(
  address: FileAddress,
  headers: Record<string, string>,
  { settings: { stallMs }, signal }: DownloadContext,
): Promise<Response> {
  const { url, token } = address;
  let response: Response;
  const stalled = new AbortController();
  const timer = setTimeout(() => stalled.abort(), stallMs);
  try {
    response = await fetch(url, {
      headers: {
        // Compressed bytes would be other bytes than those that ranges and sizes count.
        "accept-encoding": "identity",
        ...headers,
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
      signal: AbortSignal.any([signal, stalled.signal]),
    });
  } catch (error) {
    if (stalled.signal.aborted && !signal.aborted)
      throw new ConnectionLost(`nothing came for ${stallMs / 1000} s`);
    if (isRefusedByFetch(error) && !signal.aborted)
      throw new LseError(
        `${url}: cannot be asked for (${shortLine(error.cause.message)})`,
        "Give another address",
      );
    throw asLost(error, signal);
  } finally {
    clearTimeout(timer);
  }
  if (response.ok || response.status === RANGE_NOT_SATISFIABLE) return response;
  await drop(response);
  throw failure(address, response);
}

/** Does without the rest of an answer; that the connection breaks then does not matter. */
export async function drop(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => {});
}

/**
 * The bytes of an answer as they come.
 * @throws ConnectionLost when the connection is cut or brings nothing for `stallMs`
 */
export async function* chunksOf(
  response: Response,
  stallMs: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  const stalled = new ConnectionLost(`nothing came for ${stallMs / 1000} s`);
  let hasStalled = false;
  const timer = setTimeout(() => {
    hasStalled = true;
    reader.cancel(stalled).catch(() => {});
  }, stallMs);
  try {
    while (true) {
      const { done, value } = await reader.read();
      // Cancelling looks like the end.
      if (hasStalled) throw stalled;
      if (done) return;
      timer.refresh();
      yield value;
    }
  } catch (error) {
    throw error instanceof ConnectionLost ? error : asLost(error, signal);
  } finally {
    clearTimeout(timer);
    await reader.cancel().catch(() => {});
  }
}

/**
 * Tries until it succeeds, or `tries` times in a row brought nothing.
 * @param attempt calls what it is given whenever something came
 * @throws LseError saying what to do about the connection
 */
export async function persist<T>(
  what: string,
  { settings, signal, say }: DownloadContext,
  attempt: (something: () => void) => Promise<T>,
): Promise<T> {
  let failures = 0;
  while (true) {
    try {
      return await attempt(() => {
        failures = 0;
      });
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      failures++;
      const tries = settings.tries + (error.isRateLimited ? RATE_LIMIT_TRIES : 0);
      if (failures >= tries) {
        throw new LseError(`${what}: ${error.message}, ${failures} times in a row`, advice(), {
          cause: error,
        });
      }
      const asked = error.waitMs ?? 0;
      if (asked > LONGEST_RETRY_AFTER_MS) {
        const [seconds, most] = [Math.ceil(asked / 1000), LONGEST_RETRY_AFTER_MS / 1000];
        throw new LseError(
          `${what}: ${error.message} and asks to wait for ${seconds} s; at most ${most} s are waited for`,
          "Run the same command again then: it goes on where it stopped",
        );
      }
      const wait = Math.max(asked, settings.pauseMs * 2 ** (failures - 1));
      say(`${what}: ${error.message}; trying again in ${wait / 1000} s`);
      await pause(wait, undefined, { signal });
    }
  }
}

/** Whether fetch did not even try, as for a port that browsers block: its other causes have a code. */
const isRefusedByFetch = (error: unknown): error is Error & { readonly cause: Error } =>
  error instanceof TypeError &&
  error.cause instanceof Error &&
  (error.cause as NodeJS.ErrnoException).code === undefined;

function asLost(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  // fetch says "fetch failed" and "terminated"; the cause says why, at times with a code alone.
  const { message, code } = ((error as Error).cause ?? error) as NodeJS.ErrnoException;
  return new ConnectionLost(shortLine(message || code || String(error)));
}

function failure({ url, token, page }: FileAddress, { status, headers }: Response): Error {
  if (status >= 500 || OVERLOADED.includes(status))
    return new ConnectionLost(`the server answers ${status}`, retryAfterMs(headers), status === TOO_MANY);
  if (status === 401 || status === 403) {
    const account =
      token === null ? "and set HF_TOKEN to a token of your account" : "with HF_TOKEN's account";
    return new LseError(`${url}: access is refused (${status})`, `Accept the licence at ${page} ${account}`);
  }
  const what = status === 404 ? "there is no such file" : "the server refuses it";
  return new LseError(`${url}: ${what} (${status})`, `See ${page} for where it is now`);
}

/** What to do about a server that cannot be reached. */
function advice(): string {
  const again = "The same command goes on where it stopped; check the connection first";
  const { HTTPS_PROXY, https_proxy, HTTP_PROXY, http_proxy, NODE_USE_ENV_PROXY } = process.env;
  const proxy = HTTPS_PROXY ?? https_proxy ?? HTTP_PROXY ?? http_proxy;
  const isUsed = NODE_USE_ENV_PROXY === "1" && process.allowedNodeEnvironmentFlags.has("--use-env-proxy");
  if (proxy === undefined || isUsed) return again;
  return `${again}. Your proxy is used only with NODE_USE_ENV_PROXY=1 and Node 22.21 or newer`;
}
