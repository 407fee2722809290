/** Runs a piece of work on a database in a process of its own, with limits of memory and time. */
import { LseError } from "../../errors.js";
import { LONGEST_MS } from "../../lib/time-limit.js";
import { forkLimited, MEMORY_ABORT } from "./fork.js";

/** Limits of a piece of work. */
export interface WorkLimits {
  /** Most memory (resident set) of its process, in MB of 2^20 bytes. */
  readonly memoryMb: number;
  readonly timeoutMs: number;
}

/** What the process answers. */
export type WorkReply =
  | { readonly type: "done"; readonly output: unknown }
  /** With the next step of an LseError; null for any other error. */
  | { readonly type: "failed"; readonly problem: string; readonly nextStep: string | null };

/** A piece of work failed or passed a limit; the message says why. An LseError of the work is passed on as it is. */
export class WorkFailed extends Error {}

/**
 * Calls a function of a module in a new process, so that a hostile or damaged file can bring down, fill or block that
 * process only.
 *
 * @param module its URL
 * @param name of an exported function
 * @param args like its result, structured-cloneable
 * @throws {LseError} what the function throws as such @throws {WorkFailed} anything else
 */
export async function isolated<Work extends (...args: never[]) => unknown>(
  module: string,
  name: string,
  args: Parameters<Work>,
  { memoryMb, timeoutMs }: WorkLimits,
): Promise<Awaited<ReturnType<Work>>> {
  const program = new URL("./isolated-child.js", import.meta.url);
  const child = forkLimited(program, memoryMb, [module, name]);
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-4096);
  });
  let isLate = false;
  const timer = setTimeout(
    () => {
      isLate = true;
      child.kill("SIGKILL");
    },
    Math.min(timeoutMs, LONGEST_MS),
  );
  try {
    return await new Promise((resolve, reject) => {
      child.on("message", (reply: WorkReply) => {
        if (reply.type === "done") resolve(reply.output as Awaited<ReturnType<Work>>);
        else if (reply.nextStep === null) reject(new WorkFailed(reply.problem));
        else reject(new LseError(reply.problem, reply.nextStep));
      });
      child.on("error", (error) => reject(new WorkFailed(error.message)));
      // After a reply this changes nothing.
      child.on("close", (code, signal) => {
        if (isLate) reject(new WorkFailed(`it took longer than ${timeoutMs / 1000} s and was stopped`));
        else if (signal === "SIGKILL" || MEMORY_ABORT.test(stderr))
          reject(new WorkFailed(`it needed more than ${memoryMb} MB of memory and was stopped`));
        else
          reject(
            new WorkFailed(
              `its process ended unexpectedly (${stderr.trim().split("\n").at(-1) || (signal ?? `exit code ${code}`)})`,
            ),
          );
      });
      child.send(args, () => {});
    });
  } finally {
    clearTimeout(timer);
    child.kill("SIGKILL");
  }
}
