/**
 * The thread that ends a process of SqlExecutor with SIGKILL when it passes its memory limit or its parent is gone. The
 * main thread may be inside a database engine for minutes, deaf to signals and messages: this thread is not.
 */
import { isMainThread, workerData } from "node:worker_threads";

export interface Watch {
  /** Shared with the main thread, which says there whether a statement runs and reads what memory it took. */
  readonly shared: Int32Array;
  readonly memoryMb: number;
  readonly parentPid: number;
}

/** Indexes into the shared memory. */
export const RUNNING = 0;
export const PEAK_KB = 1;

export const MB = 1024 * 1024;

/** Part of the memory limit at which the process ends: the rest may fill between two looks. */
const KILL_SHARE = 0.75;
/** How often it looks, in milliseconds. */
const LOOK = { running: 5, idle: 250 };

function watch({ shared, memoryMb, parentPid }: Watch): void {
  for (let looks = 0; ; looks++) {
    // The executor has died: nobody is left to end this process.
    if (looks % 20 === 0 && process.ppid !== parentPid) process.kill(process.pid, "SIGKILL");
    if (Atomics.load(shared, RUNNING) === 1) {
      const rss = process.memoryUsage.rss();
      if (rss > memoryMb * MB * KILL_SHARE) process.kill(process.pid, "SIGKILL");
      if (rss / 1024 > Atomics.load(shared, PEAK_KB)) Atomics.store(shared, PEAK_KB, Math.ceil(rss / 1024));
      Atomics.wait(shared, RUNNING, 1, LOOK.running);
    } else {
      Atomics.wait(shared, RUNNING, 0, LOOK.idle);
      looks = -1;
    }
  }
}

if (!isMainThread) watch(workerData as Watch);
