import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Asked {
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  // biome-ignore lint/suspicious/noExplicitAny: what a client sent
  readonly body: any;
}

/** How a request is treated: answered with a text, or one of the ways in which services fail. */
export type Treatment =
  | { readonly text: string; readonly usage?: false; readonly cutOff?: true }
  | { readonly status: number; readonly headers?: Record<string, string>; readonly message?: string }
  /** The whole body, as it is. */
  | { readonly body: string; readonly status?: number; readonly headers?: Record<string, string> }
  | "hang"
  /** A part of the body every few milliseconds, for ever. */
  | "trickle"
  | "cut"
  | "no json"
  | "empty";

/** A service of chat completions on the loopback, in OpenAI's words and in Anthropic's. */
export class ChatServer implements AsyncDisposable {
  readonly asked: Asked[] = [];
  readonly #server: Server;

  static async start(treat: (asked: Asked, n: number) => Treatment): Promise<ChatServer> {
    const server = new ChatServer(treat);
    server.#server.listen(0, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  private constructor(private readonly treat: (asked: Asked, n: number) => Treatment) {
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const chunk of request.setEncoding("utf8")) text += chunk;
    const asked = { path: request.url ?? "", headers: request.headers, body: JSON.parse(text) };
    this.asked.push(asked);
    const treatment = this.treat(asked, this.asked.length);
    const json = (status: number, body: unknown, headers: object = {}) =>
      response
        .writeHead(status, { "content-type": "application/json", ...headers })
        .end(JSON.stringify(body));
    if (treatment === "hang") return;
    if (treatment === "no json") {
      response.writeHead(200, { "content-type": "application/json" }).end("<html>busy</html>");
    } else if (treatment === "empty") {
      json(200, {});
    } else if (treatment === "cut") {
      response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
      response.write('{"choices": [');
      setTimeout(() => response.destroy(), 5);
    } else if (treatment === "trickle") {
      response.writeHead(200, { "content-type": "application/json" });
      const timer = setInterval(() => response.write(" "), 20);
      response.on("close", () => clearInterval(timer));
    } else if ("body" in treatment) {
      const { status = 200, headers, body } = treatment;
      response.writeHead(status, { "content-type": "application/json", ...headers }).end(body);
    } else if ("status" in treatment) {
      const { status, headers, message = "no" } = treatment;
      json(status, { type: "error", error: { type: "some_error", message } }, headers);
    } else {
      json(200, asked.path.endsWith("/messages") ? anthropicAnswer(treatment) : openAiAnswer(treatment));
    }
  }
}

type Answered = Extract<Treatment, { text: string }>;

const openAiAnswer = ({ text, usage, cutOff }: Answered) => ({
  choices: [
    { index: 0, message: { role: "assistant", content: text }, finish_reason: cutOff ? "length" : "stop" },
  ],
  ...(usage === false ? {} : { usage: { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 } }),
});

const anthropicAnswer = ({ text, usage, cutOff }: Answered) => ({
  content: [{ type: "text", text }],
  stop_reason: cutOff ? "max_tokens" : "end_turn",
  ...(usage === false ? {} : { usage: { input_tokens: 60, cache_read_input_tokens: 40, output_tokens: 10 } }),
});
