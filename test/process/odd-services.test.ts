/** Malformed replies of services, drawn at random: each ends in a completion or in one line. */
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { LseError } from "#lse/errors.js";
import { uniformStream } from "#lse/lib/random.js";
import { PAPER_SAMPLING } from "#lse/model.js";
import { openRemote } from "#lse/runtime/remote/open.js";

const SEED = 20_260;
const ATTACKS = 200 * Number(process.env.LSE_ATTACKS ?? 1);
const TOGETHER = 20;
const KEY = "sk-secret-0123456789";

const RIGHT = {
  openai: {
    id: "x",
    object: "chat.completion",
    choices: [
      { index: 0, message: { role: "assistant", content: "<answer>1</answer>" }, finish_reason: "stop" },
    ],
    usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
  },
  anthropic: {
    type: "message",
    role: "assistant",
    content: [{ type: "text", text: "<answer>1</answer>" }],
    stop_reason: "end_turn",
    usage: { input_tokens: 10, output_tokens: 5 },
  },
} as const;
const ERRORS: readonly unknown[] = [
  { error: { message: `Bad key ${KEY}`, code: 400 } },
  { error: `\u001b[2J${KEY}\nat line 2\u2028` },
  { detail: [{ loc: ["body", "seed"], msg: "Extra inputs are not permitted" }] },
  { object: "error", message: { detail: [null, { msg: 7 }] } },
  { errors: [] },
  null,
];
const ODD: readonly unknown[] = [
  null,
  -1,
  1e300,
  "",
  "\u0000\u001b]0;x\u0007",
  KEY,
  [],
  {},
  [null],
  true,
  [[[]]],
];
const PAGES = [
  "",
  "<html><body>busy</body></html>",
  "\u0000\u0001\uFEFF",
  "data: [DONE]\n\n",
  `${KEY}\n${KEY}`,
  "[".repeat(50_000),
];
const STATUSES = [200, 200, 201, 204, 302, 400, 401, 404, 418, 422, 429, 500, 503, 599];

/** What the server does for one request. */
interface Attack {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
  /** Bytes after which the connection is reset; undefined for none. */
  readonly reset?: number;
}

/** Replaces or removes a field somewhere in a value. */
function mutate(value: unknown, random: Draw): unknown {
  if (typeof value !== "object" || value === null || random.below(5) === 0) return random.of(ODD);
  const copy = structuredClone(value) as Record<string, unknown>;
  const name = random.of(Object.keys(copy));
  if (name === undefined) return random.of(ODD);
  if (random.below(3) > 0) copy[name] = mutate(copy[name], random);
  else if (Array.isArray(copy)) copy.length = 0;
  else delete copy[name];
  return copy;
}

/** Draws from one generator. */
interface Draw {
  below(limit: number): number;
  of<T>(list: readonly T[]): T;
}
const pickFrom = (random: () => number): Draw => {
  const below = (limit: number) => Math.floor(random() * limit);
  return { below, of: (list) => list[below(list.length)] as (typeof list)[number] };
};

function attackOf(right: unknown, random: Draw): Attack {
  const json = {
    "content-type": random.of(["application/json", "text/html", "application/problem+json", ""]),
  };
  let value: unknown = random.below(4) === 0 ? random.of(ERRORS) : right;
  for (let times = random.below(4); times > 0; times--) value = mutate(value, random);
  let body = Buffer.from(random.below(6) === 0 ? random.of(PAGES) : JSON.stringify(value));
  const headers: Record<string, string> = { ...json, "retry-after": random.of(["0", "-1", "soon", "99999"]) };
  let status = random.below(2) === 0 ? 200 : random.of(STATUSES);
  switch (random.below(9)) {
    case 0:
      body = body.subarray(0, random.below(body.length + 1));
      break;
    case 1:
      body = Buffer.from(body.toString(), random.of(["utf16le", "latin1"]));
      break;
    case 2:
      headers["content-encoding"] = random.of(["gzip", "br", "deflate", "zstd", "x\u00ff"]);
      if (random.below(2) === 0) body = gzipSync(body);
      break;
    case 3:
      return { status, headers, body, reset: random.below(body.length + 1) };
    case 4:
      body = Buffer.concat([body, Buffer.alloc(random.of([1e5, 4e6]), random.of([" ", "x"]))]);
      break;
    case 5:
      headers["content-length"] = String(body.length + random.of([-1, 1, 1e6]));
      return { status, headers, body, reset: body.length };
    case 6:
      headers.location = random.of(["/", "http://me:word@127.0.0.1/", "nowhere:"]);
      status = random.of([301, 307, 308]);
      break;
    default:
  }
  return { status, headers, body };
}

