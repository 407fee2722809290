/**
 * Measures the engine with a real model on a real database: what is kept of prompts, and drafts. Each pair is measured in
 * turns, with one engine open at a time: the threads of two would wait for each other.
 *
 *   npm run bench:real -- --model qwen2.5-coder-1.5b-instruct-q4_k_m.gguf --data bird/dev --db superhero
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { strategySchema } from "#lse/answer/strategy.js";
import { underStrategy } from "#lse/answer/under-strategy.js";
import { BirdTask } from "#lse/bird/task.js";
import { evolverMessages } from "#lse/evolve/evolver-prompt.js";
import { type ChatMessage, type GenerateRequest, PAPER_SAMPLING } from "#lse/model.js";
import { LlamaModel } from "#lse/runtime/llama/llama-model.js";
import { Progress } from "#lse/terminal/progress.js";
import { textTable } from "#lse/terminal/text-table.js";
import { divide } from "../../scripts/reproduce-real/measure.js";
import { type Ratio, ratioOf } from "../numbers.js";
import { machine } from "../report.js";
import { firstToken } from "./first-token.js";
import { MANUAL } from "./manual.js";

const NAMES = ["draft/answer", "draft/rewrite", "ask/first-token", "ask/first-token, no examples"] as const;
type Name = (typeof NAMES)[number];

const options = new Command("bench:real")
  .description("The engine with a real model: prefixes that are kept, and drafts.")
  .requiredOption("--model <file>", "a GGUF file")
  .requiredOption("--data <folder>", "BIRD's folder")
  .option("--db <name>", "which of its databases", "superhero")
  .addOption(new Option("--only <names...>", "some of the ratios").choices(NAMES).default([...NAMES]))
  .option("--rounds <count>", "rounds", Number, 5)
  .option("--threads <count>", "CPU threads", Number, machine().cores)
  .option("--out <file>", "where to write the results as JSON, too")
  .parse()
  .opts();

const engine = {
  modelPath: options.model,
  contextSize: 6144,
  threads: options.threads,
  batchSize: 512,
  sequences: 32,
  flashAttention: true,
  kvCells: 8192,
  repeatable: true,
};

/** Greedy answers without thought, behind four solved questions each, as `lse ask` has them but for its vote. */
const strategy = strategySchema.parse({ examples: 4, reasoning: "none" });
const sampling = { ...PAPER_SAMPLING, temperature: 0, presencePenalty: 0, maxTokens: 512 };

interface Measured {
  readonly above: number[];
  readonly below: number[];
  readonly note: string;
}

