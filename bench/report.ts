/** Turns measurements into ratios: the table for people and the JSON document. */
import { availableParallelism, cpus } from "node:os";
import type { ContestantName, Outcome } from "./contestants/contestant.js";
import { type Measurement, type Series, unlike } from "./measure.js";
import { median, type Ratio, ratioOf } from "./numbers.js";
import { type BenchShape, FULL_SIZES, type Size, tokensToGenerate, type WorkloadName } from "./workloads.js";

export const RATIOS = [
  "cpp_bound",
  "node_llama_cpp_plain",
  "node_llama_cpp_best",
  "llama_server",
  "llama_server_repeat",
  "transformers_js",
] as const;
export type RatioName = (typeof RATIOS)[number];

/** One shape and workload in the JSON document; times in seconds, lengths in tokens. */
export interface Result {
  readonly shape: BenchShape;
  readonly workload: WorkloadName;
  readonly size: Size;
  /** Whether the size is smaller than the one that figures are meant for. */
  readonly scaled_down: boolean;
  /** Time of that peer ÷ ours; for the two C++ bounds ours ÷ the bound. The median over the rounds. */
  readonly ratios: Partial<Record<RatioName, number>>;
  /** Least and most of each ratio over the rounds. */
  readonly spread: Partial<Record<RatioName, readonly [number, number]>>;
  /** By our engine in one round with a new prefix: the most over the rounds. */
  readonly prompt_tokens_evaluated: number;
  /** Tokens on the edges of the prompts' tree that no earlier round had: what has to be evaluated. */
  readonly trie_tokens: number;
  /** 1 − waiting for llama.cpp ÷ wall time. */
  readonly js_share: number;
  /** The same with the sampling of the paper in place of greedy; only for workloads with several samples. */
  readonly js_share_sampled?: number;
  /** Figures of this machine, which say nothing about another. */
  readonly this_machine: Partial<Record<ContestantName | "lse_repeat" | "llama_server_repeat", Absolute>>;
  readonly notes: readonly string[];
}

interface Absolute {
  readonly setting: string;
  readonly seconds: number;
  readonly generated_tokens_per_second: number;
  /** In one round. */
  readonly prompt_tokens_evaluated: number;
}

export interface Report {
  readonly machine: { readonly cpu: string; readonly cores: number; readonly node: string };
  readonly threads: number;
  readonly rounds: number;
  readonly results: readonly Result[];
}

export function machine(): Report["machine"] {
  return { cpu: cpus()[0]?.model ?? "unknown", cores: availableParallelism(), node: process.version };
}

export function resultOf(
  { shape, workload, size }: Pick<Result, "shape" | "workload" | "size">,
  measurement: Measurement,
  unbuilt: readonly string[],
): Result {
  const { first, repeated, trieTokens, sampled } = measurement;
  const ours = first.get("lse");
  if (ours === undefined) throw new Error(`the engine itself failed: ${measurement.notes.join("; ")}`);
  const notes = [...unbuilt, ...measurement.notes];
  const ratios: Partial<Record<RatioName, number>> = {};
  const spread: Partial<Record<RatioName, readonly [number, number]>> = {};
  for (const name of RATIOS) {
    const isRepeat = name === "llama_server_repeat";
    const peer = isRepeat ? repeated.get("llama_server") : first.get(name);
    const own = isRepeat ? repeated.get("lse") : ours;
    if (peer === undefined || own === undefined) continue;
    const reason = [unlike(own, size), unlike(peer, size)].find((why) => why !== null);
    if (reason !== undefined) {
      notes.push(`no ratio for ${name}: unlike work, ${reason}`);
      continue;
    }
    const ratio = name.startsWith("cpp_bound") ? quotient(own, peer) : quotient(peer, own);
    ratios[name] = rounded(ratio.median);
    spread[name] = [rounded(ratio.least), rounded(ratio.most)];
  }
  const absolutes = [...first, ...[...repeated].map(([name, series]) => [`${name}_repeat`, series] as const)];
  return {
    shape,
    workload,
    size,
    scaled_down: JSON.stringify(size) !== JSON.stringify(FULL_SIZES[workload]),
    ratios,
    spread,
    prompt_tokens_evaluated: Math.max(...ours.outcomes.map(({ promptTokens }) => promptTokens)),
    trie_tokens: Math.max(...trieTokens),
    js_share: rounded(jsShare(ours.outcomes)),
    ...(sampled.length > 0 ? { js_share_sampled: rounded(jsShare(sampled)) } : {}),
    this_machine: Object.fromEntries(absolutes.map(([name, series]) => [name, absolute(series, size)])),
    notes,
  };
}

