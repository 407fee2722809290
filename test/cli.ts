import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

/** The program. */
export const MAIN = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

/** Runs the command line to its end, its output piped and no colour asked for, wherever the tests run. */
export function lse(...options: string[]) {
  return lseWithEnvironment({ FORCE_COLOR: undefined, NO_COLOR: undefined }, ...options);
}

export function lseWithEnvironment(environment: NodeJS.ProcessEnv, ...options: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...options], {
    encoding: "utf8",
    env: { ...process.env, ...environment },
  });
  return { status, stdout, stderr };
}

/** Starts the command line and leaves it running. */
export function startLse(...options: string[]) {
  return spawn(process.execPath, [MAIN, ...options], { stdio: "ignore" });
}

/** Starts the command line beside this process, which the service that it asks may run in. */
export function besideLse(environment: NodeJS.ProcessEnv, ...options: string[]) {
  const child = spawn(process.execPath, [MAIN, ...options], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, FORCE_COLOR: undefined, ...environment },
  });
  return { child, ended: outputOf(child) };
}

/** What a process has printed when it has ended. */
export async function outputOf(child: ChildProcessByStdio<null, Readable, Readable>) {
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  const [status] = (await once(child, "close")) as [number | null];
  return { status, stdout, stderr };
}
