/** Time limits in milliseconds, as timers take them. */

import { setTimeout as sleep } from "node:timers/promises";

/** 23 days: a timer of more than 2³¹ − 1 ms ends at once, and users of a limit add to it. */
export const LONGEST_MS = 2e9;

/** A time limit in milliseconds, at most 23 days. */
export const limitMs = (seconds: number): number => Math.min(1000 * seconds, LONGEST_MS);

/** Waits as long as it takes, longer than a timer can too. @throws the reason of `signal` */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  const end = performance.now() + ms;
  for (let left = ms; left > 0; left = end - performance.now())
    await sleep(Math.min(left, LONGEST_MS), undefined, { signal });
}

/**
 * The outcome of work, or `late()` when it takes longer.
 * @param ms at most 23 days
 */
export async function within<T>(work: PromiseLike<T>, ms: number, late: () => T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(late()), ms);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