function send(response: ServerResponse, { status, headers, body, reset }: Attack): void {
  const { socket } = response;
  // By hand: Node's server would correct what is to be wrong.
  const lines = Object.entries({ "content-length": String(body.length), ...headers }).map(
    ([n, v]) => `${n}: ${v}`,
  );
  socket?.write(
    Buffer.from(`HTTP/1.1 ${status} Odd\r\n${lines.join("\r\n")}\r\nconnection: close\r\n\r\n`, "latin1"),
  );
  if (reset === undefined) socket?.end(body);
  else socket?.write(body.subarray(0, reset), () => socket.resetAndDestroy());
}

const attacks: Attack[] = [];
const server = createServer((request, response) => {
  request.resume().on("end", () => send(response, attacks[Number(request.url?.split("/")[1])] as Attack));
});
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  vi.unstubAllEnvs();
});
beforeEach(() => {
  vi.stubEnv("OPENAI_API_KEY", KEY);
  vi.stubEnv("ANTHROPIC_API_KEY", KEY);
});

describe("malformed replies", () => {
  it(
    `of ${ATTACKS} kinds each end in a completion or in one line without the key`,
    async () => {
      const said = vi.spyOn(console, "error").mockImplementation(() => undefined);
      const random = pickFrom(uniformStream(SEED));
      const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const ask = async (index: number) => {
        const service = random.of(["openai", "anthropic"] as const);
        attacks[index] = attackOf(RIGHT[service], random);
        const settings = { contextSize: 10_000, parallel: 1, attempts: 1, timeout: 5 };
        const model = openRemote(
          { name: `${service}:m`, baseUrl: `${origin}/${index}/v1`, ...settings },
          undefined,
        );
        const messages = [{ role: "user", content: "hi" }] as const;
        const sampling = { ...PAPER_SAMPLING, maxTokens: 50 };
        return await model.generate([{ messages, sampling, seed: 1, sample: 0 }]).then(
          ([completion]) => ({ index, completion, error: undefined }),
          (error: unknown) => ({ index, completion: undefined, error }),
        );
      };
      const outcomes = [];
      for (let from = 0; from < ATTACKS; from += TOGETHER)
        outcomes.push(...(await Promise.all(Array.from({ length: TOGETHER }, (_, i) => ask(from + i)))));

      for (const { index, completion, error } of outcomes) {
        const attack = `attack ${index}: ${attacks[index]?.status} ${attacks[index]?.body.toString().slice(0, 300)}`;
        if (completion !== undefined) {
          expect(typeof completion.text, attack).toBe("string");
          expect(completion.promptTokens, attack).toBeGreaterThanOrEqual(0);
          expect(completion.generatedTokens, attack).toBeGreaterThanOrEqual(0);
          continue;
        }
        expect(error, attack).toBeInstanceOf(LseError);
        const { message, cause } = error as LseError;
        expect(cause, attack).toBeUndefined();
        expect(message, attack).not.toMatch(/\p{Cc}|\p{Zl}|\p{Zp}|\bat \S+ \(|word@/u);
        expect(message, attack).not.toContain(KEY);
        expect(message.length, attack).toBeLessThan(1000);
      }
      const answered = outcomes.filter(({ completion }) => completion !== undefined).length;
      expect(answered).toBeGreaterThan(0);
      expect(answered).toBeLessThan(ATTACKS / 2);
      expect(JSON.stringify(said.mock.calls)).not.toContain(KEY);
      said.mockRestore();
    },
    20_000 + 100 * ATTACKS,
  );
});
