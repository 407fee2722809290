/** Requests to services: `fetch` with a limit of size, and no other time limit than its caller's. */
import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";

/** Longest answer that is read, in bytes. */
export const MAX_ANSWER_BYTES = 32 * 2 ** 20;

/** The answer began to come and did not come whole, or is longer than it may be. */
export class Unreadable extends Error {}

const DECODERS: Readonly<Record<string, typeof gunzipSync>> = {
  gzip: gunzipSync,
  "x-gzip": gunzipSync,
  deflate: inflateSync,
  br: brotliDecompressSync,
};

/**
 * For the SDKs, whose own timer covers connection, headers and body, because this returns when the body is there.
 * Node's `fetch` ends a request after 300 s without headers or without a part of the body, and that cannot be changed
 * without another package. Redirects are not followed: the key is for the address that was given.
 */
export async function fetchWhole(
  url: string | URL | Request,
  { method, headers, body, signal }: RequestInit = {},
): Promise<Response> {
  const address = new URL(url instanceof Request ? url.url : url);
  const request = address.protocol === "https:" ? requestHttps : requestHttp;
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const options = {
      method: method ?? "GET",
      headers: Object.fromEntries(new Headers(headers)),
      signal: signal ?? undefined,
    };
    request(address, options, resolve).on("error", reject).end(body);
  });
  const content = await contentOf(answer, signal);
  const status = answer.statusCode ?? 0;
  if (status < 200 || status > 599) throw new Unreadable(`it has the status ${status}`);
  const isBare = status === 204 || status === 205 || status === 304;
  return new Response(isBare ? null : new Uint8Array(content), { status, headers: headersOf(answer) });
}

async function contentOf(answer: IncomingMessage, signal?: AbortSignal | null): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of answer as AsyncIterable<Buffer>) {
      bytes += part.length;
      // Leaving the loop closes the connection.
      if (bytes > MAX_ANSWER_BYTES) throw new Unreadable(`it is longer than ${MAX_ANSWER_BYTES} bytes`);
      parts.push(part);
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof Unreadable ? error : new Unreadable("the connection was cut", { cause: error });
  }
  const encoding = answer.headers["content-encoding"]?.trim().toLowerCase() ?? "";
  const decode = DECODERS[encoding];
  if (decode === undefined) return Buffer.concat(parts);
  try {
    return decode(Buffer.concat(parts), { maxOutputLength: MAX_ANSWER_BYTES });
  } catch {
    throw new Unreadable(`it cannot be decoded as ${encoding}`);
  }
}

/** Without those that do not hold for the decoded body. */
function headersOf({ headersDistinct }: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(headersDistinct)) {
    if (["content-encoding", "content-length", "transfer-encoding"].includes(name)) continue;
    for (const value of values ?? []) headers.append(name, value);
  }
  return headers;
}
