/** The contestant `llama_server`: starts llama.cpp's server and sends it requests over HTTP. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { LLAMA_SERVER } from "../paths.js";
import type { Prompt, Size, Work } from "../workloads.js";
import { type Contestant, ended, longest, type Session, type Setup } from "./contestant.js";

interface Slots {
  readonly slots: number;
  readonly kv: "unified" | "split";
  readonly flashAttention: "on" | "off";
  /** Whether the samples of a prompt are one request (`n_cmpl`), which copies the prompt's cells to its slots. */
  readonly samplesTogether: boolean;
}

/** llama.cpp's own server, asked over HTTP with token ids; its prompt cache is on. */
export const llamaServer: Contestant = {
  name: "llama_server",
  repeats: true,
  settings: (size) =>
    slotsFor(size).map((slots) => ({ label: describe(slots), open: (setup) => openServer(setup, slots) })),
};

async function openServer(setup: Setup, slots: Slots): Promise<Session> {
  const port = await freePort();
  const child = spawn(LLAMA_SERVER, argumentsFor(setup, slots, port), { stdio: "ignore" });
  await ready(child, port);
  const agent = new Agent({ keepAlive: true, maxSockets: connections(slots) });
  return {
    async run(work) {
      const started = performance.now();
      const asked = requestsOf(work, slots);
      const answers = (await Promise.all(asked.map((body) => post(agent, port, body)))).flat();
      return {
        seconds: (performance.now() - started) / 1000,
        promptTokens: sum(answers.map(({ timings }) => timings.prompt_n)),
        generatedTokens: sum(answers.map(({ tokens_predicted }) => tokens_predicted)),
      };
    },
    async close() {
      agent.destroy();
      child.kill();
      await ended(child);
    },
  };
}

function slotsFor({ prompts, samples }: Size): Slots[] {
  const completions = prompts * samples;
  const few = Math.min(8, completions);
  const many = Math.min(32, completions);
  return [...new Set([few, many])].flatMap((slots) =>
    // Many slots on one cache cost up to ten times as much: every token looks at the cells of all of them.
    (slots > few ? (["split"] as const) : (["unified", "split"] as const)).flatMap((kv) =>
      (["on", "off"] as const).flatMap((flashAttention) =>
        (samples > 1 && samples <= slots ? [false, true] : [false]).map((samplesTogether) => ({
          slots,
          kv,
          flashAttention,
          samplesTogether,
        })),
      ),
    ),
  );
}

const describe = ({ slots, kv, flashAttention, samplesTogether }: Slots) =>
  `${slots} slots, ${kv} KV, flash attention ${flashAttention}${samplesTogether ? ", n_cmpl" : ""}`;

/** Enough that a free slot never waits for a request to arrive. */
const connections = ({ slots }: Slots) => 2 * slots;

function argumentsFor({ modelPath, threads, size }: Setup, slots: Slots, port: number): string[] {
  return [
    "--model",
    modelPath,
    "--host",
    "127.0.0.1",
    "--port",
    String(port),
    "--offline",
    "--no-webui",
    "--threads",
    String(threads),
    "--threads-batch",
    String(threads),
    "--n-gpu-layers",
    "0",
    "--threads-http",
    String(connections(slots) + 2),
    "--timeout",
    "3600",
    "--fit",
    "off",
    "--parallel",
    String(slots.slots),
    slots.kv === "unified" ? "--kv-unified" : "--no-kv-unified",
    // A split cache is divided by the slots, in steps of 256.
    "--ctx-size",
    String(slots.slots * 256 * Math.ceil((longest(size) + 1) / 256)),
    "--flash-attn",
    slots.flashAttention,
  ];
}

function requestsOf(work: Work, { samplesTogether }: Slots): string[] {
  const body = (prompt: Prompt, completions: number) =>
    JSON.stringify({
      prompt: prompt.tokens,
      n_predict: work.generate,
      ignore_eos: true,
      cache_prompt: true,
      // The cheapest way to be greedy.
      samplers: ["top_k"],
      top_k: 1,
      ...(completions > 1 ? { n_cmpl: completions } : {}),
    });
  return work.prompts.flatMap((prompt) =>
    samplesTogether
      ? [body(prompt, work.samples)]
      : Array.from({ length: work.samples }, () => body(prompt, 1)),
  );
}

interface Answer {
  readonly tokens_predicted: number;
  /** prompt_n: the prompt tokens evaluated. */
  readonly timings: { readonly prompt_n: number };
}

/** @returns one answer, or several when several completions were asked for */
async function post(agent: Agent, port: number, body: string): Promise<Answer[]> {
  const sent = request({ agent, port, host: "127.0.0.1", path: "/completion", method: "POST" });
  sent.setHeader("content-type", "application/json");
  sent.end(body);
  const [response] = await once(sent, "response");
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  if (response.statusCode !== 200) throw new Error(`llama-server answered ${response.statusCode}: ${text}`);
  return [JSON.parse(text)].flat();
}

async function ready(child: ChildProcess, port: number): Promise<void> {
  let failure: unknown;
  child.once("error", (error) => {
    failure = error;
  });
  child.once("exit", (code) => {
    failure ??= new Error(`llama-server ended with code ${code}`);
  });
  while (failure === undefined) {
    const health = await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined);
    if (health?.ok) return;
    await sleep(50);
  }
  throw failure;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
