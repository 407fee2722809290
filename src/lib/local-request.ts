/** Which requests a server on this machine answers: not those that a page from elsewhere makes a browser send. */
import type { IncomingMessage } from "node:http";

const LOOPBACK_NAME = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;
const LOOPBACK_ADDRESS = /^(::1|(::ffff:)?127\.)/;

/** Addresses of `--host` that only this machine reaches. */
export const isLoopback = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|::1)$/i.test(host);

/**
 * Why a request may come from a page elsewhere; null when it cannot. A name that leads to this machine is foreign where
 * the server is reached over the loopback: over a network, it may have any name.
 */
export function foreignness({ headers, socket }: IncomingMessage): string | null {
  const { host = "", origin, "sec-fetch-site": site } = headers;
  if (LOOPBACK_ADDRESS.test(socket.localAddress ?? "") && !LOOPBACK_NAME.test(host))
    return "ask for 127.0.0.1 or localhost";
  if (origin !== undefined && origin !== `http://${host}`) return "pages from elsewhere may not ask";
  if (site !== undefined && site !== "none" && site !== "same-origin")
    return "pages from elsewhere may not ask";
  return null;
}
