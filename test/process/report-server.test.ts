import { once } from "node:events";
import { type IncomingMessage, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { reportServer } from "#lse/report/serve.js";

let server: Server;
beforeAll(async () => {
  const read = () => ({ runs: [] }) as unknown as ReturnType<Parameters<typeof reportServer>[0]["read"]>;
  server = reportServer({ files: [], read }).listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

it.each<[Record<string, string>, number]>([
  [{}, 200],
  [{ Host: "localhost:5" }, 200],
  [{ Host: "[::1]:5", "Sec-Fetch-Site": "none" }, 200],
  [{ Host: "evil.example" }, 403],
  [{ Host: "localhost.evil.example:80" }, 403],
  [{ Origin: "http://evil.example" }, 403],
  [{ "Sec-Fetch-Site": "cross-site" }, 403],
])("the page of runs answers a request with %j by %i", async (headers, status) => {
  const { port } = server.address() as AddressInfo;
  const asking = request(`http://127.0.0.1:${port}/data.json`, { headers }).end();
  const [response] = (await once(asking, "response")) as [IncomingMessage];
  response.resume();
  expect(response.statusCode).toBe(status);
});
