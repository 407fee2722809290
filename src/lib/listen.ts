import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { LseError } from "../errors.js";

/** @throws LseError when the address cannot be had */
export async function listen(server: Server, port: number, host: string): Promise<AddressInfo> {
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new LseError(`cannot listen on ${host}:${port} (${code})`, "Choose another --port or --host", {
      cause,
    });
  }
  return server.address() as AddressInfo;
}
