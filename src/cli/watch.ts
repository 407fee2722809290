import { once } from "node:events";
import { statSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Command } from "@commander-js/extra-typings";
import { listen } from "../lib/listen.js";
import { reportHtml } from "../report/html.js";
import { ReportSource } from "../runs/report-source.js";
import { untilInterrupted } from "../terminal/interrupt.js";
import { integer } from "./options.js";

const HOST = "127.0.0.1";

export function watchCommand() {
  return new Command("watch")
    .description("serve the page of runs on this machine, following them while they go on")
    .argument("<runs...>", "folders of runs or of trainings, or folders of such folders")
    .option("--port <number>", "port to listen on; 0 takes a free one", integer(0), 0)
    .action(async (paths, { port }) => {
      await using source = new ReportSource(paths);
      for (const failure of await source.openTasks()) console.error(failure);
      const server = createServer((request, response) => {
        try {
          answer(request, response, source);
        } catch (error) {
          // A file that is just being replaced: the page asks again.
          response.writeHead(503).end(error instanceof Error ? error.message : String(error));
        }
      });
      await untilInterrupted("The runs go on by themselves", async (signal) => {
        const { port: bound } = await listen(server, port, HOST);
        console.log(`http://${HOST}:${bound} (Ctrl-C ends it)`);
        try {
          await once(server, "close", { signal });
        } finally {
          server.closeAllConnections();
          server.close();
        }
      });
    });
}

function answer(request: IncomingMessage, response: ServerResponse, source: ReportSource): void {
  // A page elsewhere whose name leads to this machine is not to read the runs.
  if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(request.headers.host ?? "")) {
    response.writeHead(403).end("ask for 127.0.0.1\n");
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
function versionOf(source: ReportSource): string {
  const sizes = source.files.map((file) => statSync(file, { throwIfNoEntry: false })?.size ?? 0);
  return `"${sizes.join("-")}"`;
}
