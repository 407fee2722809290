/** Serving HTTP until a signal ends it. */
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { LseError } from "../errors.js";
import { reasonOf } from "./printable.js";

/**
 * Listens until the signal, and closes all connections then.
 * @param onBound told the address when requests are answered
 * @throws LseError when the address is taken or not allowed; `signal.reason` at the end
 */
export async function serveUntil(
  signal: AbortSignal,
  server: Server,
  { port, host }: { readonly port: number; readonly host: string },
  onBound: (address: AddressInfo) => void,
): Promise<void> {
  try {
    server.listen(port, host);
    await once(server, "listening");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new LseError(
      `cannot listen on ${host}:${port} (${code ?? reasonOf(cause)})`,
      "Choose another port or host",
      {
        cause,
      },
    );
  }
  onBound(server.address() as AddressInfo);
  try {
    await once(server, "close", { signal });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
