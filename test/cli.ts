import { spawn, spawnSync } from "node:child_process";
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