const seconds = ({ outcomes }: Series) => outcomes.map((outcome) => outcome.seconds);
const quotient = (above: Series, below: Series): Ratio => ratioOf(seconds(above), seconds(below));

const jsShare = (outcomes: readonly Outcome[]) =>
  median(outcomes.map((outcome) => 1 - (outcome.decodeSeconds ?? 0) / outcome.seconds));

function absolute(series: Series, size: Size): Absolute {
  const time = median(seconds(series));
  return {
    setting: series.setting,
    seconds: rounded(time),
    generated_tokens_per_second: rounded(tokensToGenerate(size) / time),
    prompt_tokens_evaluated: median(series.outcomes.map(({ promptTokens }) => promptTokens)),
  };
}

/** To four digits. */
const rounded = (value: number) => Number(value.toPrecision(4));

/** The report as a table for people. */
export function tableOf({ machine, threads, rounds, results }: Report): string {
  const lines = [
    `Medians of ${rounds} interleaved rounds, least–most in brackets, ${threads} thread(s). Ratios of time:`,
    "the peer's ÷ ours, so more is better for us; for the C++ bounds ours ÷ the bound's, so 1 is the best possible.",
    `Absolute figures are this machine's: ${machine.cpu}, ${machine.cores} cores, Node ${machine.node}.`,
  ];
  for (const result of results) lines.push("", ...blockOf(result));
  return lines.join("\n");
}

function blockOf(result: Result): string[] {
  const { shape, workload, size, ratios, spread } = result;
  const shares = [`${percent(result.js_share)} of the time is JavaScript's own`];
  if (result.js_share_sampled !== undefined) {
    shares.push(`${percent(result.js_share_sampled)} with the sampling of the paper`);
  }
  const prefix = size.prefix > 0 ? `${size.prefix} shared + ` : "";
  const perToken = (result.prompt_tokens_evaluated / result.trie_tokens).toFixed(3);
  return [
    `${shape} · ${workload}: ${size.prompts} prompts × ${size.samples} of ${prefix}${size.suffix} tokens, ` +
      `${size.generate} generated${result.scaled_down ? " (scaled down)" : ""}`,
    ...RATIOS.flatMap((name) => {
      const [least, most] = spread[name] ?? [];
      if (ratios[name] === undefined || least === undefined || most === undefined) return [];
      const range = `[${least.toFixed(2)}–${most.toFixed(2)}]`;
      return `  ${name.padEnd(26)}${ratios[name].toFixed(2).padStart(7)} ${range}`;
    }),
    `  prompt tokens evaluated ÷ trie tokens: ${result.prompt_tokens_evaluated} ÷ ${result.trie_tokens} = ${perToken}`,
    `  ${shares.join(", ")}`,
    "  this machine:",
    ...Object.entries(result.this_machine).map(
      ([name, { seconds, generated_tokens_per_second, prompt_tokens_evaluated, setting }]) =>
        `    ${name.padEnd(26)}${seconds.toFixed(3).padStart(9)} s ${generated_tokens_per_second.toFixed(0).padStart(7)} ` +
        `tokens/s ${String(prompt_tokens_evaluated).padStart(8)} prompt tokens  (${setting})`,
    ),
    ...result.notes.map((note) => `  note: ${note}`),
  ];
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
