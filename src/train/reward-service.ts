/** The reward of an edit for trainers elsewhere: what `rollOut` computes, one edit after the other, behind HTTP. */
import { timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { basename } from "node:path";
import { z } from "zod";
import { type Journal, MemoryJournal, type RewardDocument } from "../journal/journal.js";
import { hashJson } from "../lib/hash.js";
import { foreignness } from "../lib/local-request.js";
import { reasonOf } from "../lib/printable.js";
import type { LanguageModel } from "../model.js";
import type { EditState } from "./rl/edit-states.js";
import { type RatedEdit, scoreEdits, type WrittenEdit } from "./rl/rollouts.js";

/** A node's name: its run's folder and its number. */
export const stateName = ({ run, node }: EditState) => `${basename(run.origin)}/${node}`;

/** Whose edits are scored, by which policy, for whom. */
export interface RewardServiceOptions {
  readonly states: readonly EditState[];
  readonly policy: LanguageModel;
  /** Edits that are scored in one go. */
  readonly together: number;
  /** Edits that may wait; more are told to come back. */
  readonly waiting: number;
  /** What callers must show; null for none. */
  readonly token: string | null;
  /** Keeps every reward, so that a server that starts again computes none twice. */
  readonly journal: Journal;
}

/** Longest request, in bytes: a hundred thousand tokens of text. */
export const MAX_BODY_BYTES = 1 << 20;

const requestSchema = z.strictObject({ state: z.string(), completion: z.string() });

/** An answer that is not a reward. */
class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/**
 * `POST /reward` with `{ state, completion }` answers `{ reward, score, performance, standard_error, invalid }`;
 * `GET /health` says how many states there are and what waits. Errors are `{ error }` with a status that fits.
 */
export function rewardService(options: RewardServiceOptions): Server {
  const rewards = new Rewards(options);
  return createServer((request, response) => {
    answer(request, rewards, options).then(
      (body) => send(response, 200, body),
      (error: unknown) => {
        if (error instanceof Refusal) send(response, error.status, { error: error.message }, error.headers);
        else send(response, 500, { error: reasonOf(error) });
      },
    );
  });
}

async function answer(
  request: IncomingMessage,
  rewards: Rewards,
  { token }: RewardServiceOptions,
): Promise<object> {
  const foreign = foreignness(request);
  if (foreign !== null) throw new Refusal(403, foreign);
  if (token !== null && !isToken(request.headers.authorization, token))
    throw new Refusal(401, "the token is missing or wrong: send it as Authorization: Bearer …", {
      "WWW-Authenticate": "Bearer",
    });
  if (`${request.method} ${request.url}` === "GET /health") return rewards.health();
  if (request.url !== "/reward")
    throw new Refusal(404, `there is no ${request.url}: POST /reward or GET /health`);
  if (request.method !== "POST") throw new Refusal(405, "POST it", { Allow: "POST" });
  // Other types are those that a page may send to any server without being allowed to.
  if (!/^application\/json\s*(;|$)/i.test(request.headers["content-type"] ?? ""))
    throw new Refusal(415, "send it with Content-Type: application/json");
  const given = requestSchema.safeParse(parsed(await bodyOf(request)));
  if (!given.success) throw new Refusal(400, 'send {"state": …, "completion": …}, both texts');
  return await rewards.of(given.data.state, given.data.completion);
}

function isToken(header: string | undefined, token: string): boolean {
  const [given, wanted] = [hashJson(header ?? ""), hashJson(`Bearer ${token}`)];
  return timingSafeEqual(Buffer.from(given), Buffer.from(wanted));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    // The connection is closed with the answer: the rest is not read.
    if (bytes > MAX_BODY_BYTES)
      throw new Refusal(413, `the request is longer than ${MAX_BODY_BYTES} bytes`, { Connection: "close" });
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, "the request is not JSON");
  }
}

function send(response: ServerResponse, status: number, body: object, headers = {}): void {
  response.writeHead(status, { "Content-Type": "application/json", ...headers });
  response.end(`${JSON.stringify(body)}\n`);
}

interface Waiting {
  readonly key: string;
  readonly state: EditState;
  /** Callers say nothing of how it ended: it is taken to be whole. */
  readonly completion: WrittenEdit["completion"];
  readonly resolve: (reward: RewardDocument) => void;
  readonly reject: (error: unknown) => void;
}

/** Collects what is asked while the policy answers, and scores it together. */
class Rewards {
  readonly #states: ReadonlyMap<string, EditState>;
  /** What is waited for. */
  readonly #asked = new Map<string, Promise<RewardDocument>>();
  readonly #queue: Waiting[] = [];
  #working = false;

  constructor(private readonly options: RewardServiceOptions) {
    this.#states = new Map(options.states.map((state) => [stateName(state), state]));
  }

  health(): object {
    return { states: this.#states.size, waiting: this.#queue.length };
  }

  /** The same edit of the same node is scored once, ever. */
  async of(name: string, text: string): Promise<RewardDocument> {
    const state = this.#states.get(name);
    if (state === undefined)
      throw new Refusal(
        404,
        `there is no state "${name}": export the data and serve them with the same configuration`,
      );
    const key = hashJson([this.options.policy.fingerprint, state.run.task.fingerprint, name, text]);
    const known = this.options.journal.recall("reward", key)?.reward ?? this.#asked.get(key);
    if (known !== undefined) return await known;
    if (this.#queue.length >= this.options.waiting)
      throw new Refusal(503, `${this.#queue.length} edits are waiting already`, { "Retry-After": "5" });
    const reward = new Promise<RewardDocument>((resolve, reject) => {
      const completion = { text, finishReason: "stop", generatedTokens: 0 } as const;
      this.#queue.push({ key, state, completion, resolve, reject });
    });
    this.#asked.set(key, reward);
    void this.#work();
    try {
      return await reward;
    } finally {
      this.#asked.delete(key);
    }
  }

  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    // Those that came at the same moment go together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, this.options.together);
      try {
        const { scored } = await scoreEdits(batch, this.options.policy, new MemoryJournal());
        for (const [i, { key, resolve }] of batch.entries()) {
          const reward = documentOf(scored[i] as RatedEdit);
          this.options.journal.record({ type: "reward", key, reward });
          resolve(reward);
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#working = false;
  }
}

function documentOf({ state, score, reward, standardError, isValid }: RatedEdit): RewardDocument {
  return {
    reward,
    score,
    performance: state.score,
    standard_error: isValid ? standardError : null,
    invalid: !isValid,
  };
}
