import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A file on a server, and how the server misbehaves. */
export interface ServedFile {
  content: Buffer;
  etag?: string;
  /** Whether it ignores ranges. */
  whole?: boolean;
  /** Cuts so many of the next answers, each after so many bytes. */
  cuts?: number;
  cutAfter?: number;
  /** Never ends the next answer that it would cut. */
  stalls?: boolean;
  /** Sends so many bytes every ten milliseconds. */
  slow?: number;
  /** Answers with these states first. */
  states?: number[];
  /** Sent with those. */
  stateHeaders?: Record<string, string>;
  /** Sent with the file. */
  headers?: Record<string, string>;
  redirect?: string;
}

/** What was asked of a server. */
export interface SeenRequest {
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  /** Bytes that were sent. */
  sent: number;
}

/** A server for downloads on the loopback interface. */
export class FileServer implements AsyncDisposable {
  readonly files = new Map<string, ServedFile>();
  readonly requests: SeenRequest[] = [];

  private constructor(private readonly server: Server) {
    server.on("request", (request, response) => this.#answer(request, response));
  }

  static async open(): Promise<FileServer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new FileServer(server);
  }

  get address(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Puts a file there, and says where. */
  serve(path: string, file: ServedFile): string {
    this.files.set(path, file);
    return `${this.address}${path}`;
  }

  /** Bytes sent of all files. */
  get sent(): number {
    return this.requests.reduce((sum, { sent }) => sum + sent, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { range, authorization } = request.headers;
    const path = request.url ?? "";
    const seen: SeenRequest = { path, range, authorization, sent: 0 };
    this.requests.push(seen);
    const file = this.files.get(path);
    const state = file === undefined ? 404 : file.states?.shift();
    if (file === undefined || state !== undefined) {
      response.writeHead(state ?? 404, file?.stateHeaders).end("no");
      return;
    }
    if (file.redirect !== undefined) {
      response.writeHead(302, { location: file.redirect }).end();
      return;
    }
    const isCurrent = [undefined, file.etag].includes(request.headers["if-range"] as string | undefined);
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec((isCurrent && !file.whole && range) || "") ?? [];
    const size = file.content.length;
    const [first, last] = from === undefined ? [0, size - 1] : [Number(from), Math.min(Number(to), size - 1)];
    response.writeHead(from === undefined ? 200 : 206, {
      ...file.headers,
      "content-length": last - first + 1,
      ...(from === undefined ? {} : { "content-range": `bytes ${first}-${last}/${size}` }),
      ...(file.etag === undefined ? {} : { etag: file.etag }),
    });
    this.#send(file, file.content.subarray(first, last + 1), seen, response);
  }

  #send(file: ServedFile, content: Buffer, seen: SeenRequest, response: ServerResponse): void {
    if ((file.cuts ?? 0) > 0 && content.length > (file.cutAfter ?? 0)) {
      file.cuts = (file.cuts ?? 0) - 1;
      seen.sent = file.cutAfter ?? 0;
      const isStalled = file.stalls;
      response.write(content.subarray(0, seen.sent), () => {
        // What was written is to arrive.
        if (!isStalled) setTimeout(() => response.destroy(), 20);
      });
      return;
    }
    if (file.slow === undefined) {
      seen.sent = content.length;
      response.end(content);
      return;
    }
    const timer = setInterval(() => {
      const chunk = content.subarray(seen.sent, seen.sent + (file.slow ?? 0));
      seen.sent += chunk.length;
      if (!response.destroyed) response.write(chunk);
      if (seen.sent === content.length) response.end();
      if (seen.sent === content.length || response.destroyed) clearInterval(timer);
    }, 10);
  }
}

/** Bytes that differ everywhere, so that none can be in another's place. */
export function noise(length: number, seed = 0): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, index) =>
    createHash("sha256").update(`${seed} ${index}`).digest(),
  );
  return Buffer.concat(blocks).subarray(0, length);
}

export const sha256 = (content: Buffer) => createHash("sha256").update(content).digest("hex");
