/** The child process of `isolated`: calls one function once, under the watchdog. */
import { LseError } from "../../errors.js";
import { startWatchdog, text } from "./child.js";
import type { WorkReply } from "./isolated.js";
import { RUNNING } from "./watchdog.js";

process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit());

process.once("message", async ({ input }: { input: unknown }) => {
  const shared = new Int32Array(new SharedArrayBuffer(8));
  Atomics.store(shared, RUNNING, 1);
  let reply: WorkReply;
  try {
    await startWatchdog(shared);
    const { default: work } = await import(process.argv[4] as string);
    reply = { type: "done", output: await work(input) };
  } catch (error) {
    reply =
      error instanceof LseError
        ? { type: "failed", problem: error.problem, nextStep: error.nextStep }
        : { type: "failed", problem: text(error), nextStep: null };
  }
  process.send?.(reply);
});
