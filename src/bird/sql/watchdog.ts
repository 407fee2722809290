/** The thread that kills a SQL child process when it passes its memory limit or its parent is gone. */
/*
 * The main thread may be inside a database engine for minutes and hear neither signals nor messages; this thread does.
 */
import { isMainThread, workerData } from "node:worker_threads";

export interface Watch {
  /** Shared with the main thread, which writes whether a statement runs and reads how much memory it took. */
  readonly shared: Int32Array;
  readonly memoryMb: number;
  readonly parentPid: number;
}

/** Indexes into the shared memory. */
export const RUNNING = 0;
export const PEAK_KB = 1;

export const MB = 1024 * 1024;

/** Share of the memory limit at which the process is killed: the rest may fill up between two checks. */
const KILL_SHARE = 0.75;
/** Time between two checks, in milliseconds. */
const LOOK = { running: 5, idle: 250 };

function watch({ shared, memoryMb, parentPid }: Watch): void {
  for (let looks = 0; ; looks++) {
    // The executor has died, so nobody else would end this process.
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
