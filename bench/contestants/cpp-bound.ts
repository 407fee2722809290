/** The contestant `cpp_bound`: starts the C++ program and talks to it over standard input and output. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { CPP_BOUND } from "../paths.js";
import { shippedLibrary } from "../peers/shipped.js";
import type { Work } from "../workloads.js";
import { type Contestant, ended, longest, parallel, type Session, type Setup } from "./contestant.js";

/**
 * A C++ program on the library that the engine uses, doing what the engine does, with nothing in between;
 * `peers/bound.cpp` says how. It times itself.
 */
export const cppBound: Contestant = {
  name: "cpp_bound",
  repeats: false,
  settings: (size) =>
    parallel(size, [16, 32]).flatMap((count) =>
      [false, true].map((flashAttention) => ({
        label: `sequences: ${count}, flash attention: ${flashAttention ? "on" : "off"}`,
        open: (setup: Setup) => openBound(setup, flashAttention, count),
      })),
    ),
};

async function openBound(setup: Setup, flashAttention: boolean, count: number): Promise<Session> {
  const { modelPath, threads, size } = setup;
  const backends = dirname(await shippedLibrary());
  // It takes whole prompts, so all samples of one have to fit.
  const sequences = Math.max(count, size.samples);
  const args = [backends, modelPath, threads, Number(flashAttention), sequences, longest(size)];
  const child = spawn(CPP_BOUND, args.map(String), { stdio: ["pipe", "pipe", "inherit"] });
  const lines = linesOf(child);
  const greeting = await lines.next();
  if (greeting !== "ready") throw new Error(`${CPP_BOUND} could not start: ${greeting}`);
  return {
    async run(work) {
      const answer = lines.next();
      child.stdin.write(jobOf(work));
      const numbers = (await answer).split(" ").map(Number);
      const [seconds = Number.NaN, promptTokens = Number.NaN, generatedTokens = Number.NaN] = numbers;
      if (Number.isNaN(seconds + promptTokens + generatedTokens)) {
        throw new Error(`${CPP_BOUND} answered "${await answer}"`);
      }
      return { seconds, promptTokens, generatedTokens };
    },
    async close() {
      child.stdin.end();
      await ended(child);
    },
  };
}

/** A work in the words of `bound.cpp`. */
function jobOf({ prompts, samples, generate, sharedTokens }: Work): string {
  const rows = prompts.map(({ tokens }) => [tokens.length, ...tokens].join(" "));
  return `${[sharedTokens, samples, generate, prompts.length].join(" ")}\n${rows.join("\n")}\n`;
}

/** What a program prints in answer to something, one line at a time. The promise fails when it ends instead. */
function linesOf(child: ChildProcessByStdio<Writable, Readable, null>): { next(): Promise<string> } {
  const lines = createInterface({ input: child.stdout });
  const end = new Promise<never>((_, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => reject(new Error(`${CPP_BOUND} ended with ${signal ?? code}`)));
  });
  end.catch(() => undefined);
  return {
    async next() {
      const [line] = await Promise.race([once(lines, "line"), end]);
      return line;
    },
  };
}
