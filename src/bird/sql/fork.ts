/** Starts the child processes in which databases are read. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Environment variables that a child gets: enough to start, and no options or hooks for Node. */
const ENVIRONMENT = ["PATH", "SystemRoot", "TEMP", "TMP", "TMPDIR", "LD_LIBRARY_PATH"];

/**
 * A process that runs a program of this folder and watches its own memory (`startWatchdog`).
 * @param memoryMb most memory (resident set), in MB of 2^20 bytes
 * @param rest further arguments of the program
 */
export function forkLimited(program: URL, memoryMb: number, rest: readonly string[] = []): ChildProcess {
  return fork(fileURLToPath(program), [`${memoryMb}`, `${process.pid}`, ...rest], {
    serialization: "advanced",
    execArgv: [`--max-old-space-size=${Math.floor(memoryMb / 2)}`],
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => ENVIRONMENT.includes(name))),
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
}

/** What Node and the engines print when memory cannot be had. */
export const MEMORY_ABORT = /out of memory|allocation failed/i;