const folder = mkdtempSync(join(tmpdir(), "lse-bench-"));
try {
  await using task = await BirdTask.open({
    dataPath: options.data,
    dbId: options.db,
    timeoutMs: 30_000,
    cacheFolder: folder,
  });
  const { test, solved } = divide(task);
  const asked = underStrategy(task, { strategy }, solved);
  const bare = underStrategy(task, { strategy: { ...strategy, examples: 0 } }, solved);
  const problems = test.slice(0, options.rounds);
  const prompt = (problem: string, of = asked) => of.prompt(problem, of.seedInstructions);
  const measures: Record<Name, () => Promise<Measured>> = {
    "draft/answer": () => drafts(problems.map((problem) => prompt(problem))),
    "draft/rewrite": () => drafts(problems.map(rewritePrompt)),
    "ask/first-token": () => firstTokens(problems.map((problem) => prompt(problem))),
    "ask/first-token, no examples": () => firstTokens(problems.map((problem) => prompt(problem, bare))),
  };
  using progress = new Progress("rounds", options.only.length * options.rounds);
  const results: (Measured & { readonly name: string })[] = [];
  for (const name of options.only) {
    const measured = await measures[name]();
    results.push({ name, ...measured });
    progress.say(`${name}: ${ratioOf(measured.above, measured.below).median.toFixed(2)}`);
  }

  const command = `npm run bench:real -- --model ${basename(options.model)} --db ${options.db} --rounds ${options.rounds}`;
  const ratios = results.map(({ name, above, below, note }) => {
    const ratio: Ratio = ratioOf(above, below);
    return { name, ...ratio, rounds: above.length, note, command };
  });
  console.log(
    textTable([
      ["ratio", "median", "least", "most", "rounds", ""],
      ...ratios.map(({ name, median, least, most, rounds, note }) => [
        name,
        ...[median, least, most].map((value) => value.toFixed(2)),
        String(rounds),
        note,
      ]),
    ]),
  );
  if (options.out !== undefined)
    writeFileSync(options.out, `${JSON.stringify({ machine: machine(), ratios }, null, 1)}\n`);

  /** What an evolver is shown of a batch of one problem, with a manual to be rewritten. */
  function rewritePrompt(problem: string): ChatMessage[] {
    const outcome = { score: 0, correct: false, answer: "", error: "no query" };
    const answer = { problem, sample: 0, response: "", outcome, promptTokens: 0, tokens: 0, completions: 1 };
    return evolverMessages({ task, instructions: MANUAL, batch: [answer], tried: [], fits: () => true });
  }

  /** Seconds to decode the same answers one at a time, without drafts ÷ with them. */
  async function drafts(prompts: readonly ChatMessage[][]): Promise<Measured> {
    const measured: Measured = { above: [], below: [], note: "" };
    // What prompts share is on disk from here on, so that no round evaluates it.
    await firstToken({ ...engine, prefixFolder: folder }, prompts[0] as ChatMessage[]);
    const total = { proposed: 0, accepted: 0 };
    let same = 0;
    for (const [round, messages] of prompts.entries()) {
      const texts: string[] = [];
      for (const hasDrafts of round % 2 === 0 ? [false, true] : [true, false]) {
        await using model = await LlamaModel.open({ ...engine, drafts: hasDrafts, prefixFolder: folder });
        const { seconds, text } = await decoding(model, messages);
        (hasDrafts ? measured.below : measured.above).push(seconds);
        texts.push(text);
        total.proposed += model.drafts.proposed;
        total.accepted += model.drafts.accepted;
      }
      if (texts[0] === texts[1]) same++;
      progress.advance(1);
    }
    const share = (100 * total.accepted) / Math.max(1, total.proposed);
    const note = `${share.toFixed(0)} % of drafts accepted, ${same} of ${prompts.length} texts the same`;
    return { ...measured, note };
  }

  /** Seconds to the first token in a new process, with the prefix on disk ÷ without. */
  async function firstTokens(prompts: readonly ChatMessage[][]): Promise<Measured> {
    const measured: Measured = { above: [], below: [], note: "" };
    await firstToken({ ...engine, prefixFolder: folder }, prompts.at(-1) as ChatMessage[]);
    for (const [round, messages] of prompts.entries()) {
      const folders = [folder, null];
      for (const prefixFolder of round % 2 === 0 ? folders : folders.reverse()) {
        const seconds = await firstToken({ ...engine, prefixFolder }, messages);
        (prefixFolder === null ? measured.below : measured.above).push(seconds);
      }
      progress.advance(1);
    }
    return measured;
  }
} finally {
  rmSync(folder, { recursive: true });
}

/** Seconds from the first token of an answer to its last. */
async function decoding(model: LlamaModel, messages: readonly ChatMessage[]) {
  const request: GenerateRequest = { messages, sampling, seed: 1, sample: 0 };
  const timed = async (maxTokens: number) => {
    const started = performance.now();
    const [completion] = await model.generate([{ ...request, sampling: { ...sampling, maxTokens } }]);
    return { seconds: (performance.now() - started) / 1000, text: completion?.text ?? "" };
  };
  // The first call of an engine brings the weights into memory.
  await model.generate([
    { ...request, messages: [{ role: "user", content: "?" }], sampling: { ...sampling, maxTokens: 2 } },
  ]);
  const { seconds: before } = await timed(1);
  const { seconds, text } = await timed(sampling.maxTokens);
  return { seconds: seconds - before, text };
}
