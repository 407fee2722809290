/** The page of runs behind HTTP on this machine, which follows them while they go on. */
import { statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { foreignness } from "../lib/local-request.js";
import { reportHtml } from "./html.js";
import type { ReportData } from "./types.js";

/** What a page is made from, again at each request. */
export interface LiveSource {
  /** Files that tell by their sizes whether there is something new. */
  readonly files: readonly string[];
  read(): ReportData;
}

/** Serves `/`, the page, and `/data.json`, what it shows; to be bound to a loopback address. */
export function reportServer(source: LiveSource): Server {
  return createServer((request, response) => {
    try {
      answer(request, response, source);
    } catch (error) {
      // A file that is just being replaced: the page asks again.
      response.writeHead(503).end(error instanceof Error ? error.message : String(error));
    }
  });
}

function answer(request: IncomingMessage, response: ServerResponse, source: LiveSource): void {
  // A page elsewhere whose name leads to this machine is not to read the runs.
  const foreign = foreignness(request);
  if (foreign !== null) {
    response.writeHead(403).end(`${foreign}\n`);
    return;
  }
  if (request.method !== "GET" || !["/", "/data.json"].includes(request.url ?? "")) {
    response.writeHead(404).end("there are / and /data.json\n");
    return;
  }
  if (request.url === "/") {
    send(response, "text/html; charset=utf-8", reportHtml(source.read(), true));
    return;
  }
  const version = versionOf(source);
  if (request.headers["if-none-match"] === version) {
    response.writeHead(304).end();
    return;
  }
  response.setHeader("ETag", version);
  send(response, "application/json", JSON.stringify(source.read()));
}

function send(response: ServerResponse, type: string, body: string): void {
  response.writeHead(200, { "Content-Type": type, "Cache-Control": "no-cache" }).end(body);
}

/** Changes when a run has gone on. */
function versionOf(source: LiveSource): string {
  const sizes = source.files.map((file) => statSync(file, { throwIfNoEntry: false })?.size ?? 0);
  return `"${sizes.join("-")}"`;
}
